"""Counts messages, checks that the counts add up, and reports the health of the job."""

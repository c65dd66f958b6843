"""Prepares a cluster for a job, for `hopper setup`; the job itself never does."""

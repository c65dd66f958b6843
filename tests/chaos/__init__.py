"""Chaos tests: faults of everything around the job at the same time, chosen by a seed."""

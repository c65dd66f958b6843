"""Samples of what passes at a step of a running job, for `hopper tap`."""

"""Breaks everything around the job on purpose, by a seed, and then counts what is where."""

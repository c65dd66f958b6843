"""Starts the process, waits for its cluster, and stops it."""

"""Keeps the open groups of a job on a disk, so that a message is acknowledged before its group."""

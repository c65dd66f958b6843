"""Keeps the open groups of a shard, and completes them by its rules."""

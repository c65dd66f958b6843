"""The version of Hopper; no other file has it."""

VERSION = "0.1.0"
"""Follows semantic versioning."""

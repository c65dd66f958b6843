"""The version of Hopper: the one place that has it."""

VERSION = "0.1.0"
"""By the rules of semantic versioning."""

"""Conditions of the spec: CEL, and functions of the user's own."""

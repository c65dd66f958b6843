"""Conditions of the spec: CEL expressions and user functions."""

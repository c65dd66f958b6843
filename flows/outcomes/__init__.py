"""Whose outcome an answer of the sink is."""

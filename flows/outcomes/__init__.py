"""Translates the sink's answers about documents into outcomes of messages."""

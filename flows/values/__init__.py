"""The values that travel between the steps."""

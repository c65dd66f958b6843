"""A source and a sink in memory, with faults that a test injects: the reference connector."""

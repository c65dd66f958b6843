"""A source and a sink in memory, with faults one can order: the reference connector."""

"""How the process begins, waits for its cluster, and ends."""

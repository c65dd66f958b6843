"""How Hopper is brought to run: local services, the demo, containers; no part of the program."""

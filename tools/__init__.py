"""Local services, the demo, and what makes the environment: no part of the program."""

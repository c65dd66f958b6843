"""Local services, the demo, and the virtual environment: no part of the program."""

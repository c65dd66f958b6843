"""The parts of the demo; `deploy/demo.py` puts them together."""

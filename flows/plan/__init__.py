"""Tells what a change of a pipeline means for what is open, for `hopper plan`."""

"""The commands of `hopper dead-letters`, one to a file."""

"""The command `hopper`, one file for each of its commands; the job itself never imports it."""

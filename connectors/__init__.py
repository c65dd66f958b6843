"""Where data comes from and where it goes; knows nothing of `flows`."""

"""What is asked of a message: paths, keys, times, conditions."""

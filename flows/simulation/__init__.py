"""A job played in this process, by a clock that its caller moves: for tests and dry runs."""

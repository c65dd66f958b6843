"""What `hopper top` and `hopper tap` are made of."""

"""Reading messages: bodies, envelopes, keys, times, and the members made of them."""

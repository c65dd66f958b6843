"""`make demo`: a stream of events through the real job; `__main__.py` puts the parts together."""

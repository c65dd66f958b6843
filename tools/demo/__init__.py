"""`make demo`: a stream of events through the real job; `__main__.py` connects the parts."""

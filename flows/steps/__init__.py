"""The steps of the flow, on Bytewax."""

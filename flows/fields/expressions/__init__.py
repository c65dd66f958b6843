"""The language of conditions: CEL, read here, and mostly evaluated here."""

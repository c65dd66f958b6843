"""The language of conditions: CEL, read, checked and evaluated here."""

"""What messages hold: one document or many, packed or not."""

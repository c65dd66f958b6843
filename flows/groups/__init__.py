"""The open groups of a shard, and what completes them."""

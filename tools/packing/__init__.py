"""Write the shards of a pack."""

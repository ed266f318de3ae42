"""What this code gains over the reference recipe, measured side by side."""

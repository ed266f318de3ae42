"""What `python -m tools.reproduce` does: its steps, what they take, and the table in the end."""

"""What tools/verify.py and tools/audit.py look at, and how they report it."""

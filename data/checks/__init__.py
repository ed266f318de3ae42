"""What data/verify.py and data/audit.py look at, and how they report it."""

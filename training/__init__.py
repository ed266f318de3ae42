"""What train.py is built from. The step itself stands in train.py."""

"""Measure this code against the reference recipe, side by side."""

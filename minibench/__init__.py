"""The miniature benchmark: thirteen small CNN generators applied to real photographs."""

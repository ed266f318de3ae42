"""Commands about data sets and weights: `python -m tools` lists them."""

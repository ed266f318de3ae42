"""The released archives and weights: what they hold, how they are fetched and unpacked."""

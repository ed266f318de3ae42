"""Studies: the paper's findings, and some later ones, on the miniature benchmark with spread."""

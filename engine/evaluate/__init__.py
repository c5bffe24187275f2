"""pass@1 of a model on held-back questions."""

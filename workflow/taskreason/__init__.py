"""Task-level reasoning with small language models: kitchens, training, evaluation, report."""

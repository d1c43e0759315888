"""Extraction by rules: English first, no model, the same answer every time."""

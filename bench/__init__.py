"""Measurements of the whole stack: `make bench`."""

"""What happens to every call before and after its handler, one idea per module."""

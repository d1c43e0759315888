"""What happens to every call before and after its handler: one interceptor, one idea per module."""

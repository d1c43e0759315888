# Written by tools/sync_client.py from _async/__init__.py: change that file, not this one.
"""The synchronous client."""

"""Protobuf messages to what callers see, and back. Shared by both clients."""

"""What Chinese needs of its own: other sentences, other times, other words for feelings."""

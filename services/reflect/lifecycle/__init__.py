"""The life of all of a user's data: erased, exported, imported."""

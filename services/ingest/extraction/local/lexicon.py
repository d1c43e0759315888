"""Closed sets of words, written as blocks of text."""


def words(block: str) -> frozenset[str]:
    """The words of a block, separated by white space."""
    return frozenset(block.split())


def phrases(block: str) -> frozenset[str]:
    """The comma-separated entries of a block, in lower case; an entry may have several words."""
    return frozenset(" ".join(each.split()) for each in block.lower().split(",") if each.strip())

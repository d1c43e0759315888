"""Telling Chinese from what is written otherwise."""

import re

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_KANA_OR_HANGUL = re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")


def has_han(text: str) -> bool:
    """Whether a text has Chinese characters, and none that only Japanese or Korean have."""
    return _HAN.search(text) is not None and _KANA_OR_HANGUL.search(text) is None

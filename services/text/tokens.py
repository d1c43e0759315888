"""How many tokens a model will see in a text: an estimate, and a figure that budgets can trust.

Every model counts differently; exact counts would need each model's own tokenizer. The
estimate is meant to err by no more than a quarter on ordinary prose, English or Chinese; the
other figure is meant never to be less than what a common tokenizer counts of ordinary text.
"""

import regex

CHARS_PER_TOKEN = 4
"""Characters of alphabetic text to one token, spaces included."""

_DENSE = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
    r"\p{Emoji_Presentation}\u3000-\u303f\uff00-\uffef]",
    regex.VERSION1,
)


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of a text.

    One for each four characters of alphabetic text, rounded up; one for each character of
    scripts without spaces (Chinese, Japanese, Korean, Thai, …) and each emoji. The empty
    text has 0, any other at least 1.
    """
    dense = 0 if text.isascii() else len(_DENSE.findall(text))
    return dense - (dense - len(text)) // CHARS_PER_TOKEN


LETTERS_PER_TOKEN = 3
"""ASCII letters of one word to one token, where none may be forgotten."""

_WORD = regex.compile(r"[A-Za-z]+")
_MARK = regex.compile(r"[!-@\[-`{-~\n]")


def most_tokens(text: str) -> int:
    """Count the tokens of a text such that common tokenizers count no more of ordinary text.

    One for each three letters of an ASCII word begun, one for each ASCII digit, mark and line
    break, and for any other character its bytes in UTF-8 less one. Spaces go with what
    follows. What is added up is at least the count of the whole.
    """
    words = sum(-(-len(word) // LETTERS_PER_TOKEN) for word in _WORD.findall(text))
    others = 0 if text.isascii() else sum(_bytes_less_one(each) for each in text if each > "\x7f")
    return words + len(_MARK.findall(text)) + others


def _bytes_less_one(character: str) -> int:
    return 1 if character < "\u0800" else 2 if character < "\U00010000" else 3

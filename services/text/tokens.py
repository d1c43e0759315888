"""How many tokens a model will see in a text: an estimate, for budgets.

Every model counts differently; exact counts would need each model's own tokenizer. The
estimate is meant to err by no more than a quarter on ordinary prose, English or Chinese.
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

"""Unicode's compatibility form, in which texts are compared."""

import unicodedata

import regex

# Unicode's own bound for streams (UAX #15, "Stream-Safe Text Format"): no word of any language
# comes near it.
_MOST_MARKS = 30
_TOO_MANY_MARKS = regex.compile(rf"(\p{{M}}{{{_MOST_MARKS}}})\p{{M}}++")


def nfkc(text: str) -> str:
    """A text in NFKC; of more than 30 combining marks in a row only the first are left.

    Python sorts the marks of a row by insertion: 32,768 of them take more than a second.
    """
    if unicodedata.is_normalized("NFKC", text):
        return text
    return unicodedata.normalize("NFKC", _TOO_MANY_MARKS.sub(r"\1", text))

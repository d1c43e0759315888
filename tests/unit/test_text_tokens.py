"""The token estimate errs within what its budgets allow."""

import pytest

from services.text.tokens import estimate_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("a", 1),
        ("abcd", 1),
        ("abcde", 2),
        ("我喜欢猫", 4),
        ("我喜欢猫。", 5),
        ("猫abcd", 2),
        ("🎉", 1),
        ("ภาษา", 4),
    ],
)
def test_the_rule(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


def test_more_text_is_never_fewer_tokens() -> None:
    text = "Alice 我喜欢 moved, to Lisbon! 猫猫 🎉🎉"

    estimates = [estimate_tokens(text[:end]) for end in range(len(text) + 1)]

    assert estimates == sorted(estimates)

"""The token estimate errs within what its budgets allow; the other count errs on one side."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from services.providers.embeddings.assemble import default_model
from services.text.tokens import estimate_tokens, most_tokens

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "build" / "models"  # assembled once per checkout


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


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("a", 1),
        ("tea", 1),
        ("team", 2),
        ("two words", 1 + 2),
        ("2026-05-03", 8 + 2),
        ("line\n", 2 + 1),
        ("Zürich", 1 + 1 + 2),
        ("我喜欢", 6),
        ("🎉", 3),
    ],
)
def test_the_rule_of_what_may_not_be_passed(text: str, tokens: int) -> None:
    assert most_tokens(text) == tokens


@pytest.mark.parametrize("document", ["README.md", "docs/architecture.md", "CONTRIBUTING.md"])
def test_a_tokenizer_counts_no_more_of_prose(document: str) -> None:
    tokenizer = Tokenizer.from_file(str(default_model(MODELS) / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    text = (ROOT / document).read_text()
    lines = [line.lstrip("-* ") for line in text.splitlines()]
    prose = [line for line in lines if len(line) > 60 and line[0].isalpha()]
    assert len(prose) > 5
    for part in (text, *prose):
        counted = len(tokenizer.encode(part, add_special_tokens=False).tokens)
        assert counted <= most_tokens(part), part


def test_parts_count_at_least_what_the_whole_does() -> None:
    text = "Alice 我喜欢 moved, to Lisbon! 猫猫 🎉🎉\nünder 12"
    for place in range(len(text)):
        assert most_tokens(text[:place]) + most_tokens(text[place:]) >= most_tokens(text)

"""A query that names who it is about, as one of them might ask it."""

import pytest

from services.vector.ranking.naming import in_first_person, name_terms


@pytest.mark.parametrize(
    ("text", "speakers", "told"),
    [
        ("When did Ada buy a radio?", ("Ada", "Ben"), "When did I buy a radio?"),
        ("Where is Ada's radio?", ("Ada",), "Where is my radio?"),
        ("What did ADA and Ben Smith buy?", ("Ada", "Ben Smith"), "What did I and I buy?"),
        ("Is that Ben Smith’s?", ("Ben Smith",), "Is that my"),
        ("Ada Lovelace wrote what?", ("Ada Lovelace",), "I wrote what?"),
        ("¿Dónde vive Ada?", ("Ada",), "¿Dónde vive"),
        ("Что купила Ада вчера", ("Ада",), "Что купила вчера"),
        ("What does Carl  own?", ("Ada", "Ben"), ""),
        ("Which Adagio is it?", ("Ada",), ""),
        ("Ada?", ("Ada",), ""),
        ("How good is the user interface?", ("user", "assistant", ""), ""),
    ],
)
def test_who_is_asked_about_asks(text: str, speakers: tuple[str, ...], told: str) -> None:
    assert in_first_person(text, speakers) == (told or text)


def test_a_role_names_nobody() -> None:
    assert name_terms("Assistant") == frozenset()
    assert name_terms("Ada Lovelace") == {"ada", "lovelac"}

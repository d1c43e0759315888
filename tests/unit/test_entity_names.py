"""When a text names an entity."""

import pytest

from services.reflect.analytics.names import Name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Ann", "I met Ann."),
        ("Ann", "ANN's bicycle"),
        ("Ann", "(ann)"),
        ("New York", "from new\n york to Rome"),
        ("O'Brien", "Mrs O’Brien called"),
        ("C++", "She writes C++, not C."),
        ("Google", "我在Google工作"),
        ("张伟", "昨天我和张伟去了北京"),
        ("李", "李在北京"),
        ("東京", "東京タワー"),
        ("Straße", "die STRASSE dort"),
        ("Ann", "Ann-Marie and Ann"),
        ("ＡＣＭＥ", "works at Acme"),
    ],
)
def test_a_name_is_found(name: str, text: str) -> None:
    assert Name.of(name).is_in(text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Ann", "Anna, annual, Joann"),
        ("Ann", "Ann_2"),
        ("New York", "newyork, New Yorker"),
        ("C", "Cc"),
        ("Google", "Googles"),
        ("张伟", "张先生和伟"),
        ("a.b", "axb"),
    ],
)
def test_another_name_is_not(name: str, text: str) -> None:
    assert not Name.of(name).is_in(text)


def test_terms_are_those_that_any_text_with_the_name_is_stored_under() -> None:
    assert Name.of("Bank of America").terms == ("bank", "america")
    assert Name.of("张伟明").terms == ("张伟", "伟明")
    # A word of grammar is in no index, a single character only with its neighbour.
    assert Name.of("Will").terms == ()
    assert Name.of("李").terms == ()
    assert Name.of("小A").terms == Name.of("A").terms


@pytest.mark.parametrize("blank", ["", "  \t"])
def test_a_name_is_not_blank(blank: str) -> None:
    with pytest.raises(ValueError, match="not blank"):
        Name.of(blank)

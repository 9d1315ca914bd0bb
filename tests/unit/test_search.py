"""What a person types into the search field becomes words and dates."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight.catalog.search.parsing import SearchTerm, parse_query


def terms(query: str) -> list[tuple[str, str | None]]:
    return [(term.text, term.date) for term in parse_query(query)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", []),
        ("  \t\n ", []),
        ("beach", [("beach", None)]),
        ("the beach", [("the", None), ("beach", None)]),
        ("2019", [("2019", "2019")]),
        ("beach 2019", [("beach", None), ("2019", "2019")]),
        ("2019-05", [("2019-05", "2019-05")]),
        ("2019/5", [("2019/5", "2019-05")]),
        ("05.2019", [("05.2019", "2019-05")]),
        ("2019-05-07", [("2019-05-07", "2019-05-07")]),
        ("2019-13", [("2019-13", None)]),
        ("May 2019", [("May 2019", "2019-05")]),
        ("2019 may", [("2019 may", "2019-05")]),
        ("in Sept. 2019", [("in", None), ("Sept. 2019", "2019-09")]),
        ("Dezember 2021", [("Dezember 2021", "2021-12")]),
        ("MÄRZ 2021", [("MÄRZ 2021", "2021-03")]),
        ("may", [("may", "05")]),
        ("march may 2019", [("march", "03"), ("may 2019", "2019-05")]),
        ("0019", [("0019", None)]),
        ("20190507", [("20190507", None)]),
        ("\uff12019", [("\uff12019", None)]),
    ],
)
def test_years_and_months_are_recognized(
    query: str, expected: list[tuple[str, str | None]]
) -> None:
    assert terms(query) == expected


@given(st.text(max_size=60))
def test_terms_have_all_words_of_the_query_in_order(query: str) -> None:
    assert " ".join(term.text for term in parse_query(query)).split() == query.split()


@given(
    st.integers(1800, 2199),
    st.integers(1, 12),
    st.sampled_from(["{y}-{m:02}", "{y}/{m}", "{m}.{y}", "{m:02}/{y}"]),
    st.text(string.ascii_uppercase, min_size=10, max_size=12),
)
def test_a_month_in_digits_is_found_among_other_words(
    year: int, month: int, form: str, word: str
) -> None:
    typed = form.format(y=year, m=month)
    assert parse_query(f"{word} {typed}") == (
        SearchTerm(text=word),
        SearchTerm(text=typed, date=f"{year}-{month:02}"),
    )

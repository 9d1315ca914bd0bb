"""The languages of the pages: each has all texts, and the browser's order decides."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, nodes
from starlette.datastructures import Headers

import safelight
from safelight.errors import NotFound, TooLarge, UnsupportedType, client_errors
from safelight.web.http.accept import preferred_locale
from safelight.web.pages import languages
from safelight.web.pages.languages import LANGUAGES
from safelight.web.pages.languages.de import GERMAN
from safelight.web.pages.languages.en import ENGLISH
from safelight.web.pages.languages.texts import Texts

SOURCES = Path(safelight.__file__).parent
NAMES = {field.name for field in fields(Texts)}
SAME_IN_GERMAN = {"link", "token"}


def _preferred(accepted: str) -> str:
    headers = Headers(raw=[(b"accept-language", accepted.encode("latin-1", "replace"))])
    return preferred_locale(headers, LANGUAGES, default="en-GB")


@pytest.mark.parametrize(
    ("accepted", "locale"),
    [
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de-AT"),
        ("en-US,en;q=0.9,de;q=0.8", "en-US"),
        ("en;q=0.3, fr, DE-ch;q=0.7", "de-CH"),
        ("de-Latn-DE-1996", "de-DE"),
        ("en-US@posix", "en"),
        ("fr", "en-GB"),
        ("*", "en-GB"),
        ("*, de;q=0.5", "en-GB"),
        ("de;q=0, *", "en-GB"),
        ("deu", "en-GB"),
        ("de;q=x", "en-GB"),
        ("", "en-GB"),
    ],
)
def test_browser_decides_the_locale(accepted: str, locale: str) -> None:
    assert _preferred(accepted) == locale


@given(st.text() | st.from_regex(r"\A(de|en)[-\w;=.,* ]*\Z", fullmatch=True))
def test_any_header_gives_a_locale(accepted: str) -> None:
    """Browsers throw an error for a malformed one."""
    assert re.fullmatch(r"(de|en)(-[A-Z]{2})?", _preferred(accepted))


def test_templates_use_all_texts_and_no_others() -> None:
    environment = Environment(autoescape=True)
    used = {
        node.attr
        for path in (SOURCES / "web" / "pages" / "templates").glob("*.html")
        for node in environment.parse(path.read_text()).find_all(nodes.Getattr)
        if isinstance(node.node, nodes.Name) and node.node.name == "texts"
    }
    assert used <= NAMES
    in_code = "\n".join(path.read_text() for path in (SOURCES / "web" / "pages").glob("*.py"))
    used |= set(re.findall(r"texts\.(\w+)", in_code))
    assert NAMES - used == set()


def test_german_texts_differ_from_the_english() -> None:
    same = {name for name in NAMES if getattr(GERMAN, name) == getattr(ENGLISH, name)}
    assert same == SAME_IN_GERMAN


def test_german_has_a_message_for_every_error() -> None:
    codes = {error.code for error in client_errors()}
    # Messages of invalid requests name what is invalid, those of large files name the limit.
    assert codes - GERMAN.problems.keys() == {"invalid_request", "too_large"}


def test_messages_that_are_translated_exist() -> None:
    folder = Path(languages.__file__).parent
    modules = [path for path in SOURCES.rglob("*.py") if path.parent != folder]
    code = "\n".join(path.read_text() for path in modules)
    messages = [key for key in GERMAN.problems if " " in key]
    assert messages
    assert [text for text in messages if text not in code] == []


def test_problem_is_the_message_or_that_of_its_kind() -> None:
    assert GERMAN.problem(NotFound()) == "Dieses Foto gibt es nicht oder nicht mehr."
    assert GERMAN.problem(NotFound("There is no such job.")) == "Das gibt es nicht oder nicht mehr."
    unsupported = GERMAN.problem(UnsupportedType("Unsupported format (PDF). Upload JPEG."))
    assert unsupported.startswith("Dieses Format wird nicht unterstützt.")
    assert ENGLISH.problem(TooLarge()) == TooLarge.text


def test_counts_have_the_right_plurals() -> None:
    german = [GERMAN.photo_count(number) for number in (0, 1, 2, 12345)]
    assert german == ["0 Fotos", "1 Foto", "2 Fotos", "12.345 Fotos"]
    english = [ENGLISH.photo_count(number) for number in (0, 1, 2, 12345)]
    assert english == ["0 photos", "1 photo", "2 photos", "12,345 photos"]
    assert "nach einem Tag endgültig" in GERMAN.trash_hint(1)
    assert "nach 30 Tagen endgültig" in GERMAN.trash_hint(30)
    assert "for good 1 day after" in ENGLISH.trash_hint(1)


def test_sizes_and_times_are_written_as_in_the_language() -> None:
    assert GERMAN.format_size(1_500_000) == "1,43 MB"
    assert GERMAN.format_taken("2023-09-20T12:30:05+02:00") == "20.09.2023, 12:30:05+02:00"
    assert ENGLISH.format_taken("2023-09-20T12:30:05+02:00") == "2023-09-20 12:30:05+02:00"

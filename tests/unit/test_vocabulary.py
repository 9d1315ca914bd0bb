"""Words that are vague, old-fashioned or private stay out of the code and the documentation."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = (
    *("src", "docs", "deploy", "examples", "frontend/src", "frontend/tests"),
    *("tests", "torture", "benchmarks", "fuzz"),
)
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile", "pyproject.toml")
SUFFIXES = frozenset({".py", ".md", ".ts", ".tsx", ".html", ".css", ".mako", ".service", ".yaml"})

_DATA = "return, print, log, show or send"
_ACTOR = "the actor (client, owner, operator, worker, browser), or anyone, everyone, no one"
_AUTH = "authenticate, sign in or allow"
_REPAIR = "repair or fix"
_CARE = "maintain, handle or check"
_EXISTS = "what exists, or name it"

BANNED = {
    "told": _DATA,
    "tell": _DATA,
    "tells": _DATA,
    "telling": _DATA,
    "whoever": _ACTOR,
    "nobody": _ACTOR,
    "somebody": _ACTOR,
    "anybody": _ACTOR,
    "everybody": _ACTOR,
    "stranger": "an untrusted client, or another user",
    "strangers": "untrusted clients, or other users",
    "visitor": "client or browser",
    "visitors": "clients or browsers",
    "let in": _AUTH,
    "lets in": _AUTH,
    "letting in": _AUTH,
    "so many": "at most N, or that number of",
    "at the most": "at most",
    "anew": "again",
    "for ever": "forever",
    "as it comes": "by default, or unchanged",
    "ready made": "cached",
    "by itself": "automatically, or alone",
    "by themselves": "automatically, or alone",
    "what is there": _EXISTS,
    "to be had": "available",
    "can be had": "is available",
    "mend": _REPAIR,
    "mends": _REPAIR,
    "mending": _REPAIR,
    "put right": _REPAIR,
    "puts right": _REPAIR,
    "look after": _CARE,
    "looks after": _CARE,
    "looked after": _CARE,
    "heed": "respect",
    "heeds": "respects",
    "heeded": "respected",
    "whence": "from where",
    "twin": "duplicate",
    "twins": "duplicates",
    "doomed": "tombstone",
    "shelf": "the objects of a photo",
    "shelves": "the objects of photos",
    "house": "the service, the package, or its layout",
    "bury": "soft-delete",
    "buried": "soft-deleted",
    "crowd": "the number",
    "became of": "the outcome or result of",
    "becomes of": "the outcome or result of",
    "all the same": "anyway",
    "on its way": "in progress",
    "on their way": "in progress",
    "not more than": "at most",
    "handed over": "passed",
    "handed on": "passed on",
    "lest": "so that … not",
    "ought": "should",
    "as ever": "as usual",
    "for who": "for clients (or owners, operators) that",
    "intake": "ingest",
    "said": "the output, response or content",
    "deed": "call or action",
    "deeds": "calls or actions",
    "as it stands": "unchanged",
    "as they stand": "unchanged",
    "in the end": "at the end",
    "hangs up": "disconnects or closes",
    "keep quiet": "log nothing",
    "hence": "so",
    "upon": "on",
}
"""Each word or phrase, and what to write instead."""

ALLOWED = {
    ("docs/decisions/0002-embedded-engines.md", "nobody"): "the Unix user",
    ("src/safelight/engines/postgres/account.py", "nobody"): "the Unix user",
    ("src/safelight/darkroom/child/confinement.py", "nobody"): "the Unix user",
    ("src/safelight/darkroom/child/handlers.py", "tell"): "the method of a file",
    ("tests/integration/test_darkroom.py", "tell"): "the method of a file",
    ("torture/photos.py", "tell"): "the method of a file",
    (
        "src/safelight/catalog/tables/photos.py",
        "twins",
    ): "the name of an index in existing databases",
    ("src/safelight/catalog/migrations/versions/0001_photos.py", "twins"): "that index",
    ("src/safelight/catalog/migrations/versions/0010_separate.py", "twins"): "that index",
}
"""Exceptions by path and word, with the reason."""

EXCLUDED = frozenset({"frontend/src/api.gen.ts", "tests/unit/test_vocabulary.py"})
"""Generated from descriptions in src, which are checked; and the list of words itself."""

_GAP = r"[\s#*/>]+"
"""Between the words of a phrase: it may continue on the next line, behind a comment's mark."""
_BY_INITIAL = {
    initial: "|".join(word[1:].replace(" ", _GAP) for word in BANNED if word[0] == initial)
    for initial in {word[0] for word in BANNED}
}
_PATTERN = re.compile(
    rf"\b(?:{'|'.join(f'{initial}(?:{rest})' for initial, rest in _BY_INITIAL.items())})\b"
)
"""Matches in lowercase text. Grouped by initials, it takes a seventh of the time."""


class Match(NamedTuple):
    """A banned word, and its place."""

    path: str
    line: int
    word: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: “{self.word}”: write {BANNED[self.word]}"


def find_banned_words(path: Path, root: Path = ROOT) -> Iterator[Match]:
    """Find the banned words in a file, in identifiers too."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", path.read_text()).replace("_", " ").lower()
    for match in _PATTERN.finditer(text):
        word = " ".join(re.split(_GAP, match[0]))
        line = text.count("\n", 0, match.start()) + 1
        yield Match(path.relative_to(root).as_posix(), line, word)


def _files() -> Iterator[Path]:
    yield from (ROOT / name for name in DOCUMENTS)
    yield from sorted((ROOT / "frontend").glob("*.py"))
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            name = path.relative_to(ROOT).as_posix()
            is_excluded = "gallery_files" in path.parts or name in EXCLUDED
            if path.suffix in SUFFIXES and not is_excluded:
                yield path


@functools.cache
def _all_matches() -> list[Match]:
    return [match for path in _files() for match in find_banned_words(path)]


def test_code_and_documentation_have_no_banned_words() -> None:
    found = [match for match in _all_matches() if (match.path, match.word) not in ALLOWED]
    assert not found, "\n" + "\n".join(map(str, found))


def test_exceptions_are_still_needed() -> None:
    found = {(match.path, match.word) for match in _all_matches()}
    assert set(ALLOWED) <= found


def test_each_word_is_found(tmp_path: Path) -> None:
    path = tmp_path / "sample.py"
    for word in BANNED:
        uses = (f"# It is {word} here.", f"{word.capitalize()}.", f"def x_{word}_y() -> None:")
        path.write_text("\n".join(("# A first line.", *uses, "")))
        found = [Match("sample.py", line, word) for line in (2, 3, 4)]
        assert list(find_banned_words(path, tmp_path)) == found


def test_a_phrase_is_found_across_lines(tmp_path: Path) -> None:
    path = tmp_path / "sample.py"
    path.write_text("# It happens by\n    # itself.\n")
    assert list(find_banned_words(path, tmp_path)) == [Match("sample.py", 1, "by itself")]


def test_camel_case_is_split_into_words(tmp_path: Path) -> None:
    path = tmp_path / "sample.ts"
    path.write_text("observable.tellAll(isWhoever)")
    assert [match.word for match in find_banned_words(path, tmp_path)] == ["tell", "whoever"]


@pytest.mark.parametrize("line", ["intelligent", "untold", "commend", "letter in a letter"])
def test_parts_of_words_are_not_found(tmp_path: Path, line: str) -> None:
    path = tmp_path / "sample.md"
    path.write_text(line)
    assert not list(find_banned_words(path, tmp_path))


def test_a_failure_names_place_and_replacement() -> None:
    text = str(Match("src/safelight/keys.py", 3, "whoever"))
    assert text.startswith("src/safelight/keys.py:3: “whoever”: write the actor (client, owner")

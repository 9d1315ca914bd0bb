"""Make the names of the files in an archive unique, on every system that unpacks it."""

import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath


def unique_names(names: Iterable[str]) -> list[str]:
    """Give names that occur again a number: the second ``IMG_1.jpg`` becomes ``IMG_1 (2).jpg``.

    Names that differ only in case, or in how accents are encoded, are the same on Windows and
    macOS, and here.
    """
    unique: list[str] = []
    taken: set[str] = set()
    numbers: dict[str, int] = {}
    for name in names:
        candidate, number = name, numbers.get(_folded(name), 1)
        while _folded(candidate) in taken:
            number += 1
            path = PurePosixPath(name)
            candidate = f"{path.stem} ({number}){path.suffix}"
        numbers[_folded(name)] = number
        taken.add(_folded(candidate))
        unique.append(candidate)
    return unique


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()

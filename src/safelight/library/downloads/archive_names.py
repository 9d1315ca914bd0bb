"""Make the names of the files in an archive unique, on every system that unpacks it."""

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
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
        path = PurePosixPath(name)
        # Folded once for each name: neither the number nor the dot changes what is around it.
        stem, suffix = _folded(path.stem), _folded(path.suffix)
        candidate, folded = name, stem + suffix
        number = numbers.get(folded, 1)
        while folded in taken:
            number += 1
            candidate = f"{path.stem} ({number}){path.suffix}"
            folded = f"{stem} ({number}){suffix}"
        numbers[stem + suffix] = number
        taken.add(folded)
        unique.append(candidate)
    return unique


@lru_cache(1000)
def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()

"""Folders: all that lies in them, at any depth; by name, and files before folders."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Found:
    """What lies in folders. What is hidden (its name begins with a dot) is counted, and left out.

    A link to a file is that file. A link to a folder is listed, and isn't followed: it could lead
    out of what was named, or round in circles.
    """

    files: list[Path] = field(default_factory=list)
    linked_folders: list[Path] = field(default_factory=list)
    unreadable: list[tuple[Path, OSError]] = field(default_factory=list)
    hidden: int = 0


def found(places: Iterable[Path]) -> Found:
    """Look through folders. A place that was named is looked at whatever its name or kind."""
    seen = Found()
    for place in places:
        if place.is_dir():
            _look_through(place, seen)
        else:
            seen.files.append(place)  # what is wrong with it is told when it's opened
    return seen


def _look_through(place: Path, seen: Found) -> None:
    left = [place]
    while left:
        folder = left.pop()
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            seen.unreadable.append((folder, error))
            continue
        folders = [entry for entry in entries if _is_folder(folder / entry.name, entry, seen)]
        left.extend(folder / entry.name for entry in reversed(folders))


def _is_folder(path: Path, entry: os.DirEntry[str], seen: Found) -> bool:
    """Sort an entry in, unless it is a folder to go on to."""
    if entry.name.startswith("."):
        seen.hidden += 1
    elif entry.is_dir(follow_symlinks=False):
        return True
    elif entry.is_symlink() and path.is_dir():
        seen.linked_folders.append(path)
    else:
        seen.files.append(path)
    return False

"""The public API: names, errors and their documentation."""

import subprocess
import sys
from pathlib import Path

import pytest

import safelight
from safelight import errors
from safelight.library.jobs import Jobs
from safelight.library.uploads.direct_uploads import DirectUploads

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", safelight.__all__)
def test_public_names_exist_and_have_docstrings(name: str) -> None:
    assert getattr(safelight, name).__doc__


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError):
        _ = safelight.nothing


def test_importing_the_package_imports_nothing_slow() -> None:
    code = "import sys, safelight; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not {"boto3", "botocore", "pyvips", "fastapi", "sqlalchemy"} & set(loaded)


def _tree(kind: type[errors.SafelightError]) -> list[type[errors.SafelightError]]:
    return [kind, *(error for child in kind.__subclasses__() for error in _tree(child))]


def test_error_tree_in_the_docstring_is_complete() -> None:
    drawing = errors.__doc__ or ""
    assert all(f" {kind.__name__}" in drawing for kind in _tree(errors.SafelightError)[1:])


def test_error_codes_are_unique() -> None:
    codes = [kind.code for kind in _tree(errors.SafelightError) if "code" in kind.__dict__]
    assert len(codes) == len(set(codes))


def test_public_names_are_documented() -> None:
    documented = (ROOT / "docs" / "library.md").read_text()
    missing = [name for name in safelight.__all__ if f"`{name}" not in documented]
    assert not missing


def test_documented_calls_of_the_library_exist() -> None:
    documented = (ROOT / "docs" / "library.md").read_text()
    rows = documented.partition("## `Library`")[2].partition("## ")[0].splitlines()
    names = [
        name.strip().partition("(")[0].removeprefix("Library.")
        for row in rows
        if row.startswith("| `")
        for name in row.split("|")[1].replace("`", "").replace(" or ", ", ").split(", ")
        if "(" in name or name.strip() == "database_url"
    ]
    assert len(names) > 10
    parts = {"": safelight.Library, "uploads": DirectUploads, "jobs": Jobs}
    missing = [
        name
        for name in names
        if not hasattr(parts[name.rpartition(".")[0]], name.rpartition(".")[2])
    ]
    assert missing == []

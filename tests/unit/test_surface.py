"""What the package promises: its public names, its documented commands and codes."""

import subprocess
import sys
from pathlib import Path

import pytest

import safelight
from safelight import errors

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", safelight.__all__)
def test_every_public_name_is_there_and_explained(name: str) -> None:
    assert getattr(safelight, name).__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError):
        safelight.nothing  # noqa: B018  # the access is what is tested


def test_importing_the_package_imports_neither_boto3_nor_pyvips_nor_the_web() -> None:
    code = "import sys, safelight; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not {"boto3", "botocore", "pyvips", "fastapi", "sqlalchemy"} & set(loaded)


def _tree(kind: type[errors.SafelightError]) -> list[type[errors.SafelightError]]:
    return [kind, *(each for child in kind.__subclasses__() for each in _tree(child))]


def test_every_error_is_drawn_in_the_tree() -> None:
    drawing = errors.__doc__ or ""
    assert all(f" {kind.__name__}" in drawing for kind in _tree(errors.SafelightError)[1:])


def test_every_code_belongs_to_one_error() -> None:
    codes = [kind.code for kind in _tree(errors.SafelightError) if "code" in kind.__dict__]
    assert len(codes) == len(set(codes))


def test_every_public_name_is_in_the_docs_and_no_other() -> None:
    documented = (ROOT / "docs" / "library.md").read_text()
    missing = [name for name in safelight.__all__ if f"`{name}" not in documented]
    assert not missing


def test_every_documented_call_of_the_library_is_there() -> None:
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
    assert [name for name in names if not hasattr(safelight.Library, name)] == []

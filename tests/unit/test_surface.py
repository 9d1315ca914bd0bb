"""The public API: names, errors and their documentation."""

import subprocess
import sys
from pathlib import Path

import pytest

import safelight
from safelight import errors

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", safelight.__all__)
def test_public_names_exist_and_have_docstrings(name: str) -> None:
    assert getattr(safelight, name).__doc__


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError):
        _ = safelight.nothing


HEAVY = frozenset(
    {
        *("alembic", "boto3", "botocore", "cryptography", "cyclopts", "httpx", "jinja2", "obstore"),
        *("procrastinate", "prometheus_client", "psutil", "psycopg", "pyvips", "rich"),
        *("sqlalchemy", "uvicorn", "uvloop"),
    }
)
"""Packages that take long to import."""


@pytest.mark.parametrize(
    ("use", "also"),
    [
        ("safelight", {"fastapi", "pydantic", "msgspec"}),
        ("safelight.photo_router, safelight.add_error_handlers", set()),
        ("safelight.Library.from_settings(safelight.Settings())", {"fastapi"}),
        ("safelight.NotFound, safelight.Caption, safelight.AddResult", {"fastapi"}),
    ],
    ids=["package", "router", "library", "values"],
)
def test_import_of_an_embedding_program_imports_nothing_slow(use: str, also: set[str]) -> None:
    code = f"import sys, safelight; {use}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not (HEAVY | also) & set(loaded)


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

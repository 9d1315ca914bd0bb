"""The public API: names, errors and their documentation."""

from importlib import import_module
from pathlib import Path

import pytest

import safelight
from safelight import errors

ROOT = Path(__file__).parents[2]
LAZY_PACKAGES = ["safelight.catalog", "safelight.library", "safelight.web"]


@pytest.mark.parametrize("name", safelight.__all__)
def test_public_names_exist_and_have_docstrings(name: str) -> None:
    assert getattr(safelight, name).__doc__


@pytest.mark.parametrize("package", ["safelight", *LAZY_PACKAGES])
def test_unknown_name_is_an_attribute_error(package: str) -> None:
    with pytest.raises(AttributeError):
        _ = import_module(package).nothing


@pytest.mark.parametrize("package", LAZY_PACKAGES)
def test_names_that_are_imported_on_first_use_exist(package: str) -> None:
    module = import_module(package)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


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

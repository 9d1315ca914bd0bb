"""docs/library.md is a reference: written from the docstrings, and complete."""

import os

import safelight
from support import reference


def test_reference_is_that_of_the_docstrings() -> None:
    page = reference.PAGE.read_text()
    guide = page.partition("## Reference\n")[0]
    if os.environ.get("UPDATE_REFERENCE"):
        reference.PAGE.write_text(guide + reference.render())
        page = reference.PAGE.read_text()
    assert page == guide + reference.render(), (
        "run UPDATE_REFERENCE=1 python -m pytest tests/unit/test_reference.py"
    )


def test_each_public_method_of_a_library_is_in_the_reference() -> None:
    listed = {name for names in reference.METHODS.values() for name in names}
    assert reference.public_methods() - set(reference.INTERNAL) == listed


def test_each_error_is_in_the_reference_with_its_status() -> None:
    text = reference.render()
    assert "| `TooLarge`, under `Invalid` | 413 | `too_large` |" in text
    assert all(f"| `{kind.__name__}`" in text for kind in safelight.errors.client_errors())

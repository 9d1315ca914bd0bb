"""docs/library.md is a reference: written from the docstrings, and complete."""

import ast
import re

import safelight
from support import reference


def test_reference_is_that_of_the_docstrings() -> None:
    page = reference.PAGE.read_text()
    assert page == reference.update(page), "run make fix"


def test_snippets_of_the_guide_are_python() -> None:
    guide = reference.PAGE.read_text().partition("## Reference\n")[0]
    snippets = re.findall(r"^```python\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE)
    assert len(snippets) > 5
    for snippet in snippets:
        compile(snippet, "library.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_names_of_the_library_in_the_guide_exist() -> None:
    guide = reference.PAGE.read_text().partition("## Reference\n")[0]
    names = set(re.findall(r"\blibrary\.(\w+)\(", guide))
    assert len(names) > 5
    assert names - {"run"} <= reference.public_methods()  # that is of SyncLibrary


def test_each_public_method_of_a_library_is_in_the_reference() -> None:
    listed = {name for names in reference.METHODS.values() for name in names}
    assert reference.public_methods() - set(reference.INTERNAL) == listed


def test_each_error_is_in_the_reference_with_its_status() -> None:
    text = reference.render()
    assert "| `TooLarge`, under `Invalid` | 413 | `too_large` |" in text
    assert all(f"| `{kind.__name__}`" in text for kind in safelight.errors.client_errors())

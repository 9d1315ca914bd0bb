"""Rules of the layout, which docs/decisions/0013-layout-and-names.md explains."""

import re
import tomllib
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "safelight"
MODULES = sorted(PACKAGE.rglob("*.py"))
FRONTEND = ROOT / "frontend"
FRONTEND_MODULES = [
    path
    for folder in ("src", "tests")
    for path in sorted((FRONTEND / folder).rglob("*.ts*"))
    if path.name != "api.gen.ts" and path.parent.name != "languages"
]
MAX_LINES = 300
MAX_FILES = 14
MAX_NOQA = 39

SAME_NAME: dict[str, str] = {}
"""Public class names that occur twice, with the reason."""
LARGER_FOLDERS: dict[str, str] = {
    "catalog/migrations/versions": "a chain, which only grows",
}
"""Folders with more than MAX_FILES modules, with the reason."""


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def test_no_two_public_classes_have_the_same_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in MODULES:
        for name in re.findall(r"^class ([^\W_]\w*)", path.read_text(), re.MULTILINE):
            places[name].append(_name(path))
    assert len(places) > 300
    twice = {name: paths for name, paths in places.items() if len(paths) > 1}
    assert twice.keys() == SAME_NAME.keys(), twice


def _long(modules: list[Path]) -> list[str]:
    return [str(path) for path in modules if len(path.read_text().splitlines()) > MAX_LINES]


def test_modules_are_short() -> None:
    assert len(MODULES) > 300
    assert len(FRONTEND_MODULES) > 50
    assert _long([*MODULES, *FRONTEND_MODULES]) == []


def test_folders_are_small() -> None:
    counts: dict[str, int] = defaultdict(int)
    for path in MODULES:
        counts[_name(path.parent)] += path.name != "__init__.py"
    large = {folder: count for folder, count in counts.items() if count > MAX_FILES}
    assert large.keys() == LARGER_FOLDERS.keys(), large


def test_few_lint_rules_are_suppressed() -> None:
    lines = [line for path in MODULES for line in path.read_text().splitlines()]
    assert sum("# noqa" in line for line in lines) <= MAX_NOQA


def test_every_suppression_has_a_reason() -> None:
    bare = [
        f"{_name(path)}:{number}"
        for path in MODULES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if "# noqa" in line and not line.partition("# noqa: ")[2].partition(" ")[2].strip()
    ]
    assert bare == []


def test_documented_layers_are_the_enforced_ones() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    (enforced,) = (each["layers"] for each in contracts if each["type"] == "layers")
    table = (ROOT / "docs" / "architecture.md").read_text().partition("| layer |")[2]
    rows = table.partition("\n\n")[0].splitlines()[2:]
    documented = [re.findall(r"`(\w+)`", row.split("|")[1]) for row in rows]
    assert documented == [re.findall(r"\w+", layer) for layer in enforced]

"""Links and names in the documentation exist."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "safelight"
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
FOLDERS = ("src", "tests", "frontend/src")
FILE = re.compile(r"[\w./-]+\.(?:py|ts|tsx|md|html|css|service|yaml|sql)")
FOLDER = re.compile(r"[\w.-]+(?:/[\w.-]+)*/")
DOTTED = re.compile(r"safelight(?:\.\w+)+")
MEMBER = re.compile(r"([A-Z]\w+)\.(\w+)(?:\(.*\))?", re.DOTALL)
CLASS = re.compile(r"^class (\w+)[^(:]*(?:\(([^)]*)\))?:\n((?:[ \t]+.*\n|\n)*)", re.MULTILINE)

NOT_IN_THE_REPOSITORY = {
    "upload.py": "the reader's own program",
    "/api/uploader.d.ts": "a path of the service",
    "photos/": "a prefix in the bucket",
    "incoming/": "a prefix in the bucket",
    "quarantine/": "a prefix in the bucket",
    "secrets/": "in the data directory",
    "safelight-data/": "the data directory",
    "/etc/traefik/traefik.yaml": "of Traefik",
    "/etc/traefik/safelight.yaml": "of Traefik",
    "safelight.request_id": "an attribute of spans",
    "safelight.security": "a logger",
}


@cache
def _prose(path: Path) -> str:
    """Return a document without its code blocks."""
    return re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)


def _names(path: Path) -> Iterator[str]:
    """Yield what is in backticks."""
    yield from re.findall(r"`([^`\n]+)`", _prose(path))


@cache
def _anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", _prose(path), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@cache
def _members() -> dict[str, set[str]]:
    """Return the names in each class of the package: methods, fields and attributes of self."""
    members: dict[str, set[str]] = {}
    bases: dict[str, list[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for name, parents, source in CLASS.findall(path.read_text()):
            members.setdefault(name, set()).update(
                re.findall(r"^    (?:async def |def )?(\w+)", source, re.MULTILINE),
                re.findall(r"\bself\.(\w+)(?::[^=\n]+)? =", source),
            )
            bases[name] = re.findall(r"\w+", parents)
    for _ in bases:  # at most as many times as the longest line of ancestors has classes
        before = {name: len(found) for name, found in members.items()}
        for name, parents in bases.items():
            members[name].update(*(members.get(parent, set()) for parent in parents))
        if before == {name: len(found) for name, found in members.items()}:
            break
    return members


def _exists(dotted: str) -> bool:
    """Return whether a dotted name is a module or an attribute of one."""
    module, _, name = dotted.rpartition(".")
    try:
        import_module(dotted)
    except ModuleNotFoundError:
        return bool(module) and hasattr(import_module(module), name)
    return True


def _wrong_links(path: Path) -> list[str]:
    missing = []
    for link in re.findall(r"\]\(([^)\s]+)\)", _prose(path)):
        if link.startswith(("http://", "https://")):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            missing.append(link)
    return missing


def _missing_files(path: Path) -> list[str]:
    missing = []
    for name in _names(path):
        if name in NOT_IN_THE_REPOSITORY or not (FILE.fullmatch(name) or FOLDER.fullmatch(name)):
            continue
        places = [base / name for base in (PACKAGE, ROOT, path.parent)]
        if "/" not in name:
            places += [place for folder in FOLDERS for place in (ROOT / folder).rglob(name)]
        if not any(place.exists() for place in places):
            missing.append(name)
    return missing


def _missing_modules(path: Path) -> list[str]:
    names = set(_names(path)) - set(NOT_IN_THE_REPOSITORY)
    return [name for name in names if DOTTED.fullmatch(name) and not _exists(name)]


def _missing_members(path: Path) -> list[str]:
    if path.name == "CHANGELOG.md":  # it also names what was removed
        return []
    matches = [MEMBER.fullmatch(name) for name in _names(path)]
    return [
        match[0] for match in matches if match and match[2] not in _members().get(match[1], set())
    ]


def _problems(check: Callable[[Path], list[str]]) -> dict[str, list[str]]:
    """Return what a check finds, by document."""
    assert len(DOCUMENTS) > 50
    found = {path.relative_to(ROOT).as_posix(): check(path) for path in DOCUMENTS}
    return {name: problems for name, problems in found.items() if problems}


def test_links_lead_to_files_and_headings() -> None:
    assert _problems(_wrong_links) == {}


def test_files_and_folders_exist() -> None:
    assert _problems(_missing_files) == {}


def test_modules_and_their_attributes_exist() -> None:
    assert _problems(_missing_modules) == {}


def test_members_of_classes_exist() -> None:
    assert _problems(_missing_members) == {}


def test_attributes_of_a_library_exist() -> None:
    """Attribute chains in docs/observing.md, checked class by class."""
    chains = {
        "library.metrics": ["LibraryLifecycle"],
        "library.backends.bucket": ["LibraryLifecycle", "Backends"],
        "library.backends.darkroom": ["LibraryLifecycle", "Backends"],
    }
    named = set(re.findall(r"`(library\.[\w.]+)`", (ROOT / "docs/observing.md").read_text()))
    assert named == set(chains)
    for chain, classes in chains.items():
        for class_, name in zip(classes, chain.split(".")[1:], strict=True):
            assert name in _members()[class_], chain


def _blocks(path: Path, language: str) -> list[str]:
    """Return a document's code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(), re.DOTALL | re.MULTILINE)


def test_the_comparison_uploads_as_the_guide_does() -> None:
    blocks = _blocks(ROOT / "docs/comparison.md", "html")
    assert blocks
    assert set(blocks) <= set(_blocks(ROOT / "docs/library.md", "html"))


def test_the_checks_find_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(
        "[a](gone.md) [b](page.md#nowhere) `library/gone.py` `cli/gone/`"
        " `safelight.gone` `safelight.errors.Gone` `Library.gone`\n"
    )
    assert _wrong_links(path) == ["gone.md", "page.md#nowhere"]
    assert _missing_files(path) == ["library/gone.py", "cli/gone/"]
    assert sorted(_missing_modules(path)) == ["safelight.errors.Gone", "safelight.gone"]
    assert _missing_members(path) == ["Library.gone"]


def test_lines_of_prose_are_at_most_100_characters_long() -> None:
    long = [
        f"{path.name}: {line}"
        for path in DOCUMENTS
        for line in _prose(path).splitlines()
        # Tables can't be wrapped, and benchmarks.md is written by a program.
        if len(line) > 100 and not line.startswith("|") and path.name != "benchmarks.md"
    ]
    assert long == []

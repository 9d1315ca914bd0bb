"""Write the reference in docs/library.md from signatures and docstrings.

``make fix`` does it. The source is read, not imported: annotations stay as they are written there.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from safelight import errors

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "library.md"
SOURCE = ROOT / "src" / "safelight"

METHODS = {
    "Start and close": (
        "from_settings",
        "lifespan",
        "start",
        "close",
        "ready",
        "engine",
        "database_url",
    ),
    "Add and list": ("add", "list_photos", "photo", "photos", "months", "count_changes"),
    "Adopt": ("adopt",),
    "Albums": (
        *("albums", "album", "create_album", "edit_album", "delete_album"),
        *("add_to_album", "remove_from_album", "move_in_album"),
    ),
    "Change": ("edit", "set_dates", "shift_dates", "rotate"),
    "Rows of yours": ("photo_column",),
    "Trash": (
        *("trash", "trash_many", "restore", "restore_many", "list_trash", "deletes_at"),
        *("empty_trash", "revoke_links"),
    ),
    "Delete": ("delete", "delete_many", "delete_owner", "unattached"),
    "Hooks": ("on_added", "on_deleted"),
    "Downloads": ("create_download", "open_download"),
    "Links": ("link", "rendition", "download_link"),
    "HTML": ("srcset", "picture", "jinja_filters"),
    "Upkeep": (
        *("render", "render_missing", "prune_renditions", "reinspect", "reinspect_outdated"),
    ),
}
"""The methods of `Library`, by heading."""
INTERNAL = {
    "page": "for the API, which caches photos by id and version",
    "trash_page": "the same of the trash",
    "count_trash": "for the gallery, which needs the number of photos before the first page",
    "trashed_photos": "for the API, which caches photos in the trash too",
    "photo_links": "for the API, which signs all links of a photo at once",
    "metrics": "for /metrics",
    "using": "for the fixtures of safelight.testing",
}
"""Public methods of the class that are not part of the public API, with the reason."""

PARTS = {"uploads": "library/uploads/direct_uploads.py", "jobs": "library/jobs.py"}
FUNCTIONS = {
    "photo_router": "web/api/photos.py",
    "add_error_handlers": "web/problems.py",
    "create_app": "web/app.py",
    "include_name": "alembic/__init__.py",
}
VALUES = {
    "Photo": "models.py",
    "ImageFacts": "models.py",
    "Details": "models.py",
    "Rendition": "models.py",
    "Caption": "models.py",
    "AddResult": "library/results.py",
    "PhotoPage": "library/results.py",
    "Month": "catalog/paging.py",
    "Album": "catalog/albums/albums.py",
    "BulkResult": "models.py",
    "JobBatch": "library/results.py",
    "Download": "library/results.py",
    "Link": "signing/links.py",
    "StartedUpload": "library/results.py",
    "Upload": "models.py",
    "PresignedRequest": "signing/uploads.py",
    "Order": "models.py",
}

OTHERS = (
    "- `photos_table`: SQLAlchemy's table of photos, for foreign keys to `photos_table.c.id`.",
    "- `OWN_DATE`, in place of a capture time: what the picture, its name or its file says.",
    "- `Settings` and its groups `S3Settings`, `LimitSettings`, `LinkSettings`,",
    "  `RenditionSettings` (with any number of `PresetSettings`) and `UploadSettings`: see",
    "  [settings.md](settings.md). A field has the variable's name in small letters, without",
    "  `SAFELIGHT_`.",
    "- `library.reconciler` compares all rows of all owners with all objects: `async for event in",
    "  library.reconciler.run(ReconcileOptions(apply=True))`, with `ReconcileOptions` from",
    "  `safelight.library.reconcile.findings` ([cli.md](cli.md#reconciling)).",
    "",
    "Everything else is not public: modules, tables and columns may change between versions.",
)


class Documented(NamedTuple):
    """A definition: as code, and its docstring."""

    code: str
    text: str


def render() -> str:
    """Return the reference as Markdown."""
    lines = ["## Reference", "", "### `Library`", "", *_prose(_class("library/library.py").text)]
    methods = {
        node.name: node
        for path in ("library/lifecycle.py", *_files("library/methods"))
        for node in _methods(path)
    }
    for heading, names in METHODS.items():
        lines += [f"#### {heading}", ""]
        for name in names:
            lines += _entry(_function(methods[name], drop_first=True))
    for name, path in PARTS.items():
        lines += [f"### `library.{name}`", "", *_prose(_class(path).text)]
        for node in _methods(path):
            lines += _entry(_function(node, drop_first=True))
    lines += ["### Functions", ""]
    for name, path in FUNCTIONS.items():
        (node,) = (each for each in _functions(path) if each.name == name)
        lines += [f"#### `{name}`", "", *_entry(_function(node))]
    lines += ["### Values", ""]
    for name, path in VALUES.items():
        lines += [f"#### `{name}`", "", *_entry(_value(path, name))]
    lines += ["### Others", "", *OTHERS, "", "### Errors", "", *_errors()]
    return "\n".join(lines).rstrip() + "\n"


def update(page: str) -> str:
    """Return the page with its reference replaced."""
    return page.partition("## Reference\n")[0] + render()


def public_methods() -> set[str]:
    """Return the names of the public methods of `Library`, as the source defines them."""
    paths = ("library/lifecycle.py", *_files("library/methods"))
    return {node.name for path in paths for node in _methods(path)}


def _errors() -> Iterator[str]:
    yield "| class | status | `code` | meaning |"
    yield "| --- | --- | --- | --- |"
    for kind in _tree(errors.SafelightError):
        meaning = (kind.__doc__ or "").split("\n\n")[0].replace("\n    ", " ")
        own = "code" in vars(kind) and kind is not errors.SafelightError
        code = f"`{kind.code}`" if own else ""
        parent = kind.__mro__[1].__name__
        below = f", under `{parent}`" if parent != "Exception" else ""
        yield f"| `{kind.__name__}`{below} | {kind.status if own else ''} | {code} | {meaning} |"


def _tree(kind: type[errors.SafelightError]) -> Iterator[type[errors.SafelightError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)


def _entry(documented: Documented) -> list[str]:
    return ["```python", documented.code, "```", "", *_prose(documented.text)]


def _prose(docstring: str) -> list[str]:
    text = re.sub(r"``([^`]+)``", r"`\1`", ast_clean(docstring))
    return [*text.splitlines(), ""]


def ast_clean(docstring: str) -> str:
    """Return a docstring without its indentation."""
    first, *rest = docstring.splitlines()
    indent = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
    return "\n".join([first, *(line[indent:] for line in rest)]).strip()


def _parse(path: str) -> ast.Module:
    return ast.parse((SOURCE / path).read_text())


def _files(folder: str) -> list[str]:
    return sorted(
        path.relative_to(SOURCE).as_posix()
        for path in (SOURCE / folder).glob("*.py")
        if path.name != "__init__.py"
    )


_Function = ast.FunctionDef | ast.AsyncFunctionDef


def _functions(path: str) -> list[_Function]:
    return [node for node in _parse(path).body if isinstance(node, _Function)]


def _methods(path: str) -> list[_Function]:
    """List the public methods of the classes in a module that have a docstring."""
    return [
        node
        for class_ in _parse(path).body
        if isinstance(class_, ast.ClassDef)
        for node in class_.body
        if isinstance(node, _Function) and not node.name.startswith("_")
    ]


def _class(path: str) -> Documented:
    (node,) = (each for each in _parse(path).body if isinstance(each, ast.ClassDef))
    return Documented(node.name, ast.get_docstring(node, clean=False) or "")


def _function(node: _Function, *, drop_first: bool = False) -> Documented:
    text = ast.get_docstring(node) or ""
    decorators = {ast.unparse(each) for each in node.decorator_list}
    if decorators & {"property", "cached_property"}:
        returns = ast.unparse(node.returns) if node.returns else "None"
        return Documented(f"{node.name}: {_plain(returns)}", text)
    if drop_first:
        node.args.args = node.args.args[1:]
    prefix = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    returns = _plain(ast.unparse(node.returns)) if node.returns else "None"
    if "asynccontextmanager" in decorators:
        prefix, returns = "async with", returns.replace("AsyncIterator[None]", "None")
    code = f"{prefix} {node.name}({', '.join(_arguments(node.args))}) -> {returns}"
    if len(code) > 96:
        inner = "".join(f"    {each},\n" for each in _arguments(node.args))
        code = f"{prefix} {node.name}(\n{inner}) -> {returns}"
    return Documented(code, text)


def _arguments(arguments: ast.arguments) -> Iterator[str]:
    """Yield each argument with its type and default."""
    missing = len(arguments.args) - len(arguments.defaults)
    defaults = [None] * missing + [*arguments.defaults]
    for argument, default in zip(arguments.args, defaults, strict=True):
        yield _argument(argument, default)
    if arguments.kwonlyargs:
        yield "*"
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _argument(argument, default)
    if arguments.kwarg:
        yield f"**{_argument(arguments.kwarg, None)}"


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    text = _plain(ast.unparse(argument))
    return text if default is None else f"{text} = {ast.unparse(default)}"


def _plain(annotation: str) -> str:
    """Return an annotation without the quotes of a forward reference."""
    return re.sub(r"(?<=: )'([A-Z][^']*)'|^'([^']*)'", lambda m: m[1] or m[2], annotation)


def _value(path: str, name: str) -> Documented:
    (node,) = (
        each for each in _parse(path).body if isinstance(each, ast.ClassDef) and each.name == name
    )
    lines = [f"class {name}:"]
    for each in node.body:
        if isinstance(each, ast.AnnAssign | ast.Assign):
            lines.append(f"    {_plain(ast.unparse(each))}")
        elif isinstance(each, _Function) and not each.name.startswith(("_", "from_")):
            shown = _function(each, drop_first=True)
            lines.append(f"    {shown.code}")
    return Documented("\n".join(lines), ast.get_docstring(node) or "")


if __name__ == "__main__":
    PAGE.write_text(update(PAGE.read_text()))

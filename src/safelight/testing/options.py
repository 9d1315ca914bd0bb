"""What an app says about itself in the options of pytest: its library, and its tables."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from safelight.errors import SettingsError, UsageError

if TYPE_CHECKING:
    from safelight.library import Library

LIBRARY = "safelight_library"
TABLES = "safelight_tables"


def add_options(parser: pytest.Parser) -> None:
    """Add the options of pytest's configuration file."""
    parser.addini(LIBRARY, "Your app's library, as 'module:name'.")
    parser.addini(
        TABLES,
        "Your own tables: 'module:Base.metadata', a function that takes the URL of a database as"
        " 'module:name', or the file of your Alembic, as 'alembic.ini'.",
    )


def configured_library(config: pytest.Config) -> "Library | None":
    """Return the library in the options, if there is one."""
    from safelight.library import Library
    from safelight.library.sync import SyncLibrary

    name = config.getini(LIBRARY)
    if not name:
        return None
    found = _load(LIBRARY, name)
    found = found.library if isinstance(found, SyncLibrary) else found
    if not isinstance(found, Library):
        raise SettingsError(f"{LIBRARY} = {name!r} is not a Library or a SyncLibrary.")
    return found


@contextmanager
def refusing_others(library: "Library") -> Iterator[None]:
    """Refuse to start another library before this one: it would be the app's, with real photos."""
    from safelight.library.lifecycle import LibraryLifecycle

    start = LibraryLifecycle.start

    async def start_own(started: LibraryLifecycle) -> None:
        if started is not library and "backends" not in vars(library):
            raise UsageError(
                "The app starts another library than the test's, with the app's own database and"
                f" bucket. Name it in pytest's option: {LIBRARY} = 'module:name'."
            )
        await start(started)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LibraryLifecycle, "start", start_own)
        yield


def configured_tables(config: pytest.Config) -> Callable[[str], object] | None:
    """Return the function that creates the tables in the options, if there are any."""
    from sqlalchemy import MetaData, NullPool, create_engine

    name = config.getini(TABLES)
    if not name:
        return None
    if name.endswith(".ini"):
        return lambda url: _upgrade(config.rootpath / name, url)
    found = _load(TABLES, name)
    if callable(found):
        create: Callable[[str], object] = found
        return create
    if not isinstance(found, MetaData):
        raise SettingsError(f"{TABLES} = {name!r} is neither a MetaData nor a function.")
    return lambda url: found.create_all(create_engine(url, poolclass=NullPool))


def _load(option: str, name: str) -> Any:
    module, _, attributes = name.partition(":")
    try:
        found: Any = import_module(module)
        for attribute in attributes.split("."):
            found = getattr(found, attribute)
    except (ModuleNotFoundError, AttributeError, ValueError) as error:
        raise SettingsError(
            f"{option} = {name!r} can't be found ({error}): write 'module:name', and set"
            " pytest's pythonpath if the module is in a folder."
        ) from error
    return found


def _upgrade(file: Path, url: str) -> None:
    """Run the app's own migrations, in its folder."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import NullPool, create_engine, inspect

    config = Config(file, attributes={"url": url})
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    before = Path.cwd()
    os.chdir(file.parent)
    try:
        command.upgrade(config, "head")
    finally:
        os.chdir(before)
    if not inspect(create_engine(url, poolclass=NullPool)).has_table("alembic_version"):
        raise SettingsError(
            f"The migrations of {file} were not run in the database for tests: in env.py, take the"
            ' URL from context.config.attributes["url"], if it is there.'
        )

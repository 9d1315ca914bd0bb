"""For a host application whose own Alembic works in the same database as Safelight.

In its ``env.py``::

    from safelight.alembic import include_name

    context.configure(..., include_name=include_name)
"""

from collections.abc import Mapping
from typing import Any

_PREFIXES = ("safelight_", "procrastinate_")
"""Of the names of all tables of Safelight, and of its job queue."""


def include_name(name: str | None, type_: str, parent_names: Mapping[Any, str | None]) -> bool:
    """Return whether Alembic should compare a name in the database with your models.

    It is false for Safelight's tables, which `safelight db upgrade` creates and changes. Without
    it, ``alembic revision --autogenerate`` proposes to drop them, and so all photos. If you have a
    filter of your own, use both: ``mine(*args) and include_name(*args)``.
    """
    table = name if type_ == "table" else parent_names.get("table_name")
    return table is None or not table.startswith(_PREFIXES)

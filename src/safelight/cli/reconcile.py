"""``safelight reconcile``: has a running server compare its rows with its objects."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from safelight.cli.client import Client
from safelight.cli.client_settings import ClientSettings
from safelight.cli.progress import on_stderr
from safelight.cli.terminal import complain, is_watched, plain, say
from safelight.errors import InvalidRequest

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600}
_SPAN: Final = re.compile(r"([0-9]{1,7})([smhd]?)")
_KEYS: Final = ("kind", "key", "photo", "size", "mended", "detail")
_BEYOND_REPAIR: Final = ("lost", "damaged")

Told = dict[str, Any]


def reconcile(
    settings: ClientSettings, asked: Mapping[str, bool], *, grace: str, as_json: bool
) -> int:
    """Print what differs as it is found; gives the exit code, which is 1 if photos are lost."""
    query = {name: str(value).lower() for name, value in asked.items()}
    query |= {"grace": str(_seconds(grace))}
    tally: Told = {}
    opening = '{"findings": [\n  '
    with Client(settings) as client, _progress() as progress:
        told = client.reconcile(query)
        for finding in _findings(told, tally, progress):
            say(f"{opening}{json.dumps(finding)}" if as_json else _row(finding))
            opening = ", "
    if as_json:
        say(f'{opening if opening[0] == "{" else ""}], "tally": {json.dumps(tally)}}}')
    complain(_summary(tally, applied=asked["apply"]))
    return 1 if any(tally.get("found", {}).get(kind) for kind in _BEYOND_REPAIR) else 0


def _row(finding: Told) -> str:
    shown = finding | {"mended": "yes" if finding.get("mended") else "no"}
    return "\t".join(plain("" if shown.get(key) is None else shown[key]) for key in _KEYS)


def _findings(told: Iterator[Told], tally: Told, progress: "_Progress") -> Iterator[Told]:
    """Give the findings alone; `tally` becomes the last one."""
    for each in told:
        if each.get("tally"):
            tally.clear()
            tally.update(each["tally"])
            progress.show(tally)
        elif each.get("finding"):
            yield each["finding"]


def _summary(tally: Told, *, applied: bool) -> str:
    found: dict[str, int] = tally.get("found", {})
    mended = sum(tally.get("mended", {}).values())
    rows, objects = (_many(tally.get(f"{each}s", 0), each) for each in ("row", "object"))
    seen = f"{rows} and {objects} were looked at"
    if not found:
        return f"{seen}: nothing is wrong."
    differ = ", ".join(f"{count} {plain(kind)}" for kind, count in found.items())
    if applied:
        return f"{seen}: {differ}; {mended} put right."
    return f"{seen}: {differ}. Nothing was changed; --apply puts right what can be."


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _seconds(grace: str) -> int:
    found = _SPAN.fullmatch(grace)
    if found is None:
        raise InvalidRequest("Give --grace as a number with s, m, h or d, as in 36h.")
    return int(found[1]) * _UNITS[found[2] or "s"]


class _Progress:
    """How far it is; this one shows nothing."""

    def show(self, tally: Told) -> None:
        """Show it."""


@contextmanager
def _progress() -> Iterator[_Progress]:
    if not is_watched():
        yield _Progress()
        return
    from rich.progress import SpinnerColumn, TextColumn  # noqa: PLC0415  takes long to import

    with on_stderr(SpinnerColumn(), TextColumn("{task.description}")) as bar:
        task = bar.add_task("looking")

        class Shown(_Progress):
            def show(self, tally: Told) -> None:
                read = f", {tally['bytes'] / 1e6:.0f} MB read" if tally.get("bytes") else ""
                seen = f"{tally['rows']} rows, {tally['objects']} objects{read}"
                bar.update(task, description=plain(seen))

        yield Shown()

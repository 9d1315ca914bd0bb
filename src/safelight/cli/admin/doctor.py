"""``safelight doctor``: find out what is wrong with an installation."""

import os
from typing import TYPE_CHECKING, Annotated

from safelight.cli.options import option
from safelight.errors import SettingsError
from safelight.terminal import print_json, print_result, sanitize

if TYPE_CHECKING:
    from safelight.storage import CheckResult


def doctor(*, json: Annotated[bool, option("Print a JSON list of all checks.")] = False) -> int:
    """Check the settings, the machine, the database and the store.

    Each check is one line: ok, note, warning or failure, and what to do. Embedded
    engines that aren't running are started meanwhile. Fails if any check fails.

    Example: safelight doctor
    """
    import asyncio

    return asyncio.run(_examine(as_json=json))


async def _examine(*, as_json: bool) -> int:
    from safelight.doctor import examine, settings_failure
    from safelight.settings.environment import read_settings
    from safelight.storage import CheckOutcome

    results: list[CheckResult] = []

    def add(result: "CheckResult") -> None:
        results.append(result)
        if not as_json:
            print_result(_format(result))

    try:
        settings = read_settings()
    except SettingsError as error:
        add(settings_failure(error))
    else:
        async for result in examine(settings, os.environ):
            add(result)
    if as_json:
        print_json(
            [
                {
                    "check": each.check,
                    "outcome": str(each.outcome),
                    "message": each.message,
                    "response": each.response,
                }
                for each in results
            ],
            indent=2,
        )
    failures = sum(each.outcome is CheckOutcome.FAILURE for each in results)
    warnings = sum(each.outcome is CheckOutcome.WARNING for each in results)
    if not as_json:
        print_result(_summary(failures, warnings))
    return 1 if failures else 0


def _format(result: "CheckResult") -> str:
    response = f" The response: {result.response}" if result.response else ""
    text = f"{result.outcome:8} {result.check}"
    return sanitize(f"{text}: {result.message}{response}" if result.message else text)


def _summary(failures: int, warnings: int) -> str:
    if not failures and not warnings:
        return "Everything is fine."
    counted = [
        f"{count} {noun}{'s' if count > 1 else ''}"
        for count, noun in ((failures, "failure"), (warnings, "warning"))
        if count
    ]
    return f"{' and '.join(counted)}. Start with the first line that is not ok."

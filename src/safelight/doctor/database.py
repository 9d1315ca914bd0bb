"""Checks of PostgreSQL and the schema."""

from collections.abc import Iterator
from typing import Final

from safelight.catalog import Catalog, DatabaseFacts, describe_other_bucket
from safelight.errors import SafelightError
from safelight.storage import CheckOutcome, CheckResult

_OLDEST: Final = 14
"""The oldest major version that its makers maintain, and whose functions we use."""
_PER_PROCESS: Final = 17
"""Connections of one `safelight serve`: ten for requests, seven for jobs."""


async def check_database(url: str, bucket: str) -> list[CheckResult]:
    """Connect as the service does, and check what it depends on."""
    try:
        catalog = Catalog(url)
    except SafelightError as error:
        return [_result("database", CheckOutcome.FAILURE, str(error))]
    try:
        facts = await catalog.facts()
    except SafelightError as error:
        return [_result("database", CheckOutcome.FAILURE, str(error))]
    finally:
        await catalog.close()
    return list(judge(facts, bucket))


def judge(facts: DatabaseFacts, bucket: str) -> Iterator[CheckResult]:
    """Yield the results that follow from the facts; `bucket` is that of the settings."""
    if facts.major < _OLDEST:
        yield _result(
            "database",
            CheckOutcome.FAILURE,
            f"PostgreSQL {facts.version} is too old. Use version {_OLDEST} or newer.",
        )
    else:
        yield _result("database", CheckOutcome.OK, f"PostgreSQL {facts.version}")
    yield _check_writes(facts)
    yield _check_privileges(facts)
    yield _check_schema(facts)
    if facts.bucket not in {None, bucket}:
        message = describe_other_bucket(str(facts.bucket), bucket)
        yield _result("database: bucket", CheckOutcome.FAILURE, message)
    yield _check_connections(facts)


def _check_writes(facts: DatabaseFacts) -> CheckResult:
    if facts.is_standby:
        return _result(
            "database: writes",
            CheckOutcome.FAILURE,
            "SAFELIGHT_DATABASE_URL leads to a standby, which is read-only. Put the primary there,"
            " or all servers: postgresql://USER@HOST,HOST/NAME.",
        )
    if facts.is_read_only:
        return _result(
            "database: writes",
            CheckOutcome.FAILURE,
            "The database is read-only for this user (default_transaction_read_only). Reset that"
            " for the database or the user.",
        )
    return _result("database: writes")


def _check_privileges(facts: DatabaseFacts) -> CheckResult:
    if facts.schema is None:
        return _result(
            "database: privileges",
            CheckOutcome.FAILURE,
            "No schema of the search path exists. Create it (CREATE SCHEMA), or correct search_path"
            " in SAFELIGHT_DATABASE_URL.",
        )
    if not facts.can_create:
        return _result(
            "database: privileges",
            CheckOutcome.FAILURE,
            f"The user can't create tables in the schema {facts.schema}. Make it the owner of the"
            f" database, or GRANT CREATE, USAGE ON SCHEMA {facts.schema} to it.",
        )
    return _result("database: privileges")


def _check_schema(facts: DatabaseFacts) -> CheckResult:
    if facts.revision == facts.newest:
        return _result("database: migrations", CheckOutcome.OK, f"at {facts.revision}")
    if facts.revision is None:
        return _result(
            "database: migrations", CheckOutcome.OK, "The first start creates the tables."
        )
    if facts.newest is not None and facts.revision > facts.newest:
        return _result(
            "database: migrations",
            CheckOutcome.FAILURE,
            f"A newer Safelight upgraded the database to {facts.revision}. Start that version, or"
            " restore a backup made with this one.",
        )
    return _result(
        "database: migrations",
        CheckOutcome.WARNING,
        f"The schema is at {facts.revision} and needs {facts.newest}. The next start upgrades it,"
        " and so does 'safelight db upgrade'.",
    )


def _check_connections(facts: DatabaseFacts) -> CheckResult:
    limits = [facts.connections, *([facts.role_connections] if facts.role_connections >= 0 else [])]
    limit = min(limits)
    text = f"{facts.used} of {limit} connections are open"
    if limit < _PER_PROCESS:
        return _result(
            "database: connections",
            CheckOutcome.WARNING,
            f"{text}, and one process needs up to {_PER_PROCESS}. Raise max_connections or the"
            " user's limit.",
        )
    if limit - facts.used < _PER_PROCESS:
        return _result(
            "database: connections",
            CheckOutcome.WARNING,
            f"{text}; another process may need {_PER_PROCESS}. Raise max_connections, or close"
            " what isn't needed.",
        )
    return _result("database: connections", CheckOutcome.OK, text)


def _result(check: str, outcome: CheckOutcome = CheckOutcome.OK, message: str = "") -> CheckResult:
    return CheckResult(check=check, outcome=outcome, message=message)

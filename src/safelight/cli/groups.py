"""The commands that come in groups: of the token, the bucket, the jobs and the database."""

import os
from typing import Annotated, Final

from cyclopts import App, Parameter

from safelight.cli.environment import client_settings, read_settings

# As in app.py: `safelight --help` must not wait for what the commands need.
# ruff: noqa: PLC0415

db = App(name="db", help="The database.")
bucket = App(name="bucket", help="The bucket: what it is told, and the embedded one's keys.")
jobs = App(name="jobs", help="What a running server, or its workers, have still to do.")
token = App(name="token", help="The token that lets in, as the data directory keeps it.")

GROUPS: Final = (db, bucket, jobs, token)
"""All of them."""


def option(text: str) -> Parameter:
    """Describe an option whose default says nothing."""
    return Parameter(help=text, show_default=False)


@db.command
def upgrade() -> None:
    """Bring the schema of the database to its newest version.

    It is the one at SAFELIGHT_DATABASE_URL. `serve` does so by itself; this is
    for those who want it done before.

    Example: SAFELIGHT_DATABASE_URL=postgresql://… safelight db upgrade
    """
    from safelight.cli.database import upgrade_schema

    upgrade_schema(read_settings())


@jobs.default
def list_(*, json: Annotated[bool, option("Give the API's own object.")] = False) -> None:
    """List the jobs that wait, are late, run, or have failed.

    A line for each, with tabs between id, task, state, tries, when something
    happened to it last, and when it is due; their numbers on stderr.

    Example: safelight jobs
    """
    from safelight.cli.jobs import list_jobs

    list_jobs(client_settings(), as_json=json)


@jobs.command(usage="Usage: safelight jobs retry [ID…]")
def retry(
    ids: Annotated[
        list[str] | None, Parameter(name="ID", help="Those, by their numbers. None: all.")
    ] = None,
    /,
) -> int:
    """Repeat jobs that have failed.

    Example: safelight jobs retry
    """
    from safelight.cli.jobs import retry_jobs

    return retry_jobs(client_settings(), ids or [])


@token.command
def show() -> None:
    """Print the token in the data directory.

    Example: safelight token show
    """
    from safelight.cli.token import show_token

    show_token(os.environ)


@token.command
def rotate() -> None:
    """Put a new token in the place of the one in the data directory.

    Then the old one lets nobody in any more, and all sessions end.

    Example: safelight token rotate
    """
    from safelight.cli.token import rotate_token

    rotate_token(os.environ)


@token.command
def sessions(
    *,
    revoke: Annotated[
        list[str] | None, Parameter(name="--revoke", help="End these, by their numbers.")
    ] = None,
    json: Annotated[bool, option("Give the API's own array.")] = False,
) -> int:
    """List the browsers that are signed in, or sign some of them out.

    Example: safelight token sessions
    """
    from safelight.cli.sessions import list_sessions, revoke_sessions

    if revoke:
        return revoke_sessions(client_settings(), revoke)
    list_sessions(client_settings(), as_json=json)
    return 0


@bucket.command
def setup(
    *,
    dry_run: Annotated[bool, option("Tell what would be changed, and change nothing.")] = False,
    print_policy: Annotated[
        bool, option("Print what the service's keys must be allowed, as an IAM policy.")
    ] = False,
) -> None:
    """Tell a bucket which pages may use it, and to clear uploads left for a day.

    It is the one at SAFELIGHT_S3__ENDPOINT_URL; other rules in it stay. Public
    access is blocked if the store can do so. `serve` sets the embedded one up.

    Example: safelight bucket setup --print-policy
    """
    from safelight.cli.bucket_setup import print_policy as show
    from safelight.cli.bucket_setup import setup as run

    if print_policy:
        show(read_settings())
    else:
        run(read_settings(), dry_run=dry_run)


@bucket.command(name="rotate")
def rotate_keys() -> None:
    """Give the embedded photo store new keys: every link given out dies.

    The server must be stopped; its next start takes the new keys.

    Example: safelight bucket rotate
    """
    from safelight.cli.bucket import rotate as run

    run(os.environ)

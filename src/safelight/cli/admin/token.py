"""``safelight token``: the access token, and the sessions of signed-in browsers."""

import os
from typing import Annotated, Final

from cyclopts import App, Parameter

from safelight import token_file
from safelight.cli.by_id import run_for_ids
from safelight.cli.options import option
from safelight.client.settings import client_settings
from safelight.environment import read_variable
from safelight.errors import SettingsError
from safelight.terminal import print_json, print_note, print_result, sanitize

app = App(name="token", help="Show or rotate the access token.")

_SESSION_COLUMNS: Final = ("id", "created_at", "seen_at", "address", "browser")


@app.command
def show() -> None:
    """Print the access token in the data directory.

    Example: safelight token show
    """
    file = token_file.data_directory(os.environ) / token_file.TOKEN_FILE
    token = token_file.read_token(file)
    if not token:
        raise SettingsError(
            f"There is no token in {file}: start 'safelight serve' once, or set SAFELIGHT_DATA_DIR"
            " to its data directory."
        )
    print_result(token)
    if read_variable(os.environ, "SAFELIGHT_TOKEN"):
        print_note("A server with SAFELIGHT_TOKEN set uses that token instead.")


@app.command
def rotate() -> None:
    """Replace the access token in the data directory.

    The old token stops working, and all browsers are signed out.

    Example: safelight token rotate
    """
    directory = token_file.data_directory(os.environ)
    if read_variable(os.environ, "SAFELIGHT_TOKEN"):
        raise SettingsError(
            "SAFELIGHT_TOKEN sets the token: change it there, then restart the server."
        )
    if not directory.is_dir():
        raise SettingsError(
            f"There is no data directory {directory}: set SAFELIGHT_DATA_DIR to the server's."
        )
    file = directory / token_file.TOKEN_FILE
    token_file.rotate(file)
    print_result(f"Stored a new token in {file}. 'safelight token show' prints it.")
    print_result("The old token no longer works, and all browsers are signed out.")


@app.command
def sessions(
    *,
    revoke: Annotated[
        list[str] | None, Parameter(name="--revoke", help="Sign out this session, by its number.")
    ] = None,
    json: Annotated[bool, option("Print the API's JSON array.")] = False,
) -> int:
    """List signed-in browsers, or sign some out.

    Prints a line per session, last used first, with tabs between id, sign-in
    time, time of last use, address and browser.

    Example: safelight token sessions
    """
    from safelight.client.api import Client

    with Client(client_settings()) as client:
        if not revoke:
            _print_sessions(client.sessions(), as_json=json)
            return 0
        return run_for_ids(revoke, client.end_session, noun="session", done="ended")


def _print_sessions(found: list[dict[str, object]], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    for session in found:
        print_result("\t".join(sanitize(session.get(key, "")) for key in _SESSION_COLUMNS))
    if not found:
        print_note("No browser is signed in.")

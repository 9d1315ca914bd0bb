"""``safelight token sessions``: which browsers are signed in."""

import json

from safelight.cli.client import Client
from safelight.cli.client_settings import ClientSettings
from safelight.cli.terminal import complain, plain, say
from safelight.errors import NotFound

_KEYS = ("id", "created_at", "seen_at", "address", "browser")


def list_sessions(settings: ClientSettings, *, as_json: bool) -> None:
    """Print a line for each session, the last used first, with tabs between its members."""
    with Client(settings) as client:
        sessions = client.sessions()
    if as_json:
        say(json.dumps(sessions))
        return
    for session in sessions:
        say("\t".join(plain(session.get(key, "")) for key in _KEYS))
    if not sessions:
        complain("No browser is signed in.")


def revoke_sessions(settings: ClientSettings, ids: list[str]) -> int:
    """End sessions; gives the exit code."""
    missing = 0
    with Client(settings) as client:
        for id_ in ids:
            try:
                client.end_session(id_)
            except NotFound:
                complain(f"There is no session {id_}.")
                missing += 1
            else:
                say(f"ended  {id_}")
    return 1 if missing else 0

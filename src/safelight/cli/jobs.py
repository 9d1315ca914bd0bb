"""``safelight jobs``: what is still to be done, what has failed, and to do that again."""

import json

from safelight.cli.client import Client
from safelight.cli.client_settings import ClientSettings
from safelight.cli.terminal import complain, plain, say
from safelight.errors import NotFound

_STATES = ("waiting", "late", "running", "failed")
_KEYS = ("id", "task", "state", "attempts", "at", "due_at")


def list_jobs(settings: ClientSettings, *, as_json: bool) -> None:
    """Print how many jobs there are on stderr, and a line for each, with tabs between."""
    with Client(settings) as client:
        jobs = client.jobs()
    if as_json:
        say(json.dumps(jobs))
        return
    for job in jobs["oldest"]:
        say("\t".join(plain(job.get(key) or "") for key in _KEYS))
    complain(", ".join(f"{plain(jobs.get(state, 0))} {state}" for state in _STATES) + ".")


def retry_jobs(settings: ClientSettings, ids: list[str]) -> int:
    """Repeat failed jobs, all of them if none is named; gives the exit code."""
    missing = 0
    with Client(settings) as client:
        for id_ in ids:
            try:
                client.retry_job(id_)
            except NotFound:
                complain(f"There is no job {id_} that has failed.")
                missing += 1
            else:
                say(f"repeated  {id_}")
        for each in [] if ids else client.retry_jobs():
            say(f"repeated  {plain(each)}")
    return 1 if missing else 0

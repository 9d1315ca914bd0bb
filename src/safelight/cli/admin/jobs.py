"""``safelight jobs``: list background jobs, and retry failed ones."""

from typing import Annotated, Final

from cyclopts import App, Parameter

from safelight.cli.options import option
from safelight.client.settings import client_settings
from safelight.errors import NotFound
from safelight.terminal import print_json, print_note, print_result, sanitize

app = App(name="jobs")

_STATES: Final = ("waiting", "late", "running", "failed")
_COLUMNS: Final = ("id", "task", "state", "attempts", "at", "due_at")


@app.default
def list_(*, json: Annotated[bool, option("Print the API's JSON object.")] = False) -> None:
    """List background jobs: waiting, late, running and failed.

    Prints a line per job, with tabs between id, task, state, attempts, time of
    the last change and due time. The counts go to stderr.

    Example: safelight jobs
    """
    from safelight.client.api import Client

    with Client(client_settings()) as client:
        found = client.jobs()
    if json:
        print_json(found)
        return
    for job in found["oldest"]:
        print_result("\t".join(sanitize(job.get(key) or "") for key in _COLUMNS))
    print_note(", ".join(f"{sanitize(found.get(state, 0))} {state}" for state in _STATES) + ".")


@app.command(usage="Usage: safelight jobs retry [ID…]")
def retry(
    ids: Annotated[
        list[str] | None, Parameter(name="ID", help="The jobs' numbers. Default: all failed jobs.")
    ] = None,
    /,
) -> int:
    """Retry failed jobs.

    Example: safelight jobs retry
    """
    from safelight.client.api import Client

    missing = 0
    with Client(client_settings()) as client:
        for id_ in ids or []:
            try:
                client.retry_job(id_)
            except NotFound:
                print_note(f"There is no failed job {id_}.")
                missing += 1
            else:
                print_result(f"retried  {id_}")
        for job in [] if ids else client.retry_jobs():
            print_result(f"retried  {sanitize(job)}")
    return 1 if missing else 0

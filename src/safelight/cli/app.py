"""The commands, and how they fail: in one line that says what to do."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

import safelight
from safelight.cli.environment import client_settings, read_settings
from safelight.cli.groups import GROUPS, option
from safelight.cli.terminal import complain, leave_pipe, prepare, say
from safelight.errors import OperatorError, SafelightError

# What a command needs beside this is imported in it: `safelight --help` must not wait for all.
# ruff: noqa: PLC0415

app = App(
    name="safelight",
    help="People's photos in a private S3 bucket, given back through links that expire.",
    help_format="plaintext",
    version=safelight.__version__,
    default_parameter=Parameter(negative=()),
    result_action="return_int_as_exit_code_else_zero",
    exit_on_error=False,
    print_error=False,
)
for group in GROUPS:
    app.command(group)

_MOST_JOBS = 64
_ID = "The photo's number, as `safelight ls` shows it."


def _at_least_one(_kind: object, value: int | None) -> None:
    if value is not None and value < 1:
        raise ValueError("It must be 1 or more.")


def _a_few(_kind: object, value: int) -> None:
    if not 1 <= value <= _MOST_JOBS:
        raise ValueError(f"It must be 1 to {_MOST_JOBS}.")


_JOBS = 4
_Jobs = Annotated[int, Parameter(help="How many files are on their way at once.", validator=_a_few)]


@app.command
def serve(
    *, no_worker: Annotated[bool, option("Leave the jobs to 'safelight worker'.")] = False
) -> None:
    """Serve the gallery and the API until Ctrl-C.

    Settings come from the environment; docs/settings.md names them all. With
    nothing configured it starts PostgreSQL and SeaweedFS under ./safelight-data.

    Example: SAFELIGHT_PORT=9000 safelight serve
    """
    from safelight.cli.serve import run

    run(read_settings(), worker=not no_worker)


@app.command
def worker() -> None:
    """Do the jobs of servers that share a database, until Ctrl-C.

    Any number may run, on any machine with the servers' settings. A server does
    jobs too, unless it was started with --no-worker.

    Example: safelight worker
    """
    from safelight.cli.worker import run

    run(read_settings())


@app.command(usage="Usage: safelight upload [OPTIONS] FILE…")
def upload(
    files: Annotated[list[Path], Parameter(name="FILE", help="The photos.")],
    /,
    *,
    title: Annotated[str, option("Their title.")] = "",
    description: Annotated[str, option("What is to be said of them.")] = "",
    jobs: _Jobs = _JOBS,
    json: Annotated[bool, option("Tell the outcomes as a JSON array.")] = False,
) -> int:
    """Upload photos to a running server, straight to its bucket.

    Each file's outcome is told in a line: added, already there, or why it can't
    be taken. A server that is busy is asked again a few times.

    Example: safelight upload --title "By the sea" beach.jpg
    """
    from safelight.cli.upload import upload as run

    return run(
        client_settings(), files, title=title, description=description, jobs=jobs, as_json=json
    )


@app.command(name="import", usage="Usage: safelight import [OPTIONS] DIR…")
def import_(
    places: Annotated[list[Path], Parameter(name="DIR", help="The folders.")],
    /,
    *,
    jobs: _Jobs = _JOBS,
    dry_run: Annotated[bool, option("Tell what would be sent, and send nothing.")] = False,
    json: Annotated[bool, option("Tell the outcomes as a JSON array.")] = False,
) -> int:
    """Upload all photos in folders, and in the folders in them.

    What is there already is not sent again: after a break, run it once more. What is
    hidden is left out, and links to folders aren't followed.

    Example: safelight import --dry-run holidays
    """
    from safelight.cli.folder_import import import_folders

    return import_folders(client_settings(), places, jobs=jobs, dry_run=dry_run, as_json=json)


@app.command
def ls(
    *,
    order: Annotated[
        Literal["added", "taken"], Parameter(help="By when they were added, or taken.")
    ] = "added",
    limit: Annotated[
        int | None, Parameter(help="Not more than so many.", validator=_at_least_one)
    ] = None,
    json: Annotated[bool, option("Give the API's own array, of all pages.")] = False,
) -> None:
    """List the photos of a running server, newest first.

    A terminal gets a table; a pipe gets a line for each, with tabs between id,
    when it came, content type, width, height, bytes, file name and title.

    Example: safelight ls --order taken --limit 10
    """
    from safelight.cli.listing import list_photos

    list_photos(client_settings(), order=order, limit=limit, as_json=json)


@app.command
def url(
    id_: Annotated[str, Parameter(name="ID", help=_ID)],
    /,
    *,
    rendition: Annotated[str | None, option("Link to this rendition, or the original.")] = None,
    qr: Annotated[bool, option("Draw the link as a QR code too, on stderr.")] = False,
) -> None:
    """Print a photo's link, which shows it to anybody until it expires.

    Example: safelight url 1 --rendition original
    """
    from safelight.cli.link import show_link

    show_link(client_settings(), id_, rendition=rendition, qr=qr)


@app.command(usage="Usage: safelight render --missing [OPTIONS]")
def render(
    *,
    missing: Annotated[bool, option("Make what photos lack by the settings of today.")] = False,
    no_wait: Annotated[bool, option("Don't wait until it is done.")] = False,
    json: Annotated[bool, option("Tell how many photos lacked some as a JSON object.")] = False,
) -> int:
    """Have a running server make renditions that its photos lack.

    They lack some after SAFELIGHT_RENDITIONS__… was changed. It goes on in the
    background, also when this is ended by Ctrl-C.

    Example: safelight render --missing
    """
    from safelight.cli.render import render_missing

    if not missing:
        raise OperatorError("Say --missing: nothing else can be rendered.")
    return render_missing(client_settings(), wait=not no_wait, as_json=json)


@app.command(usage="Usage: safelight rm [OPTIONS] ID…")
def rm(
    ids: Annotated[list[str], Parameter(name="ID", help=_ID)],
    /,
    *,
    yes: Annotated[bool, option("Don't ask.")] = False,
) -> int:
    """Delete photos; all links to them die at once.

    Example: safelight rm --yes 1
    """
    from safelight.cli.removal import remove

    return remove(client_settings(), ids, yes=yes)


@app.command
def reconcile(
    *,
    apply: Annotated[bool, option("Put right what can be; else nothing is changed.")] = False,
    verify: Annotated[bool, option("Read every original and compare its SHA-256.")] = False,
    grace: Annotated[
        str, Parameter(help="Leave alone what is younger, as in 90s, 30m, 36h or 2d.")
    ] = "1d",
    undo: Annotated[bool, option("Tell what lies in quarantine; --apply puts it back.")] = False,
    json: Annotated[bool, option("Tell all as a JSON object.")] = False,
) -> int:
    """Compare the rows of a running server with the objects in its bucket.

    A line for each difference, with tabs between what it is, the key, the
    photo's number, bytes, whether it was put right, and more. What no row names
    lies in quarantine for 7 days before it is deleted.

    Example: safelight reconcile --apply
    """
    from safelight.cli.reconcile import reconcile as run

    asked = {"apply": apply, "verify": verify, "undo": undo}
    return run(client_settings(), asked, grace=grace, as_json=json)


@app.command
def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(name="SHELL", help="Which.")], /
) -> None:
    """Print what lets a shell complete the commands and their options.

    Example: safelight completion bash > safelight.bash
    """
    say(app.generate_completion(shell=shell))


@app.command
def version() -> None:
    """Print the version.

    Example: safelight version
    """
    say(safelight.__version__)


def main() -> None:
    """Run the command line."""
    try:
        prepare()
        code = app()
        if sys.stdout is not None:
            sys.stdout.flush()
    except CycloptsError as error:
        complain(f"{' '.join(str(error).split())} See 'safelight --help'.")
        code = 2
    except SafelightError as error:
        complain(str(error))
        code = 1
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        leave_pipe()
        code = 141  # as if SIGPIPE had ended it, which is how other programs end there
    sys.exit(code)

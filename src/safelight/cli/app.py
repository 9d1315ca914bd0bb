"""The `safelight` program. Each error becomes one line on stderr and an exit code."""

import sys
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

import safelight
from safelight.cli.admin import db, doctor, jobs, token
from safelight.cli.options import option
from safelight.cli.photos import albums, download, edit, photos, render, trash, upload
from safelight.cli.store import adopt, bucket, reconcile
from safelight.errors import SafelightError
from safelight.terminal import close_stdout, configure_streams, print_note, print_result

# Command modules import what they need when a command runs, so that `safelight --help` stays quick.

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
for group in (albums.app, db.app, bucket.app, jobs.app, token.app, trash.app):
    app.command(group)
app.command(upload.upload, usage="Usage: safelight upload [OPTIONS] FILE…")
app.command(upload.import_, name="import", usage="Usage: safelight import [OPTIONS] DIR…")
app.command(photos.ls)
app.command(photos.url)
app.command(download.download, usage="Usage: safelight download [OPTIONS] ID…")
app.command(edit.edit, usage="Usage: safelight edit [OPTIONS] ID…")
app.command(photos.rm, usage="Usage: safelight rm [OPTIONS] ID…")
app.command(photos.revoke_links, usage="Usage: safelight revoke-links ID…")
app.command(render.render, usage="Usage: safelight render --missing [OPTIONS]")
app.command(render.reinspect)
app.command(reconcile.reconcile)
app.command(adopt.adopt, usage="Usage: safelight adopt [OPTIONS] s3://BUCKET/PREFIX")
app.command(doctor.doctor)


@app.command
def serve(
    *, no_worker: Annotated[bool, option("Leave background jobs to 'safelight worker'.")] = False
) -> None:
    """Serve the gallery and the API until Ctrl-C.

    Settings are environment variables, listed in docs/settings.md. Without any,
    PostgreSQL and SeaweedFS are started with their data in ./safelight-data.

    Example: SAFELIGHT_PORT=9000 safelight serve
    """
    from safelight.server.serve import run
    from safelight.settings.environment import read_settings

    run(read_settings(), worker=not no_worker)


@app.command
def worker() -> None:
    """Run background jobs until Ctrl-C, for servers with your own database.

    You can run several, on any machine, with the same settings as the servers.
    A server also runs jobs, unless it was started with --no-worker.

    Example: safelight worker
    """
    from safelight.server.worker import run
    from safelight.settings.environment import read_settings

    run(read_settings())


@app.command
def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(name="SHELL", help="The shell.")], /
) -> None:
    """Print a completion script for a shell.

    Example: safelight completion bash > safelight.bash
    """
    print_result(app.generate_completion(shell=shell))


@app.command
def version() -> None:
    """Print the version.

    Example: safelight version
    """
    print_result(safelight.__version__)


def main() -> None:
    """Run the command line, and exit with its code."""
    try:
        configure_streams()
        code = app()
        if sys.stdout is not None:
            sys.stdout.flush()
    except CycloptsError as error:
        print_note(f"{' '.join(str(error).split())} See 'safelight --help'.")
        code = 2
    except SafelightError as error:
        print_note(str(error))
        code = 1
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        close_stdout()
        code = 141  # like other programs, which SIGPIPE ends
    sys.exit(code)

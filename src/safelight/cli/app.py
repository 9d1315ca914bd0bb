"""The commands, and how they fail: in one line that says what to do."""

import sys

from cyclopts import App
from pydantic import ValidationError

import safelight
from safelight.errors import OperatorError, SettingsError
from safelight.settings import Settings

app = App(
    name="safelight",
    help="People's photos in a private S3 bucket, given back through links that expire.",
    version=safelight.__version__,
)
db = App(name="db", help="The database.")
app.command(db)


@app.command
def serve() -> None:
    """Serve the gallery and the API until Ctrl-C.

    Settings come from the environment; docs/settings.md names them all. With nothing configured
    it starts PostgreSQL and SeaweedFS under ./safelight-data.

    Example: SAFELIGHT_PORT=9000 safelight serve
    """
    from safelight.cli.serve import run  # noqa: PLC0415  takes long to import

    run(read_settings())


@app.command
def version() -> None:
    """Print the version.

    Example: safelight version
    """
    print(safelight.__version__)  # noqa: T201  that is what it is for


@db.command
def upgrade() -> None:
    """Bring the schema of the database at SAFELIGHT_DATABASE_URL to the newest version.

    `serve` does so by itself; this is for those who want to do it before.

    Example: SAFELIGHT_DATABASE_URL=postgresql://… safelight db upgrade
    """
    from safelight.cli.database import upgrade_schema  # noqa: PLC0415  takes long to import

    upgrade_schema(read_settings())


def read_settings() -> Settings:
    """Read the environment. Raises SettingsError that names every wrong variable."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = [f"{_variable(each['loc'])}: {each['msg']}" for each in error.errors()]
        raise SettingsError("; ".join(wrong)) from error


def main() -> None:
    """Run the command line."""
    try:
        app()
    except OperatorError as error:
        print(f"safelight: {error}", file=sys.stderr)  # noqa: T201  the command line's own voice
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _variable(location: tuple[int | str, ...]) -> str:
    return "SAFELIGHT_" + "__".join(str(step) for step in location).upper()

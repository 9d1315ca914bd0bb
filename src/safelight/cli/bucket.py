"""The keys of the embedded photo store, and with them every link that was signed by them."""

from collections.abc import Mapping

from safelight.cli.terminal import say
from safelight.cli.token import data_directory
from safelight.errors import SettingsError


def rotate(variables: Mapping[str, str]) -> None:
    """Put new keys in the data directory. Raises OperatorError if that can't be done now."""
    if variables.get("SAFELIGHT_S3__ENDPOINT_URL"):
        raise SettingsError(
            "The photo store is the one at SAFELIGHT_S3__ENDPOINT_URL: make new keys there, and"
            " delete the old ones; docs/credentials.md tells how."
        )
    from safelight.engines import EmbeddedEngines  # noqa: PLC0415  an extra, only when used

    EmbeddedEngines(data_directory(variables), bucket="safelight").rotate_keys()
    say("The photo store has new keys. Links given out before die when 'safelight serve' starts.")

"""Credentials that are given once and stay."""

from safelight.sigv4 import Credentials


class Fixed:
    """Keys that nobody issues anew: those of the settings, or of the embedded store."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def current(self) -> Credentials:
        """Give them."""
        return self._credentials

    async def renew(self, _refused: Credentials) -> bool:
        """Tell that there are no others."""
        return False

"""The connection to a server, and what may be wrong with it."""

import socket
import ssl
from datetime import timedelta

import httpx

from safelight.cli.client_settings import ClientSettings
from safelight.errors import OperatorError, SafelightError, SettingsError, Unavailable

_TIMEOUT = httpx.Timeout(connect=10, write=60, read=120, pool=None)
"""Seconds. An answer to an upload comes only after the photo was decoded and stored."""


def connection(settings: ClientSettings, headers: dict[str, str]) -> httpx.Client:
    """Open the way to the server; nothing is sent yet.

    Proxies are those of the environment (HTTPS_PROXY and the like), but never for this machine.
    Redirects aren't followed: the token is for the server that was named.
    """
    try:
        return httpx.Client(
            base_url=settings.url,
            headers=headers,
            timeout=_TIMEOUT,
            verify=trust(settings.url),
            trust_env=not settings.on_loopback,
        )
    except (httpx.InvalidURL, ValueError) as error:
        raise SettingsError(
            f"The address of the server, or of a proxy, is none: {error}."
        ) from error
    except OSError as error:
        raise SettingsError(
            f"The authorities in SSL_CERT_FILE can't be read ({error.strerror}): correct it."
        ) from error


def trouble(error: httpx.HTTPError, settings: ClientSettings) -> SafelightError:
    """Say in a line what keeps us from the server, and what to do."""
    url = settings.url
    if isinstance(error, httpx.ConnectError):
        return _unconnected(error, url)
    if isinstance(error, httpx.ConnectTimeout):
        return OperatorError(f"{url} can't be reached: correct SAFELIGHT_URL, or look at the line.")
    if isinstance(error, httpx.TimeoutException):
        return OperatorError(f"{url} doesn't answer in time: try again, or look at its log.")
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
        return Unavailable(
            f"The connection to {url} broke: try again, or correct SAFELIGHT_URL if that is no"
            " Safelight server.",
            retry_after=timedelta(seconds=1),
        )
    return OperatorError(f"{url} can't be talked to ({type(error).__name__}): try again.")


def _unconnected(error: BaseException, url: str) -> OperatorError:
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return OperatorError(
                f"The certificate of {url} is not to be trusted ({cause.verify_message}): mend it,"
                " or name the file of its authority in SSL_CERT_FILE."
            )
        if isinstance(cause, ssl.SSLError):
            return OperatorError(
                f"There is no TLS at {url} ({cause.reason}): is it http:// and not https://?"
            )
        if isinstance(cause, socket.gaierror):
            return OperatorError(f"The host of {url} is not known: correct SAFELIGHT_URL.")
    return OperatorError(
        f"No server answers at {url}: start 'safelight serve', or set SAFELIGHT_URL to where it is."
    )


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def trust(url: str) -> ssl.SSLContext:
    """Trust the authorities of the system, or of SSL_CERT_FILE, and those that browsers do."""
    if not url.startswith("https:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody, and is made at once
    authorities = httpx.create_ssl_context()
    authorities.load_default_certs()
    return authorities

"""The HTTP connection to a server, and its errors."""

import socket
import ssl
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import httpx

from safelight.client.settings import ClientSettings
from safelight.errors import OperatorError, SafelightError, SettingsError, Unavailable
from safelight.http_clients import client_context

_TIMEOUT: Final = httpx.Timeout(connect=10, write=60, read=300, pool=None)
"""Seconds. The response to an upload comes only after the photo was decoded and stored: for 200
megapixels that takes minutes on a slow machine."""


def open_http_client(settings: ClientSettings, headers: dict[str, str]) -> httpx.Client:
    """Open an HTTP client for the server, without connecting yet. Raises SettingsError.

    It uses the proxies of the environment (HTTPS_PROXY etc.), except for this machine. It doesn't
    follow redirects: the token is for the configured server only.
    """
    try:
        return httpx.Client(
            base_url=settings.url,
            headers=headers,
            timeout=_TIMEOUT,
            verify=client_context(settings.url, authorities=settings.authorities),
            trust_env=not settings.on_loopback,
        )
    except (httpx.InvalidURL, ValueError) as error:
        raise SettingsError(f"The address of the server or a proxy is invalid: {error}.") from error
    except OSError as error:
        raise SettingsError(f"Can't read SSL_CERT_FILE ({error.strerror}): correct it.") from error


def error_from_transport(error: httpx.HTTPError, settings: ClientSettings) -> SafelightError:
    """Return a one-line error, with advice, for a failed request."""
    url = settings.url
    if isinstance(error, httpx.ConnectError):
        return _connect_error(error, url)
    if isinstance(error, httpx.ConnectTimeout):
        return OperatorError(f"Can't reach {url}: check SAFELIGHT_URL and the network.")
    if isinstance(error, httpx.TimeoutException):
        return OperatorError(f"{url} did not answer in time: try again, or see its log.")
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
        return Unavailable(
            f"The connection to {url} broke: try again, and check that SAFELIGHT_URL is a Safelight"
            " server.",
            retry_after=timedelta(seconds=1),
        )
    return OperatorError(f"The request to {url} failed ({type(error).__name__}): try again.")


def _connect_error(error: BaseException, url: str) -> OperatorError:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return OperatorError(
                f"The certificate of {url} is not trusted ({cause.verify_message}): replace it, or"
                " set SAFELIGHT_CA_FILE to its authority's certificate."
            )
        if isinstance(cause, ssl.SSLError):
            return OperatorError(
                f"{url} does not use TLS ({cause.reason}): try http:// instead of https://."
            )
        if isinstance(cause, socket.gaierror):
            return OperatorError(f"Unknown host in {url}: correct SAFELIGHT_URL.")
    return OperatorError(
        f"No server is running at {url}: start 'safelight serve', or set SAFELIGHT_URL to its"
        " address."
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__

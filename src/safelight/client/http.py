"""The HTTP connection to a server, and its errors.

An error response is raised as the error in `safelight.errors` that has its `code`. A failed
connection is an OperatorError with advice.
"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self

import httpx
import msgspec

import safelight
from safelight.client.errors import error_from_response, not_safelight
from safelight.client.settings import ClientSettings
from safelight.errors import NotFound, OperatorError, SafelightError, SettingsError, Unavailable
from safelight.http_clients import client_context

PHOTOS: Final = "api/photos"
UPLOADS: Final = "api/uploads"
EXISTING: Final = "api/uploads/existing"
TRASH: Final = "api/trash"
_NOT_ROUTED: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})
_AT_ONCE: Final = 1024 * 1024
"""Bodies of at most this many bytes are sent at once, from memory."""
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


class DirectUploadsUnsupported(Exception):
    """The server is too old for direct uploads."""


class ClientConnection:
    """A connection, as a context manager that closes it. Threads may share it."""

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        headers = {"User-Agent": f"safelight/{safelight.__version__}"}
        if settings.token:
            headers["Authorization"] = f"Bearer {settings.token}"
        self._http = open_http_client(settings, headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    @contextmanager
    def _stream(
        self, path: str, *, method: str = "POST", **options: Any
    ) -> Iterator[httpx.Response]:
        try:
            with self._http.stream(method, path, **options) as response:
                if not response.is_success:
                    response.read()
                    raise error_from_response(response, self._settings)
                yield response
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._convert_error(error) from error

    def _request(self, method: str, path: str, **body: Any) -> httpx.Response:
        try:
            request = self._http.build_request(method, path, **body)
            if int(request.headers.get("Content-Length", _AT_ONCE + 1)) <= _AT_ONCE:
                request.read()  # Otherwise each piece of a form is sent and received alone.
            response = self._http.send(request)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._convert_error(error) from error
        if response.is_success or response.status_code == HTTPStatus.TEMPORARY_REDIRECT:
            return response
        if response.status_code == HTTPStatus.NOT_FOUND and path.partition("?")[0] == PHOTOS:
            raise not_safelight(self._settings)
        if path in {UPLOADS, EXISTING} and response.status_code in _NOT_ROUTED:
            raise DirectUploadsUnsupported
        raise error_from_response(response, self._settings)

    def _convert_error(self, error: httpx.HTTPError | httpx.InvalidURL) -> SafelightError:
        if isinstance(error, httpx.InvalidURL):  # from a redirect or a Location header
            return not_safelight(self._settings)
        return error_from_transport(error, self._settings)

    def _decode(self, content: bytes | str, kind: object) -> Any:
        """Decode JSON and check that it has the fields of `kind`. Raises OperatorError."""
        try:
            body = msgspec.json.decode(content)
            msgspec.convert(body, kind)
        except (ValueError, RecursionError) as error:
            raise not_safelight(self._settings) from error
        return body


def path_of(collection: str, id_: str) -> str:
    """Return the path of a resource. Raises NotFound if the id isn't a whole number."""
    if not (id_.isascii() and id_.isdecimal()):
        raise NotFound
    return f"{collection}/{id_}"

"""Explain why a store doesn't answer: its address, its certificate, or a proxy."""

import os
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeVar
from urllib.parse import urlsplit
from urllib.request import (  # type: ignore[attr-defined]  # typeshed lacks the second
    getproxies_environment,
    proxy_bypass_environment,
)

import httpx

from safelight.storage.config import BucketConfig

E = TypeVar("E", bound=BaseException)

ENDPOINT: Final = "SAFELIGHT_S3__ENDPOINT_URL"
PRIVATE_CA_ADVICE: Final = (
    "if a private authority issued it, set SAFELIGHT_CA_FILE to a file with the authority's"
    " certificate"
)
"""What to do about a private certificate authority; the one place that names the setting."""

# Codes of OpenSSL.
_EXPIRED: Final = 10
_NOT_YET_VALID: Final = 9
_OTHER_HOST: Final = frozenset({62, 64})
_TLS_TIMEOUT: Final = 2.0
_NAME_TIMEOUT: Final = 2.0


class Explanation(NamedTuple):
    """The name of the check that failed, and what is wrong and what to do."""

    check: str
    message: str


def explain_connection(error: BaseException, config: BucketConfig, host: str) -> Explanation:
    """Explain an error of httpx; `host` is the store's, with the bucket if that is part of it.

    May block for two seconds, to find out whether the port is for TLS, or the name is resolved.
    """
    causes = list(_causes(error))
    proxy = environment_proxy(config)
    file = os.environ.get("SSL_CERT_FILE")
    if file and isinstance(error, OSError):  # it isn't about a connection
        return Explanation(
            "certificate",
            f"The certificates in {file} can't be read ({_reason(causes)}): correct SSL_CERT_FILE.",
        )
    if certificate := _first(causes, ssl.SSLCertVerificationError):
        return _explain_certificate(certificate, config)
    if proxy:
        return Explanation("proxy", _explain_proxy(causes, config, proxy))
    if tls := _first(causes, ssl.SSLError):
        return _explain_tls(tls, config)
    if reason := _name_error(causes, host):
        return Explanation("address", _explain_name(reason, config, host))
    return Explanation("address", _explain_silence(causes, config))


def environment_proxy(config: BucketConfig) -> str | None:
    """Return the proxy of the environment through which the store is reached, without a login."""
    parts = urlsplit(config.endpoint_url)
    proxies = getproxies_environment()
    if config.is_local or proxy_bypass_environment(parts.netloc, proxies):
        return None
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy:
        return None
    scheme, _, rest = proxy.rpartition("://")
    return f"{scheme or 'http'}://{rest.rpartition('@')[2]}"


def proxy_advice(config: BucketConfig) -> str:
    """Return what to do about a proxy that doesn't lead to the store."""
    host = urlsplit(config.endpoint_url).hostname
    return f"correct HTTP_PROXY and HTTPS_PROXY, or add {host} to NO_PROXY"


def speaks_tls(config: BucketConfig) -> bool:
    """Return whether the store's address accepts TLS. Blocks for up to two seconds."""
    parts = urlsplit(config.endpoint_url)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent: this only finds out what listens there
    try:
        with (
            socket.create_connection(
                (parts.hostname, parts.port or 80), timeout=_TLS_TIMEOUT
            ) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname),
        ):
            return True
    except (OSError, ValueError):
        return False


def explain_expected_tls(config: BucketConfig) -> str:
    """Explain that the store's port is for TLS."""
    url = config.endpoint_url
    return f"The store at {url} expects TLS: write https:{url.removeprefix('http:')} in {ENDPOINT}."


def _explain_certificate(error: ssl.SSLCertVerificationError, config: BucketConfig) -> Explanation:
    start = f"The certificate of the store at {config.endpoint_url}"
    code, reason = error.verify_code, error.verify_message
    if code in _OTHER_HOST:
        message = f"{start} is for another host name ({reason}): correct {ENDPOINT}."
        if config.virtual_hosted:
            message += (
                " With SAFELIGHT_S3__ADDRESSING_STYLE=virtual it must also cover the bucket's own"
                " host name, which a bucket with a dot in its name never has: use path."
            )
    elif code in {_EXPIRED, _NOT_YET_VALID}:
        message = (
            f"{start} is not valid now ({reason}): renew it, or set this machine's clock if that is"
            " wrong."
        )
    else:
        message = f"{start} is not trusted ({reason}): {PRIVATE_CA_ADVICE}."
    return Explanation("certificate", message)


def _explain_tls(error: ssl.SSLError, config: BucketConfig) -> Explanation:
    reason = (error.reason or str(error)).replace("_", " ").lower()
    if error.reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"}:
        plain = config.endpoint_url.replace("https:", "http:")
        message = (
            f"The store at {config.endpoint_url} doesn't speak TLS ({reason}): write {plain} in"
            f" {ENDPOINT}, or correct the port."
        )
    else:
        message = f"The TLS connection to the store at {config.endpoint_url} fails: {reason}."
    return Explanation("certificate" if "certificate" in reason else "address", message)


def _explain_proxy(causes: list[BaseException], config: BucketConfig, proxy: str) -> str:
    start = f"The store at {config.endpoint_url} can't be reached through the proxy {proxy}"
    return f"{start} ({_reason(causes)}): {proxy_advice(config)}."


def _name_error(causes: list[BaseException], host: str) -> str | None:
    """Return why a host name isn't resolved, within two seconds; None if it is, or is an address.

    The limit of a connection's time includes the look-up, so that it hides a name service that
    doesn't answer.
    """
    if error := _first(causes, socket.gaierror):
        return error.strerror or str(error)
    if not _first(causes, httpx.ConnectTimeout):
        return None
    errors = ["no answer from the name service"]

    def look_up() -> None:
        try:
            socket.getaddrinfo(urlsplit(f"//{host}").hostname, None)
        except OSError as error:
            errors[0] = error.strerror or str(error)
        else:
            errors.clear()

    thread = threading.Thread(target=look_up, daemon=True)  # a look-up can't be cancelled
    thread.start()
    thread.join(_NAME_TIMEOUT)
    return next(iter(errors), None)


def _explain_name(reason: str, config: BucketConfig, host: str) -> str:
    name = host.rpartition(":")[0] or host
    message = f"The host name {name} of the store can't be resolved ({reason}): correct {ENDPOINT}"
    if config.virtual_hosted:
        return f"{message}, or set SAFELIGHT_S3__ADDRESSING_STYLE=path."
    return f"{message}, or the name service of this machine."


def _explain_silence(causes: list[BaseException], config: BucketConfig) -> str:
    start = f"The store at {config.endpoint_url} does not answer ({_reason(causes)})"
    if _first(causes, ConnectionRefusedError):
        return f"{start}: nothing listens there. Start it, or correct the port in {ENDPOINT}."
    if _first(causes, httpx.ConnectTimeout):
        return f"{start}: correct {ENDPOINT}, or the firewall between the two."
    if _first(causes, httpx.RemoteProtocolError, httpx.ReadError):
        if config.endpoint_url.startswith("http:") and speaks_tls(config):
            return explain_expected_tls(config)
        return f"{start}: correct {ENDPOINT}; what listens there doesn't speak HTTP."
    return f"{start}: start it, or correct {ENDPOINT}."


def _reason(causes: list[BaseException]) -> str:
    """Return the shortest text that names the error."""
    if _first(causes, ConnectionRefusedError):
        return "connection refused"
    if _first(causes, httpx.TimeoutException):
        return "timeout"
    if name := _first(causes, socket.gaierror):
        return name.strerror or str(name)
    system = next((each for each in causes if isinstance(each, OSError) and each.strerror), None)
    if system:
        return str(system.strerror).lower()
    texts = (str(each).strip() for each in causes if isinstance(each, httpx.HTTPError))
    text = next(filter(None, texts), str(causes[0]) or type(causes[0]).__name__)
    return " ".join(text.split()).rstrip(".")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and everything that caused it, outermost first."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for each in error.exceptions:
                yield from _causes(each)
        error = error.__cause__ or error.__context__


def _first(causes: list[BaseException], *kinds: type[E]) -> E | None:
    return next((each for each in causes if isinstance(each, kinds)), None)

"""How HTTP clients connect: which authorities they trust, and when no proxy is used."""

import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit


def on_loopback(url: str) -> bool:
    """Whether a URL's host is this machine, so that no proxy can reach it."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def read_authorities(path: Path) -> str:
    """Return the certificates in a PEM file. Raises ValueError if there are none, or OSError."""
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        ssl.create_default_context(cadata=text)
    except (ssl.SSLError, ValueError):
        raise ValueError(f"{path} has no certificates in PEM format") from None
    return text


def client_context(
    url: str, *, authorities: str | None = None, use_environment: bool = True
) -> ssl.SSLContext:
    """Trust the authorities that browsers trust, those of the system, and `authorities` (PEM).

    With `use_environment`, SSL_CERT_FILE replaces those of the system. Raises OSError if that file
    can't be read.
    """
    if not url.startswith("https:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # unused, and quick to create
    import httpx  # here, since reading the settings doesn't need it

    context = httpx.create_ssl_context(trust_env=use_environment)
    context.load_default_certs()
    if authorities:
        context.load_verify_locations(cadata=authorities)
    return context


@contextmanager
def authorities_file(authorities: str | None) -> Iterator[str | None]:
    """Yield a file with those that browsers trust and `authorities`; None if those are None.

    For libraries that take only one file, and no others then.
    """
    if authorities is None:
        yield None
        return
    import certifi

    with tempfile.NamedTemporaryFile("w", suffix=".pem", encoding="utf-8") as file:
        file.write(f"{Path(certifi.where()).read_text(encoding='utf-8')}\n{authorities}\n")
        file.flush()
        yield file.name

"""The host that a request was sent to."""

import re
from functools import lru_cache
from ipaddress import IPv6Address
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers

from safelight.library import Library
from safelight.web.http.proxies import parse_address

_HOST = re.compile(
    r"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[\w-]+(?:\.[\w-]+)*\.?))(?::[0-9]{1,5})?",
    re.ASCII | re.IGNORECASE,
)


def request_host(headers: Headers) -> str | None:
    """Return the name or address in the Host header, in lower case, without port or brackets.

    Behind a trusted proxy, this is the host that the client used. None unless there is exactly one.
    """
    hosts = headers.getlist("host")
    return parse_host(hosts[0]) if len(hosts) == 1 else None


@lru_cache(maxsize=64)
def parse_host(text: str) -> str | None:
    """Return the name or address in a Host header, as `request_host` does.

    None for a value that no URL can have: no browser sends such a header.
    """
    match = _HOST.fullmatch(text)
    if match is None:
        return None
    if match["ipv6"]:
        try:
            IPv6Address(match["ipv6"])
        except ValueError:
            return None
    return (match["ipv6"] or match["name"]).lower()


def is_localhost(host: str) -> bool:
    """Return whether a host, as `request_host` returns it, is the name `localhost` or one below."""
    return f".{host.removesuffix('.')}".endswith(".localhost")


def is_on_loopback(host: str) -> bool:
    """Return whether a host, as `request_host` returns it, leads to this machine's loopback."""
    address = parse_address(host)
    return is_localhost(host) or (address is not None and address.is_loopback)


def link_endpoint(request: Request, library: Library) -> str | None:
    """Return the endpoint to sign links for; None for the configured one.

    Links to the embedded store, without a public endpoint, use the host name of the request, so
    that they work wherever the page does. A name that is not configured is never signed for: an
    embedding app may accept any. Neither is another name or address of this machine's loopback: the
    store listens at one only, and any local user can listen at the others.
    """
    allowed = library.backends.link_hosts
    host = request_host(request.headers) if allowed else None
    if host is None or not ("*" in allowed or host in allowed):
        return None
    return _store_at(host, library.backends.link_signer.endpoint)


@lru_cache(maxsize=64)
def _store_at(host: str, endpoint: str) -> str | None:
    """Return the store's endpoint with this host; None for one of this machine's loopback."""
    if is_on_loopback(host):
        return None
    store = urlsplit(endpoint)
    return f"{store.scheme}://{f'[{host}]' if ':' in host else host}:{store.port}"

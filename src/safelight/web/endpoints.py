"""Where the store is for whoever made a request."""

from urllib.parse import urlsplit

from fastapi import Request

from safelight.library import Library
from safelight.web.hosts import told_host


def link_endpoint(request: Request, library: Library) -> str | None:
    """Tell the endpoint to sign links for; None for the configured one.

    The embedded store, with no public endpoint configured, is reached under the host name that
    the request came to, so that links work from wherever the page does.
    """
    if not library.parts.links_follow_host:
        return None
    store = urlsplit(library.parts.links.endpoint)
    host = told_host(request.headers) or store.hostname or ""
    return f"{store.scheme}://{f'[{host}]' if ':' in host else host}:{store.port}"

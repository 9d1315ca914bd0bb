"""The host that a request says it came to."""

import re

from starlette.datastructures import Headers

_HOST = re.compile(r"(?P<name>[a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.IGNORECASE)


def told_host(headers: Headers) -> str | None:
    """Give the name or address in the Host header, in lower case and without port or brackets.

    None for what no URL could have: such a header wasn't written by a browser.
    """
    told = _HOST.fullmatch(headers.get("host", ""))
    return told["name"].strip("[]").lower() if told else None

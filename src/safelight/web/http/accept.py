"""What kind of response, and which language, a client accepts (RFC 9110, 12.5)."""

import re
from collections.abc import Collection

from starlette.datastructures import Headers

_is_region = re.compile(r"[a-z]{2}").fullmatch
_JSON = frozenset({"application/json", "application/problem+json"})


def accepts_html(headers: Headers) -> bool:
    """Return whether the client names HTML in Accept, and doesn't prefer JSON to it.

    Browsers name it for pages, and only for these: scripts and images send ``*/*`` or other types.
    """
    weights = _weights(headers, "accept")
    html = max(weights.get("text/html", 0), weights.get("application/xhtml+xml", 0))
    return html > 0 and html > max((weights.get(kind, 0) for kind in _JSON), default=0)


def preferred_locale(headers: Headers, languages: Collection[str], *, default: str) -> str:
    """Return the first locale of the client in one of the languages, such as "de-AT" or "en".

    Without one, or for ``*``, return the default. Parts other than the region are left out.
    """
    weights = _weights(headers, "accept-language")
    for wanted in sorted(weights, key=lambda each: -weights[each]):
        language, *parts = wanted.split("-")
        if wanted == "*" and weights[wanted] > 0:
            break
        if language in languages and weights[wanted] > 0:
            region = next(filter(_is_region, parts), None)
            return f"{language}-{region.upper()}" if region else language
    return default


def _weights(headers: Headers, name: str) -> dict[str, float]:
    """Return the values of a header, in lower case, with their weights."""
    weights: dict[str, float] = {}
    for item in ",".join(headers.getlist(name)).split(","):
        value, *parameters = (part.strip().lower() for part in item.split(";"))
        weights.setdefault(value, _weight(parameters))
    return weights


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0
    return 1

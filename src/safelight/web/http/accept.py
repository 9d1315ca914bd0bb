"""What kind of response a client accepts (RFC 9110, 12.5.1)."""

from starlette.datastructures import Headers

_JSON = frozenset({"application/json", "application/problem+json"})


def accepts_html(headers: Headers) -> bool:
    """Return whether the client names HTML in Accept, and doesn't prefer JSON to it.

    Browsers name it for pages, and only for these: scripts and images send ``*/*`` or other types.
    """
    weights: dict[str, float] = {}
    for item in ",".join(headers.getlist("accept")).split(","):
        media_type, *parameters = (part.strip().lower() for part in item.split(";"))
        weights.setdefault(media_type, _weight(parameters))
    html = max(weights.get("text/html", 0), weights.get("application/xhtml+xml", 0))
    return html > 0 and html > max((weights.get(kind, 0) for kind in _JSON), default=0)


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0
    return 1

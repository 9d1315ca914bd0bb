"""Name the browser and the system of a User-Agent header, for people to recognize a device by."""

from dataclasses import dataclass
from typing import Final

# The first that occurs counts: browsers name those that they want to be taken for, too.
_BROWSERS: Final = (
    (("Edg/", "EdgA/", "EdgiOS/", "Edge/"), "Edge"),
    (("OPR/", "OPiOS/", "OPT/", "Opera"), "Opera"),
    (("SamsungBrowser/",), "Samsung Internet"),
    (("Vivaldi/",), "Vivaldi"),
    (("YaBrowser/",), "Yandex Browser"),
    (("DuckDuckGo/", "Ddg/"), "DuckDuckGo"),
    (("Firefox/", "FxiOS/", "Focus/"), "Firefox"),
    (("Chrome/", "CriOS/", "Chromium/"), "Chrome"),
    (("Safari/",), "Safari"),
    (("curl/",), "curl"),
)
_SYSTEMS: Final = (
    (("iPhone", "iPod"), "iPhone"),
    (("iPad",), "iPad"),
    (("Android",), "Android"),
    (("CrOS",), "ChromeOS"),
    (("Windows",), "Windows"),
    (("Macintosh", "Mac OS X"), "macOS"),
    (("Linux", "X11"), "Linux"),
)


@dataclass(frozen=True, slots=True)
class Device:
    """A browser and its system, as far as they are known. Any client can claim to be any."""

    browser: str | None
    system: str | None


def parse_user_agent(header: str) -> Device:
    """Return what a User-Agent header names. The names are ours: none is text of the client."""
    return Device(browser=_first(_BROWSERS, header), system=_first(_SYSTEMS, header))


def _first(names: tuple[tuple[tuple[str, ...], str], ...], header: str) -> str | None:
    found = (name for signs, name in names if any(sign in header for sign in signs))
    return next(found, None)

"""What a server warns about at its start: settings that work, but hardly as intended."""

import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from difflib import SequenceMatcher
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Final

from safelight.environment import clean_variables
from safelight.private_files import exposed_part
from safelight.settings.names import SETTINGS_BY_OTHER_NAME, known_variables, suggest_variable
from safelight.settings.settings import Settings

_looks_like_ours = re.compile(r"(?P<start>[A-Z]{6,12}|SAFE_LIGHT)_+(?P<rest>[A-Z0-9_]+)").fullmatch
_SIMILAR: Final = 0.8

_WIDEST_PRIVATE: Final = {4: 8, 6: 7}
"""Prefix lengths of the largest private networks: 10.0.0.0/8 and fc00::/7."""


def find_warnings(settings: Settings, variables: Mapping[str, str]) -> list[str]:
    """Return a line for each doubtful setting, and for each variable that is probably meant."""
    return [
        *_proxies(settings),
        *_mixed_content(settings),
        *_exposed_authorities(settings, variables),
        *find_near_misses(variables),
    ]


def _proxies(settings: Settings) -> Iterator[str]:
    for network in settings.trusted_proxies:
        if _is_wide(network):
            yield (
                f"SAFELIGHT_TRUSTED_PROXIES={network} trusts almost any client, so that each can"
                " choose the address that is logged and limited: list only the addresses of your"
                " proxies"
            )


def _is_wide(network: IPv4Network | IPv6Network) -> bool:
    return network.prefixlen < _WIDEST_PRIVATE[network.version]


def _mixed_content(settings: Settings) -> Iterator[str]:
    public = settings.public_url or ""
    store = settings.s3.public_endpoint_url or settings.s3.endpoint_url or "http:"
    if public.startswith("https:") and store.startswith("http:"):
        yield (
            f"the pages are at {public}, but the links to photos begin with http://, and browsers"
            " block these as mixed content: set SAFELIGHT_S3__PUBLIC_ENDPOINT_URL to an https"
            " address of the store"
        )


def _exposed_authorities(settings: Settings, variables: Mapping[str, str]) -> Iterator[str]:
    """Who can add an authority can pose as the store, and read the photos and keys sent there."""
    files = {"SAFELIGHT_CA_FILE": settings.ca_file, "SSL_CERT_FILE": variables.get("SSL_CERT_FILE")}
    for name, value in files.items():
        if not value:
            continue
        with suppress(OSError):  # what uses the file reports that it can't be read
            if part := exposed_part(Path(value)):
                yield (
                    f"other users can change {part}, and so add an authority of their own to"
                    f" {name}={value} and pose as the store: let root or the user that runs"
                    f" Safelight own it, and run chmod go-w {shlex.quote(str(part))}"
                )


def find_near_misses(variables: Mapping[str, str]) -> list[str]:
    """Describe variables that Safelight doesn't read, where the setting they mean isn't set."""
    values = clean_variables(variables)
    found = []
    for name in values:
        setting = SETTINGS_BY_OTHER_NAME.get(name) or _similar_setting(name)
        if setting and setting not in values:
            found.append(f"{name} is set, but Safelight doesn't read it: did you mean {setting}?")
    return found


def _similar_setting(name: str) -> str | None:
    """Return the setting of a name with a misspelt prefix, or of a group without the prefix."""
    if f"SAFELIGHT_{name}" in known_variables() and "__" in name:
        return f"SAFELIGHT_{name}"
    match = _looks_like_ours(name)
    if match is None or match["start"] == "SAFELIGHT":
        return None
    start = match["start"].replace("_", "")
    if SequenceMatcher(None, start, "SAFELIGHT").ratio() < _SIMILAR:
        return None
    return suggest_variable(match["rest"])

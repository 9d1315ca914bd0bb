"""What a bucket is set up with: who may call it from pages, and what is cleared after a day.

Each is a rule that goes beside those of others: ours is known by its ID, or by what it says, since
some stores keep no IDs. The documents are those of the Amazon S3 API Reference, as XML.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from xml.etree.ElementTree import Element, SubElement

from safelight.settings import Settings

METHODS = ("GET", "PUT", "POST", "DELETE")
"""POST begins and ends an upload in parts, DELETE aborts one."""
HEADERS = ("content-type", "x-amz-checksum-sha256")
"""Those we sign that a page has to send by itself. Host and Content-Length are the browser's."""
EXPOSED = ("ETag",)
"""What a page may read of the answer: an upload in parts is completed by the parts' ETags."""
MAX_AGE = 3600
"""Seconds that a browser may remember the answer to its question beforehand."""
DAYS = 1

_ID = "safelight"
_BLOCKED = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_OWN_PORTS = {"http": 80, "https": 443}

Said = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One thing that a bucket can be told: a document at a subresource, with our rule in it."""

    title: str
    subresource: str
    root: str
    rule: Element
    alone: bool = False
    """Whether the document is no list of rules, but ours as a whole."""

    def missing_in(self, document: Element) -> bool:
        """Whether what the bucket was told before lacks our rule, or has an older one too."""
        rules = self._rules(document)
        ours = [each for each in rules if self._is_ours(each)]
        return [_said(each) for each in ours] != [_said(self.rule)]

    def added_to(self, document: Element) -> Element:
        """Put our rule in the place of the one there was; all others stay as they are."""
        if self.alone:
            return self.rule
        whole = Element(self.root)
        whole.extend([each for each in document if not self._is_ours(each)])
        whole.append(self.rule)
        return whole

    def _rules(self, document: Element) -> list[Element]:
        return (
            [document] if self.alone else [each for each in document if each.tag == self.rule.tag]
        )

    def _is_ours(self, rule: Element) -> bool:
        if rule.tag != self.rule.tag:
            return False
        return self.alone or rule.findtext("ID") == _ID or _said(rule) == _said(self.rule)


def parts(origins: Sequence[str]) -> tuple[Part, ...]:
    """List what is put into a bucket whose pages are of these origins."""
    return (
        Part(
            title="Lifecycle", subresource="lifecycle", root="LifecycleConfiguration", rule=_day()
        ),
        Part(title="CORS", subresource="cors", root="CORSConfiguration", rule=_cors(origins)),
        Part(
            title="Public access",
            subresource="publicAccessBlock",
            root="PublicAccessBlockConfiguration",
            rule=_block(),
            alone=True,
        ),
    )


def page_origins(settings: Settings) -> tuple[str, ...]:
    """List the origins of the pages that send photos: those configured, and the service's own.

    A page of ours is of another origin than the store, if only by the port. Its host is any that
    requests may come to; behind a proxy it has its scheme's own port.
    """
    if "*" in settings.allowed_hosts:
        return ("*",)
    names = dict.fromkeys(filter(None, map(_in_url, (*settings.allowed_hosts, settings.host))))
    own = [
        f"{scheme}://{name}{port}"
        for name in names
        for scheme, usual in _OWN_PORTS.items()
        for port in ("", *([f":{settings.port}"] if settings.port not in {0, usual} else []))
    ]
    return tuple(dict.fromkeys((*settings.origins, *own)))


def _in_url(host: str) -> str | None:
    """Write a host as a browser does; None for the addresses that mean all."""
    host = host.strip("[]").lower()
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return None
    return f"[{address}]" if ":" in host else str(address)


def _cors(origins: Sequence[str]) -> Element:
    rule = Element("CORSRule")
    _add(rule, "ID", _ID)
    for tag, values in (
        ("AllowedOrigin", origins),
        ("AllowedMethod", METHODS),
        ("AllowedHeader", HEADERS),
        ("ExposeHeader", EXPOSED),
    ):
        for value in values:
            _add(rule, tag, value)
    _add(rule, "MaxAgeSeconds", str(MAX_AGE))
    return rule


def _day() -> Element:
    rule = Element("Rule")
    _add(rule, "ID", _ID)
    _add(SubElement(rule, "Filter"), "Prefix", "incoming/")
    _add(rule, "Status", "Enabled")
    _add(SubElement(rule, "Expiration"), "Days", str(DAYS))
    _add(SubElement(rule, "AbortIncompleteMultipartUpload"), "DaysAfterInitiation", str(DAYS))
    return rule


def _block() -> Element:
    block = Element("PublicAccessBlockConfiguration")
    for tag in _BLOCKED:
        _add(block, tag, "true")
    return block


def _add(parent: Element, tag: str, text: str) -> None:
    SubElement(parent, tag).text = text


def _said(rule: Element, way: str = "") -> Said:
    """Give what a rule says, whatever its ID and the order: each text with its way there."""
    said: set[tuple[str, str]] = set()
    for child in rule:
        there = f"{way}{child.tag}"
        if len(child):
            said |= _said(child, f"{there}/")
        elif there != "ID":
            text = (child.text or "").strip()
            said.add((there, text.lower() if child.tag.endswith("Header") else text))
    return frozenset(said)

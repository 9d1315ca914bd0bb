"""The bucket's CORS rule, lifecycle rule and public-access block.

They are added to the rules that a bucket already has. Our rule is recognised by its ID or, since
some stores keep no IDs, by its content. The XML is that of the Amazon S3 API Reference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from xml.etree.ElementTree import Element, SubElement

from safelight.settings import Settings

METHODS = ("GET", "PUT", "POST", "DELETE")
"""POST starts and completes a multipart upload, DELETE aborts it."""
HEADERS = ("content-type", "x-amz-checksum-sha256")
"""Signed headers that a page sets; the browser sets Host and Content-Length."""
EXPOSED = ("ETag",)
"""Headers that a page may read: completing a multipart upload needs the parts' ETags."""
MAX_AGE = 3600
"""Seconds that a browser may cache a preflight response."""
DAYS = 1

_ID = "safelight"
_BLOCKED = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_DEFAULT_PORTS = {"http": 80, "https": 443}

Content = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketRule:
    """One of our rules, and the document at a subresource of the bucket that contains it."""

    title: str
    subresource: str
    root: str
    rule: Element
    is_whole_document: bool = False
    """Whether the document isn't a list of rules, but the rule itself."""

    def is_missing_from(self, document: Element) -> bool:
        """Return whether the document lacks our rule, or has another version of it."""
        rules = self._rules(document)
        ours = [rule for rule in rules if self._is_ours(rule)]
        return [_content(rule) for rule in ours] != [_content(self.rule)]

    def add_to(self, document: Element) -> Element:
        """Return the document with our rule in place of an older one; other rules stay."""
        if self.is_whole_document:
            return self.rule
        whole = Element(self.root)
        whole.extend([rule for rule in document if not self._is_ours(rule)])
        whole.append(self.rule)
        return whole

    def _rules(self, document: Element) -> list[Element]:
        return (
            [document]
            if self.is_whole_document
            else [rule for rule in document if rule.tag == self.rule.tag]
        )

    def _is_ours(self, rule: Element) -> bool:
        if rule.tag != self.rule.tag:
            return False
        return (
            self.is_whole_document
            or rule.findtext("ID") == _ID
            or _content(rule) == _content(self.rule)
        )


def bucket_rules(origins: Sequence[str]) -> tuple[BucketRule, ...]:
    """Return our rules for a bucket that pages of these origins use."""
    return (
        BucketRule(
            title="Lifecycle",
            subresource="lifecycle",
            root="LifecycleConfiguration",
            rule=_lifecycle_rule(),
        ),
        BucketRule(
            title="CORS", subresource="cors", root="CORSConfiguration", rule=_cors_rule(origins)
        ),
        BucketRule(
            title="Public access",
            subresource="publicAccessBlock",
            root="PublicAccessBlockConfiguration",
            rule=_public_access_block(),
            is_whole_document=True,
        ),
    )


def page_origins(settings: Settings) -> tuple[str, ...]:
    """Return the origins of pages that upload photos: those configured, and the service's own.

    The service's pages can have any allowed host, with the service's port or, behind a proxy, the
    scheme's default port; or the public URL.
    """
    if "*" in settings.allowed_hosts:
        return ("*",)
    hosts = dict.fromkeys(filter(None, map(_url_host, (*settings.allowed_hosts, settings.host))))
    own = [
        f"{scheme}://{host}{port}"
        for host in hosts
        for scheme, default in _DEFAULT_PORTS.items()
        for port in ("", *([f":{settings.port}"] if settings.port not in {0, default} else []))
    ]
    public = (settings.public_origin,) if settings.public_origin else ()
    return tuple(dict.fromkeys((*settings.origins, *public, *own)))


def _url_host(host: str) -> str | None:
    """Return a host as in a URL; None for the addresses that mean all interfaces."""
    host = host.strip("[]").lower()
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return None
    return f"[{address}]" if ":" in host else str(address)


def _cors_rule(origins: Sequence[str]) -> Element:
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


def _lifecycle_rule() -> Element:
    rule = Element("Rule")
    _add(rule, "ID", _ID)
    _add(SubElement(rule, "Filter"), "Prefix", "incoming/")
    _add(rule, "Status", "Enabled")
    _add(SubElement(rule, "Expiration"), "Days", str(DAYS))
    _add(SubElement(rule, "AbortIncompleteMultipartUpload"), "DaysAfterInitiation", str(DAYS))
    return rule


def _public_access_block() -> Element:
    block = Element("PublicAccessBlockConfiguration")
    for tag in _BLOCKED:
        _add(block, tag, "true")
    return block


def _add(parent: Element, tag: str, text: str) -> None:
    SubElement(parent, tag).text = text


def _content(rule: Element, path: str = "") -> Content:
    """Return all texts of a rule with their paths, regardless of ID and order."""
    content: set[tuple[str, str]] = set()
    for child in rule:
        child_path = f"{path}{child.tag}"
        if len(child):
            content |= _content(child, f"{child_path}/")
        elif child_path != "ID":
            text = (child.text or "").strip()
            content.add((child_path, text.lower() if child.tag.endswith("Header") else text))
    return frozenset(content)

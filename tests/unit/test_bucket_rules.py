"""The bucket's rules: their origins, and how they are added to existing rules."""

from typing import Any
from xml.etree.ElementTree import Element, fromstring, tostring

import pytest

from safelight.settings import Settings
from safelight.storage.setup.rules import BucketRule, bucket_rules, page_origins

THEIRS = "<CORSRule><ID>theirs</ID><AllowedOrigin>https://theirs.example</AllowedOrigin></CORSRule>"


def _origins(**settings: Any) -> set[str]:
    found = page_origins(Settings(**settings))
    assert len(set(found)) == len(found)
    return set(found)


def _cors(*origins: str) -> BucketRule:
    return next(each for each in bucket_rules(origins) if each.subresource == "cors")


def _document(*rules: str) -> Element:
    return fromstring(f"<CORSConfiguration>{''.join(rules)}</CORSConfiguration>")


def test_origins_have_every_allowed_host_with_and_without_the_port() -> None:
    assert _origins(allowed_hosts=["Photos.Example"], port=9000, host="10.0.0.7") == {
        f"{scheme}://{name}{port}"
        for scheme in ("http", "https")
        for name in ("photos.example", "10.0.0.7")
        for port in ("", ":9000")
    }


def test_default_origins_are_those_of_this_machine() -> None:
    assert {
        "http://localhost:8000",
        "http://127.0.0.1:8000",
        "http://[::1]:8000",
        "https://localhost",
    } <= _origins()


def test_public_url_is_an_origin() -> None:
    assert "https://photos.example:8443" in _origins(public_url="https://photos.example:8443")


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_unspecified_address_is_no_origin(host: str) -> None:
    found = _origins(host=host, allowed_hosts=["2001:DB8::1"])
    assert found == {f"{s}://[2001:db8::1]{p}" for s in ("http", "https") for p in ("", ":8000")}


def test_default_ports_are_left_out() -> None:
    found = _origins(allowed_hosts=["a.example"], host="a.example", port=443)
    assert found == {"http://a.example", "http://a.example:443", "https://a.example"}
    assert "http://a.example:0" not in _origins(allowed_hosts=["a.example"], port=0)


def test_configured_origins_are_included() -> None:
    assert "https://app.example" in _origins(origins=["https://app.example"])


def test_any_host_allows_any_origin() -> None:
    assert _origins(allowed_hosts=["*"], origins=["https://app.example"]) == {"*"}


def test_our_rule_replaces_its_older_version_and_no_other() -> None:
    old = tostring(_cors("https://old.example").rule, encoding="unicode")
    new = _cors("https://new.example")
    before = _document(old, THEIRS)
    assert new.is_missing_from(before)
    after = new.add_to(before)
    written = tostring(after, encoding="unicode")
    assert THEIRS in written
    assert "https://new.example" in written
    assert "https://old.example" not in written
    assert not new.is_missing_from(after)


def test_our_rule_is_recognised_without_its_id_and_in_another_order() -> None:
    part = _cors("https://a.example", "https://b.example")
    shuffled = Element("CORSRule")
    for child in reversed(part.rule):
        if child.tag != "ID":
            shuffled.append(child)
    assert not part.is_missing_from(_document(THEIRS, tostring(shuffled, encoding="unicode")))


@pytest.mark.parametrize("part", bucket_rules(["https://a.example"]), ids=lambda part: part.title)
def test_empty_configuration_lacks_each_rule(part: BucketRule) -> None:
    empty = Element(part.root)
    assert part.is_missing_from(empty)
    assert not part.is_missing_from(part.add_to(empty))


def test_partial_public_access_block_is_completed() -> None:
    block = next(each for each in bucket_rules(["*"]) if each.is_whole_document)
    half = fromstring(tostring(block.rule).replace(b"true", b"false", 1))
    assert block.is_missing_from(half)
    assert not block.is_missing_from(block.add_to(half))

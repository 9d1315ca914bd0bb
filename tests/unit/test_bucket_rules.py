"""What a bucket is told: for which origins, and beside whose rules."""

from typing import Any
from xml.etree.ElementTree import Element, fromstring, tostring

import pytest

from safelight.settings import Settings
from safelight.storage.rules import Part, page_origins, parts

THEIRS = "<CORSRule><ID>theirs</ID><AllowedOrigin>https://theirs.example</AllowedOrigin></CORSRule>"


def _origins(**settings: Any) -> set[str]:  # noqa: ANN401  any setting
    found = page_origins(Settings(**settings))
    assert len(set(found)) == len(found)
    return set(found)


def _cors(*origins: str) -> Part:
    return next(each for each in parts(origins) if each.subresource == "cors")


def _document(*rules: str) -> Element:
    return fromstring(f"<CORSConfiguration>{''.join(rules)}</CORSConfiguration>")


def test_pages_of_our_own_are_of_any_name_that_is_served_with_and_without_the_port() -> None:
    assert _origins(allowed_hosts=["Photos.Example"], port=9000, host="10.0.0.7") == {
        f"{scheme}://{name}{port}"
        for scheme in ("http", "https")
        for name in ("photos.example", "10.0.0.7")
        for port in ("", ":9000")
    }


def test_pages_of_the_service_as_it_comes_are_those_of_this_machine() -> None:
    assert {
        "http://localhost:8000",
        "http://127.0.0.1:8000",
        "http://[::1]:8000",
        "https://localhost",
    } <= _origins()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_the_address_that_means_all_is_none(host: str) -> None:
    found = _origins(host=host, allowed_hosts=["2001:DB8::1"])
    assert found == {f"{s}://[2001:db8::1]{p}" for s in ("http", "https") for p in ("", ":8000")}


def test_a_browser_leaves_out_the_ports_that_go_without_saying() -> None:
    found = _origins(allowed_hosts=["a.example"], host="a.example", port=443)
    assert found == {"http://a.example", "http://a.example:443", "https://a.example"}
    assert "http://a.example:0" not in _origins(allowed_hosts=["a.example"], port=0)


def test_configured_origins_are_among_them() -> None:
    assert "https://app.example" in _origins(origins=["https://app.example"])


def test_a_service_of_any_name_has_pages_of_any() -> None:
    assert _origins(allowed_hosts=["*"], origins=["https://app.example"]) == {"*"}


def test_our_rule_takes_the_place_of_our_older_one_and_leaves_the_others() -> None:
    old = tostring(_cors("https://old.example").rule, encoding="unicode")
    new = _cors("https://new.example")
    before = _document(old, THEIRS)
    assert new.missing_in(before)
    after = new.added_to(before)
    said = tostring(after, encoding="unicode")
    assert THEIRS in said
    assert "https://new.example" in said
    assert "https://old.example" not in said
    assert not new.missing_in(after)


def test_our_rule_is_known_without_its_id_and_in_another_order() -> None:
    part = _cors("https://a.example", "https://b.example")
    shuffled = Element("CORSRule")
    for child in reversed(part.rule):
        if child.tag != "ID":
            shuffled.append(child)
    assert not part.missing_in(_document(THEIRS, tostring(shuffled, encoding="unicode")))


@pytest.mark.parametrize("part", parts(["https://a.example"]), ids=lambda part: part.title)
def test_a_bucket_that_was_told_nothing_lacks_each(part: Part) -> None:
    empty = Element(part.root)
    assert part.missing_in(empty)
    assert not part.missing_in(part.added_to(empty))


def test_a_bucket_that_is_half_open_is_closed() -> None:
    block = next(each for each in parts(["*"]) if each.alone)
    half = fromstring(tostring(block.rule).replace(b"true", b"false", 1))
    assert block.missing_in(half)
    assert not block.missing_in(block.added_to(half))

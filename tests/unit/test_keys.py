import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight import keys

NAME = "0123456789abcdef0123456789abcdef"
NAMES = st.binary(min_size=16, max_size=16).map(bytes.hex)
NO_NAMES = [
    "",
    "..",
    "/",
    NAME[:-1],
    NAME + "0",
    NAME.upper(),
    NAME + "\n",
    "\n" + NAME,
    NAME[:-1] + "/",
    NAME[:-1] + "g",
    NAME[:-1] + " ",
    NAME[:-2] + "..",
    "../" + NAME[3:],
    NAME[:-1] + "\0",
    # Arabic-Indic and full-width digits, which are digits to `str.isdigit` and `int`.
    "\u0660" * 16 + NAME[16:],
    "\uff10" * 16 + NAME[16:],
]


def test_a_new_name_is_128_bits_in_an_alphabet_that_nothing_folds_or_escapes() -> None:
    names = [keys.new_name() for _ in range(1_000)]
    assert len(set(names)) == 1_000
    assert all(re.fullmatch(r"[0-9a-f]{32}", name) for name in names)
    seen = [0] * 128
    for name in names:
        for bit in range(128):
            seen[bit] += int(name, 16) >> bit & 1
    assert all(350 < count < 650 for count in seen), "each of the 128 bits is random"
    halves = {half for name in names for half in (name[:16], name[16:])}
    assert len(halves) == 2_000, "and none is another's copy"


def test_a_photos_keys_lie_under_its_own_prefix() -> None:
    assert keys.prefix(NAME) == f"photos/{NAME}/"
    assert keys.original(NAME) == f"photos/{NAME}/original"
    assert keys.rendition(NAME, "00ff" * 4) == f"photos/{NAME}/00ff00ff00ff00ff"
    assert keys.incoming(NAME) == f"incoming/{NAME}"


@given(NAMES, NAMES)
def test_the_keys_of_two_photos_never_meet(one: str, other: str) -> None:
    made = {keys.original(one), keys.rendition(one, other), keys.incoming(one)}
    assert len(made) == 3
    if one != other:
        theirs = {keys.original(other), keys.rendition(other, one), keys.incoming(other)}
        assert not made & theirs
        assert not any(key.startswith(keys.prefix(one)) for key in theirs)


@pytest.mark.parametrize("text", NO_NAMES)
def test_what_is_no_name_is_in_no_key(text: str) -> None:
    for make in (keys.prefix, keys.original, keys.incoming):
        with pytest.raises(ValueError, match="hex"):
            make(text)
    with pytest.raises(ValueError, match="hex"):
        keys.rendition(text, "0" * 16)


@given(st.text() | st.text(alphabet="0123456789abcdef./\\\n\0 ABCDEF", min_size=30, max_size=34))
def test_no_text_of_a_users_gets_into_a_key(text: str) -> None:
    try:
        made = [keys.prefix(text), keys.original(text), keys.incoming(text)]
    except ValueError:
        return
    assert all(re.fullmatch(r"(photos|incoming)/[0-9a-f]{32}(/|/original)?", key) for key in made)


@pytest.mark.parametrize(
    "digest", ["", "original", "0" * 15, "0" * 65, "A" * 16, "../" + "0" * 16, "0" * 16 + "\n"]
)
def test_a_rendition_is_named_by_a_digest_and_nothing_else(digest: str) -> None:
    with pytest.raises(ValueError, match="digest"):
        keys.rendition(NAME, digest)


TODAY = date(2026, 2, 28)


def test_a_key_tells_whose_it_is() -> None:
    assert keys.photo_in(keys.original(NAME)) == NAME
    assert keys.photo_in(keys.rendition(NAME, "a" * 32)) == NAME
    assert keys.upload_in(keys.incoming(NAME)) == NAME


@pytest.mark.parametrize(
    "key",
    [
        f"photos/{NAME}",
        f"photos/{NAME}/",
        f"photos/{NAME}/original/",
        f"photos/{NAME}/original\n",
        f"photos/{NAME.upper()}/original",
        f"photos/{NAME}0/original",
        f"quarantine/2026-01-01/photos/{NAME}/original",
        f"incoming/{NAME}/x",
        f"incoming/{NAME}\n",
    ],
)
def test_a_key_that_is_none_of_ours_is_nobody_s(key: str) -> None:
    assert keys.photo_in(key) is None
    assert keys.upload_in(key) is None


@pytest.mark.parametrize("key", [f"photos/{NAME}/original", "photos/a\nb", "photos/é/ü"])
def test_what_was_taken_away_tells_when_and_whence(key: str) -> None:
    assert keys.taken_from(keys.quarantined(key, TODAY)) == (TODAY, key)


@pytest.mark.parametrize("place", ["quarantine/2026-02-30/x", "quarantine/2026-02-28/", "photos/x"])
def test_what_never_was_taken_away_tells_nothing(place: str) -> None:
    assert keys.taken_from(place) is None

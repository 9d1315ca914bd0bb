import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight import keys

STORAGE_ID = "0123456789abcdef0123456789abcdef"
STORAGE_IDS = st.binary(min_size=16, max_size=16).map(bytes.hex)
INVALID_IDS = [
    "",
    "..",
    "/",
    STORAGE_ID[:-1],
    STORAGE_ID + "0",
    STORAGE_ID.upper(),
    STORAGE_ID + "\n",
    "\n" + STORAGE_ID,
    STORAGE_ID[:-1] + "/",
    STORAGE_ID[:-1] + "g",
    STORAGE_ID[:-1] + " ",
    STORAGE_ID[:-2] + "..",
    "../" + STORAGE_ID[3:],
    STORAGE_ID[:-1] + "\0",
    # Arabic-Indic and full-width digits, which `str.isdigit` and `int` accept.
    "\u0660" * 16 + STORAGE_ID[16:],
    "\uff10" * 16 + STORAGE_ID[16:],
]


def test_new_id_is_128_random_bits_in_lowercase_hex() -> None:
    storage_ids = [keys.new_storage_id() for _ in range(1_000)]
    assert len(set(storage_ids)) == 1_000
    assert all(re.fullmatch(r"[0-9a-f]{32}", storage_id) for storage_id in storage_ids)
    seen = [0] * 128
    for storage_id in storage_ids:
        for bit in range(128):
            seen[bit] += int(storage_id, 16) >> bit & 1
    assert all(350 < count < 650 for count in seen), "each bit is random"
    halves = {half for storage_id in storage_ids for half in (storage_id[:16], storage_id[16:])}
    assert len(halves) == 2_000, "no half repeats"


def test_keys_of_a_photo_share_its_prefix() -> None:
    assert keys.prefix(STORAGE_ID) == f"photos/{STORAGE_ID}/"
    assert keys.original(STORAGE_ID) == f"photos/{STORAGE_ID}/original"
    assert keys.rendition(STORAGE_ID, "00ff" * 4) == f"photos/{STORAGE_ID}/00ff00ff00ff00ff"
    assert keys.incoming(STORAGE_ID) == f"incoming/{STORAGE_ID}"


@given(STORAGE_IDS, STORAGE_IDS)
def test_keys_of_two_photos_differ(first: str, second: str) -> None:
    first_keys = {keys.original(first), keys.rendition(first, second), keys.incoming(first)}
    assert len(first_keys) == 3
    if first != second:
        second_keys = {keys.original(second), keys.rendition(second, first), keys.incoming(second)}
        assert not first_keys & second_keys
        assert not any(key.startswith(keys.prefix(first)) for key in second_keys)


@pytest.mark.parametrize("text", INVALID_IDS)
def test_invalid_id_is_refused(text: str) -> None:
    for make_key in (keys.prefix, keys.original, keys.incoming):
        with pytest.raises(ValueError, match="hex"):
            make_key(text)
    with pytest.raises(ValueError, match="hex"):
        keys.rendition(text, "0" * 16)


@given(st.text() | st.text(alphabet="0123456789abcdef./\\\n\0 ABCDEF", min_size=30, max_size=34))
def test_arbitrary_text_cannot_get_into_a_key(text: str) -> None:
    try:
        made = [keys.prefix(text), keys.original(text), keys.incoming(text)]
    except ValueError:
        return
    assert all(re.fullmatch(r"(photos|incoming)/[0-9a-f]{32}(/|/original)?", key) for key in made)


@pytest.mark.parametrize(
    "digest", ["", "original", "0" * 15, "0" * 65, "A" * 16, "../" + "0" * 16, "0" * 16 + "\n"]
)
def test_rendition_key_requires_a_digest(digest: str) -> None:
    with pytest.raises(ValueError, match="digest"):
        keys.rendition(STORAGE_ID, digest)


TODAY = date(2026, 2, 28)


def test_id_is_parsed_from_a_key() -> None:
    assert keys.storage_id_of(keys.original(STORAGE_ID)) == STORAGE_ID
    assert keys.storage_id_of(keys.rendition(STORAGE_ID, "a" * 32)) == STORAGE_ID
    assert keys.upload_id_of(keys.incoming(STORAGE_ID)) == STORAGE_ID


@pytest.mark.parametrize(
    "key",
    [
        f"photos/{STORAGE_ID}",
        f"photos/{STORAGE_ID}/",
        f"photos/{STORAGE_ID}/original/",
        f"photos/{STORAGE_ID}/original\n",
        f"photos/{STORAGE_ID.upper()}/original",
        f"photos/{STORAGE_ID}0/original",
        f"quarantine/2026-01-01/photos/{STORAGE_ID}/original",
        f"incoming/{STORAGE_ID}/x",
        f"incoming/{STORAGE_ID}\n",
    ],
)
def test_foreign_key_has_no_id(key: str) -> None:
    assert keys.storage_id_of(key) is None
    assert keys.upload_id_of(key) is None


@pytest.mark.parametrize("key", [f"photos/{STORAGE_ID}/original", "photos/a\nb", "photos/é/ü"])
def test_quarantine_key_has_the_date_and_the_original_key(key: str) -> None:
    assert keys.parse_quarantine_key(keys.quarantine_key(key, TODAY)) == (TODAY, key)


@pytest.mark.parametrize("key", ["quarantine/2026-02-30/x", "quarantine/2026-02-28/", "photos/x"])
def test_invalid_quarantine_key_is_not_parsed(key: str) -> None:
    assert keys.parse_quarantine_key(key) is None

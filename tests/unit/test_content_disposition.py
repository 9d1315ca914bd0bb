"""File names in forms, as different programs write them, and text in other charsets."""

import base64
import re
import time
from encodings.aliases import aliases
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from safelight.library.captions import sanitize_filename
from safelight.web.http.charsets import decode_text, find_charset
from safelight.web.http.content_disposition import parse_disposition

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)


def _filename(rest: str | bytes) -> bytes | str | None:
    encoded = rest.encode() if isinstance(rest, str) else rest
    return parse_disposition(b'form-data; name="photo"; ' + encoded)[1]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        # Browsers.
        ('filename="cat.jpg"', b"cat.jpg"),
        ('filename="a%22b%0D%0Ac.jpg"', b'a"b\r\nc.jpg'),
        ('filename="100% sure.jpg"', b"100% sure.jpg"),
        ('filename="写真.jpg"', "写真.jpg".encode()),
        ('filename="C:\\photos\\cat.jpg"', b"C:\\photos\\cat.jpg"),
        # curl, Python, Go.
        (r'filename="a\"b\\c.jpg"', b'a"b\\c.jpg'),
        ('filename="a;b=c; filename=d.jpg"', b"a;b=c; filename=d.jpg"),
        ("filename=\"a; filename*=utf-8''b.jpg\"", b"a; filename*=utf-8''b.jpg"),
        ('filename="x"; name="other"', b"x"),
        # .NET and Java.
        ("filename=cat.jpg", b"cat.jpg"),
        ("filename=cat.jpg; filename*=utf-8''cat.jpg", "cat.jpg"),
        ("filename*=utf-8''na%C3%AFve%20caf%C3%A9.jpg; filename=x.jpg", "naïve café.jpg"),
        ('filename="x.jpg"; FileName*="UTF-8\'en\'na%c3%afve.jpg"', "naïve.jpg"),
        ("filename*=iso-8859-1''%E9t%E9.jpg", "été.jpg"),
        ("filename*=windows-1252'fr'%80.jpg", "€.jpg"),
        ("filename*=utf-8''", ""),
        ('filename="=?utf-8?B?bmHDr3ZlLmpwZw==?="', "naïve.jpg"),
        ("filename==?utf-8?B?bmHDr3ZlLmpwZw==?=", "naïve.jpg"),
        ('filename="=?ISO-8859-1?Q?=E9t=E9_2.jpg?="', "été 2.jpg"),
        ('filename="=?utf-8?q?a_?= =?utf-8?Q?b.jpg?="', "a b.jpg"),
        ('filename="=?utf-8*en?B?w68?="', "ï"),
        # Both halves of the character are in words of their own.
        ('filename="=?utf-8?B?w6?= =?utf-8?B?ra8=?="', b"=?utf-8?B?w6?= =?utf-8?B?ra8=?="),
        ('filename="=?utf-8?Q?=C3?= =?utf-8?Q?=AF?="', "ï"),
        # What can't be decoded is taken unchanged, or the other name is used.
        ("filename=good.jpg; filename*=utf-8''%FF%FE.jpg", b"good.jpg"),
        ("filename=good.jpg; filename*=utf-8''%C3%A", b"good.jpg"),
        ("filename=good.jpg; filename*=utf-16''%00a", b"good.jpg"),
        ("filename=good.jpg; filename*=x-unknown''a", b"good.jpg"),
        ("filename=good.jpg; filename*=hex''61", b"good.jpg"),
        ("filename=good.jpg; filename*=naïve.jpg", b"good.jpg"),
        ("filename*=utf-8''%FF", "\ufffd"),
        ("filename*=x-unknown''a", ""),
        ('filename="=?utf-8?B?!!!?="', b"=?utf-8?B?!!!?="),
        ('filename="=?utf-8?B?/w==?="', b"=?utf-8?B?/w==?="),
        ('filename="=?rot13?Q?abc?="', b"=?rot13?Q?abc?="),
        ('filename="photo =?utf-8?Q?a?=.jpg"', b"photo =?utf-8?Q?a?=.jpg"),
        ('filename=""', b""),
        ("filename=", b""),
        ("x=y", None),
        ("", None),
    ],
)
def test_filename_is_found_in_every_form(written: str, name: bytes | str | None) -> None:
    assert _filename(written) == name


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b'form-data; name="photo"', b"photo"),
        (b"form-data;name=photo", b"photo"),
        (b'form-data; filename="x; name=y"; NAME=photo', b"photo"),
        (b'Form-Data ; x ; ; name = "photo"', b"photo"),
        (b'form-data; name="a\\"b"', b'a"b'),
        (b'form-data; name="photo', None),
        (b'form-data; x="; name=photo', None),
        (b'name="photo"', None),
        (b"", None),
    ],
)
def test_field_name_is_found(header: bytes, name: bytes | None) -> None:
    assert parse_disposition(header)[0] == name


@given(NAMES)
@example("a; filename*=utf-8''b")
@example('"')
@example("\\")
def test_any_name_survives_each_way_to_write_it(name: str) -> None:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    if not re.search("%(22|0[aAdD])", name):
        assert _filename(f'filename="{quoted}"; x=y') == name.encode()
    extended = f"filename*=UTF-8''{quote(name, safe='')}"
    assert _filename(extended) == name
    assert _filename(f'filename="other.jpg"; {extended}') == name
    word = base64.b64encode(name.encode()).decode()
    assert _filename(f'filename="=?UTF-8?B?{word}?="') == name


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed(header: bytes) -> None:
    for prefix in (b"", b"form-data; ", b'form-data; name="photo"; filename*='):
        field, name = parse_disposition(prefix + header)
        assert field is None or isinstance(field, bytes)
        assert name is None or isinstance(name, bytes | str)


@pytest.mark.parametrize(
    "piece",
    [
        *(b';a="', b';a=" ', b';a="x', b'; filename="', b'";', b'\\"'),
        *(b"=?utf-8?Q?a?= ", b";=", b";a=b", b"' "),
    ],
)
def test_long_headers_are_parsed_in_linear_time(piece: bytes) -> None:
    header = b'form-data; filename="' + piece * (250_000 // len(piece))
    began = time.process_time()
    parse_disposition(header)
    parse_disposition(header + b'"')
    assert time.process_time() - began < 10  # Quadratic time would be a minute.


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("UTF-8", "utf-8"),
        (" utf8 ", "utf-8"),
        ("ISO-8859-1", "cp1252"),
        ("us-ascii", "cp1252"),
        ("iso-8859-15", "iso8859-15"),
        ("Shift_JIS", "cp932"),
        ("x-sjis", "cp932"),
        ("GB2312", "gbk"),
        ("KOI8-R", "koi8-r"),
        ("windows-1251", "cp1251"),
        *(
            (name, None)
            for name in ("utf-16", "utf-7", "hex", "base64", "idna", "rot13", "punycode")
        ),
        *((name, None) for name in ("", "unknown", "é", "\0", "../x", "u" * 70_000)),
    ],
)
def test_charsets_are_those_of_browsers(name: str, codec: str | None) -> None:
    assert find_charset(name) == codec


@given(st.sampled_from(sorted(set(aliases.values()))), st.binary(max_size=30))
def test_accepted_charsets_keep_ascii_and_decode_any_bytes(name: str, data: bytes) -> None:
    charset = find_charset(name)
    if charset:
        decode_text(data, charset)
        assert decode_text(b"photo-1.jpg; x='y'", charset) == "photo-1.jpg; x='y'"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/home/ann/cat.jpg", "cat.jpg"),
        ("C:\\photos\\cat.jpg", "cat.jpg"),
        ("\\\\host\\share\\cat.jpg", "cat.jpg"),
        ("photos/cat.jpg/", "cat.jpg"),
        ("cat\\", "cat"),
        ("a/b\\c/d.jpg", "d.jpg"),
        ("..", ""),
        ("../..", ""),
        (".", ""),
        ("/", ""),
        ("...", "..."),
        (".htaccess", ".htaccess"),
        ("x" * 2_000 + "/cat.jpg", "cat.jpg"),
        ("cat\0.jpg", "cat\ufffd.jpg"),
    ],
)
def test_paths_are_cut_to_the_name(path: str, name: str) -> None:
    assert sanitize_filename(path) == name


@given(st.text())
def test_sanitized_name_is_one_part_and_stays_the_same(text: str) -> None:
    name = sanitize_filename(text)
    assert not set(name) & set("/\\\0\r\n")
    assert name not in {".", ".."}
    assert len(name) <= 1_024
    assert sanitize_filename(name) == name

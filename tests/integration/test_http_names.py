"""File names of any content are returned, without a path, and escaped wherever they are shown."""

import html
import json
import re
from pathlib import Path

import httpx
import pytest

from safelight.library.captions import sanitize_filename
from safelight.web.http.content_disposition import parse_disposition
from support import pictures
from support.app_server import AppServer, Site
from support.raw_http import form, part, photo_part, raw_request, raw_upload

_CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"

NAMES = [
    "../../etc/passwd.jpg",
    "..\\..\\windows\\win.ini",
    "/etc/passwd",
    "C:\\photos\\cat.jpg",
    "\\\\host\\share\\cat.jpg",
    "~/.ssh/id_rsa",
    "photos/0123456789abcdef0123456789abcdef/original",
    "..",
    ".",
    "./.",
    "....//....//x",
    "%2e%2e%2fetc%2fpasswd",
    "%252e%252e",
    "%00.jpg",
    "%s%s%n%x",
    "a%0D%0ASet-Cookie: x=1",
    'cat".jpg',
    'cat\\".jpg',
    "cat\\",
    "\\",
    "'; DROP TABLE safelight_photos; --",
    "' OR 1=1 --",
    "$(touch x).jpg",
    "`id`.jpg",
    "; rm -rf /",
    "| cat /etc/passwd",
    "<script>alert(1)</script>.jpg",
    '"><img src=x onerror=alert(1)>.jpg',
    "' onmouseover='alert(1)",
    "</title><script>alert(1)</script>",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "${7*7}",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "CON",
    "NUL.jpg",
    "aux.jpeg.exe",
    "photo.jpg.php",
    "photo.jpg ",
    " photo.jpg",
    "photo.",
    ".htaccess",
    ".jpg",
    "-rf",
    "--help",
    "a;b=c.jpg",
    "a; filename=b.jpg",
    "a, b.jpg",
    "a&b=c.jpg",
    "a#b?c.jpg",
    "a+b c.jpg",
    "Zoë.jpg",
    "Zoe\u0308.jpg",
    "фото.jpg",
    "写真.jpg",
    "صورة.jpg",
    "😀👩‍👩‍👧‍👦.jpg",
    "\u202egpj.exe",
    "\u2066a\u2069\u200b\ufeff.jpg",
    "\u2028\u2029.jpg",
    "\ufdd0\uffff.jpg",
    "e" + "\u0301" * 200,
    "a" * 300 + ".jpg",
    "写" * 300,
    "n" * 1_024,
    "😀" * 1_024,
]


def _as_browsers_write(name: str) -> bytes:
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A").encode()


def _of_the_corpus() -> list[bytes]:
    """Return more names from lists beside the checkout, if they exist."""
    found: list[bytes] = []
    if (_CORPUS / "filenames.txt").exists():
        lines = (_CORPUS / "filenames.txt").read_text("utf-8").splitlines()
        for line in lines:
            if not line.startswith("#"):
                _, encoding, value, *_ = line.split("\t")
                found.append(
                    bytes.fromhex(value)
                    if encoding == "hex"
                    else json.loads(value).encode("utf-8", "surrogatepass")
                )
    if (_CORPUS / "filenames_blns.json").exists():
        found += [
            name.encode()
            for name in json.loads((_CORPUS / "filenames_blns.json").read_text("utf-8"))
        ]
    return found


def _expected(name: str) -> str:
    """Return the stored name: no path, no control characters, at most 1,024 characters."""
    name = re.split(r"[/\\]", name.rstrip("/\\"))[-1]
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "\ufffd", "" if name in {".", ".."} else name)[:1024]


def _check(app_server: AppServer, site: Site, written: bytes, kept: str) -> None:
    answer = raw_upload(site, form(photo_part(pictures.jpeg(), written)))
    assert answer.status == 201, answer
    photo = answer.json()
    assert photo["filename"] == kept
    assert re.fullmatch(r"/api/photos/[0-9]+", answer.headers["location"])
    name = app_server.rows(site.owner)[-1][2]
    assert re.fullmatch(r"[0-9a-f]{32}", name)
    assert f"/photos/{name}/original?" in photo["photo_url"]
    with site.client() as client:
        for path in ("/simple-upload", f"/simple-upload/{photo['id']}"):
            _check_page(client.get(path), kept)
        headers = client.get("/api/photos").headers
        assert "set-cookie" not in headers
        assert client.delete(f"/api/photos/{photo['id']}").status_code == 204


def _check_page(page: httpx.Response, kept: str) -> None:
    """Check that a name adds no markup, and is complete in an attribute."""
    assert page.status_code == 200
    tags = {tag.lower() for tag in re.findall(r"<([a-zA-Z][^\s>/]*)", page.text)}
    assert "script" not in tags
    assert not re.search(r"<[^>]*\son\w+=", re.sub(r'"[^"]*"', '""', page.text))
    if kept:
        assert kept in [html.unescape(text) for text in re.findall(r'alt="([^"]*)"', page.text)]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:40]))
def test_filename_is_returned_unchanged(app_server: AppServer, site: Site, name: str) -> None:
    written = _as_browsers_write(name)
    kept = _expected(re.sub("%22", '"', re.sub("%0[dD]", "\r", re.sub("%0[aA]", "\n", name))))
    _check(app_server, site, written, kept)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:40]))
def test_quoted_string_filename_is_returned_unchanged(site: Site, name: str) -> None:
    """Quoted as in RFC 9110, like curl and Python's clients."""
    if re.search("%(22|0[aAdD])", name):
        return
    written = name.replace("\\", "\\\\").replace('"', '\\"').encode()
    answer = raw_upload(site, form(photo_part(pictures.jpeg(), written)))
    assert answer.status == 201, answer
    assert answer.json()["filename"] == _expected(name)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (b"a\x00b.jpg", "a\ufffdb.jpg"),
        (b"\x00", "\ufffd"),
        (b"\x01\x08\x0b\x1f\x7f.jpg", "\ufffd" * 5 + ".jpg"),
        (b"a\tb.jpg", "a\ufffdb.jpg"),
        (b"\xc2\x80\xc2\x9f.jpg", "\ufffd\ufffd.jpg"),
        (b"a%0D%0ASet-Cookie: x=1", "a\ufffd\ufffdSet-Cookie: x=1"),
        (b"\xff\xfe.jpg", "\ufffd\ufffd.jpg"),
        (b"caf\xe9.jpg", "caf\ufffd.jpg"),
        (b"\xed\xa0\x80.jpg", "\ufffd\ufffd\ufffd.jpg"),
        (b"\xc0\xaf.jpg", "\ufffd\ufffd.jpg"),
        (b"\xf5\x80\x80\x80", "\ufffd" * 4),
        (b"n" * 1_025, "n" * 1_024),
        (b"n" * 60_000, "n" * 1_024),
        (b"", ""),
    ],
    ids=lambda value: ascii(value[:24]),
)
def test_characters_that_filenames_cannot_contain_are_replaced(
    app_server: AppServer, site: Site, written: bytes, kept: str
) -> None:
    _check(app_server, site, written, kept)


@pytest.mark.parametrize(
    ("disposition", "kept"),
    [
        (b'form-data; name="photo"', ""),
        (b"form-data; name=photo; filename=cat.jpg", "cat.jpg"),
        (b'form-data; filename="cat.jpg"; name="photo"', "cat.jpg"),
        (b"form-data; name=\"photo\"; filename*=UTF-8''%e2%82%ac%20rates.jpg", "€ rates.jpg"),
        (b"form-data; name=\"photo\"; filename*=UTF-8''%FF%00", "\ufffd\ufffd"),
        (b'FORM-DATA; NAME="photo"; FILENAME="cat.jpg"', "cat.jpg"),
        (b'form-data; name="photo"; filename="a"; filename="b"', "a"),
        (b"form-data; name=photo; filename=a.jpg; filename*=utf-8''%e2%82%ac.jpg", "€.jpg"),
        (b'form-data; name=photo; filename="=?utf-8?B?4oKsLmpwZw==?="', "€.jpg"),
        (b'form-data; name="photo"; filename="C:\\photos\\cat.jpg"', "cat.jpg"),
        (b"form-data; name=photo; filename*=utf-8''..%2F..%5Ccat.jpg", "cat.jpg"),
    ],
    ids=str,
)
def test_filename_parameter_is_parsed_in_all_its_spellings(
    site: Site, disposition: bytes, kept: str
) -> None:
    answer = raw_upload(site, form(part(b"Content-Disposition: " + disposition, pictures.jpeg())))
    assert answer.status == 201, answer
    assert answer.json()["filename"] == kept


def test_every_filename_of_the_corpus_is_parsed_unchanged() -> None:
    """Without the corpus this checks nothing."""
    for name in _of_the_corpus():
        header = b'form-data; name="photo"; filename="' + _quoted(name) + b'"'
        written = parse_disposition(header)[1]
        assert isinstance(written, bytes)
        assert sanitize_filename(written.decode("utf-8", "replace")) == _kept(name)


def test_every_tenth_filename_of_the_corpus_is_uploaded_and_shown(site: Site) -> None:
    for number, name in enumerate(_of_the_corpus()[::10]):
        data = pictures.png_with(pictures.png_chunk(b"saFe", str(number).encode()))
        answer = raw_upload(site, form(photo_part(data, _quoted(name))))
        assert answer.status == 201, (name[:99], answer)
        assert answer.json()["filename"] == _kept(name)
        page = raw_request(site, b"GET", f"/simple-upload/{answer.json()['id']}".encode())
        assert page.status == 200
        assert b"<script" not in page.body.lower()


def _quoted(name: bytes) -> bytes:
    """Quote a name like most programs: as a quoted-string, with line breaks percent-encoded."""
    quoted = name.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return quoted.replace(b"\r", b"%0D").replace(b"\n", b"%0A")


def _kept(name: bytes) -> str:
    unquoted = re.sub(
        rb"%(22|0D|0A)", lambda m: bytes.fromhex(m[1].decode()), name, flags=re.IGNORECASE
    )
    return _expected(unquoted.decode("utf-8", "replace"))

"""Malformed forms: always a documented response, and nothing is stored."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from safelight.errors import Invalid
from support import pictures
from support.app_server import AppServer, Site
from support.raw_http import (
    BOUNDARY,
    MULTIPART,
    chunk,
    field,
    form,
    open_connection,
    part,
    photo_part,
    raw_request,
    raw_upload,
)

PHOTO = photo_part(pictures.png(8, 8))
GOOD = form(field(b"title", b"A cat"), PHOTO, field(b"description", b"On a mat"))
CODES = {(kind.status, kind.code) for kind in Invalid.__subclasses__()}


@pytest.fixture(scope="module")
def one_site(app_server: AppServer) -> Site:
    return app_server.site()


BROKEN = {
    "no parts": form(),
    "no photo": form(field(b"title", b"x")),
    "a photo by another name": form(
        part(b'Content-Disposition: form-data; name="file"; filename="x.jpg"', pictures.jpeg())
    ),
    "a photo in capitals": form(
        part(b'Content-Disposition: form-data; name="PHOTO"; filename="x.jpg"', pictures.jpeg())
    ),
    "two photos": form(PHOTO, PHOTO),
    "two photos, one of them without a name": form(
        part(b'Content-Disposition: form-data; name="photo"', b"x"), PHOTO
    ),
    "no end": GOOD[: -len(b"--" + BOUNDARY + b"--\r\n")],
    "an end without dashes": GOOD[:-4] + b"\r\n",
    "cut in the photo": form(PHOTO)[:90],
    "cut in a header": form(PHOTO)[:30],
    "cut in the boundary": form(PHOTO)[:5],
    "nothing": b"",
    "not a form": b"photo=x",
    "another boundary": GOOD.replace(BOUNDARY, b"b-boundary"),
    "no empty line": GOOD.replace(b"\r\n\r\n", b"\r\n"),
    "a header without a colon": form(part(b"Content-Disposition", b"x")),
    "a header without a name": form(part(b": form-data", b"x")),
    "no header": form(b"--" + BOUNDARY + b"\r\n\r\n" + pictures.png(8, 8) + b"\r\n"),
    "no disposition": form(part(b"Content-Type: image/png", pictures.png(8, 8))),
    "a header with a NUL in its name": form(part(b"Content\0Disposition: form-data", b"x")),
    "bare line feeds": GOOD.replace(b"\r\n", b"\n"),
    "a thousand headers": form(part(b"\r\n".join(b"X-%d: y" % n for n in range(1000)), b"x")),
    "nested": form(
        part(
            b'Content-Disposition: form-data; name="photo"\r\nContent-Type: ' + MULTIPART,
            b"--x\r\n",
        )
    ),
    "a disposition of megabytes of spaces": form(
        part(b"Content-Disposition: form-data" + b" " * 60_000, b"x")
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_malformed_form_is_refused_and_leaves_nothing(
    app_server: AppServer, site: Site, name: str
) -> None:
    answer = raw_upload(site, BROKEN[name])
    if name == "nested":
        assert (answer.status, answer.code) == (415, "unsupported_type")
    else:
        assert (answer.status, answer.code) == (422, "invalid_request"), answer
    assert app_server.rows(site.owner) == []


@pytest.mark.parametrize(
    "kind",
    [
        b"",
        b"image/jpeg",
        b"application/json",
        b"application/x-www-form-urlencoded",
        b"application/octet-stream",
        b"multipart/mixed; boundary=a-boundary",
        b"multipart/form-data",
        b"multipart/form-data; boundary=",
        b'multipart/form-data; boundary=""',
        b"multipart/form-data; boundary=" + b"b" * 71,
        b"multipart/form-data; boundary=" + b"b" * 5000,
        b"multipart/form-data boundary=a-boundary",
        b"multipart/form-data; boundary*=utf-8''%ff",
        b"multipart/form-data; boundary*0=a; boundary*1=-boundary",
        b"multipart/form-data; ;;;===; boundary",
        b"\xff\xfe",
        b"multipart/form-data; boundary=\xff",
        b";",
        b"/",
    ],
    ids=lambda kind: kind[:60].decode("latin-1"),
)
def test_other_content_types_are_refused(site: Site, kind: bytes) -> None:
    answer = raw_upload(site, GOOD.replace(BOUNDARY, b"none"), kind=kind)
    assert (answer.status, answer.code) == (422, "invalid_request")


@pytest.mark.parametrize(
    "kind",
    [
        b'multipart/form-data; boundary="a-boundary"',
        b"Multipart/Form-Data; charset=utf-8; BOUNDARY=a-boundary",
        b"multipart/form-data;boundary=a-boundary; x=y",
    ],
)
def test_content_type_is_parsed_in_all_its_spellings(site: Site, kind: bytes) -> None:
    assert raw_upload(site, GOOD, kind=kind).status == 201


def test_boundary_of_70_characters_is_accepted(site: Site) -> None:
    boundary = b"b" * 70
    answer = raw_upload(
        site,
        GOOD.replace(BOUNDARY, boundary),
        kind=b"multipart/form-data; boundary=" + boundary,
    )
    assert answer.status == 201


def test_preamble_and_epilogue_are_ignored(site: Site) -> None:
    assert raw_upload(site, b"\r\n" + GOOD + b"\r\nAn epilogue.").status == 201


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_form_is_parsed_in_pieces_of_any_size(site: Site, size: int) -> None:
    pieces = [GOOD[at : at + size] for at in range(0, len(GOOD), size)]
    with open_connection(site) as connection:
        connection.head(
            b"POST",
            b"/api/photos",
            b"Transfer-Encoding: chunked",
            b"Content-Type: " + MULTIPART,
        )
        connection.send(b"".join(map(chunk, pieces)) + b"0\r\n\r\n")
        answer = connection.answer()
    assert answer.status == 201
    assert (answer.json()["title"], answer.json()["description"]) == ("A cat", "On a mat")


def test_photo_that_contains_a_near_boundary_is_stored_whole(site: Site) -> None:
    inside = b"\r\n--a-boundar\r\n--a-bound\r\n--" + BOUNDARY[:-1] + b"X\r\r\n-"
    data = pictures.png_with(pictures.png_chunk(b"saFe", inside * 50))
    answer = raw_upload(site, form(photo_part(data)))
    assert answer.status == 201
    assert answer.json()["size"] == len(data)


EMPTY_INPUT = part(
    b'Content-Disposition: form-data; name="photo"; filename=""\r\n'
    b"Content-Type: application/octet-stream",
    b"",
)


@pytest.mark.parametrize(
    "parts",
    [(EMPTY_INPUT, PHOTO), (PHOTO, EMPTY_INPUT), (EMPTY_INPUT, PHOTO, EMPTY_INPUT)],
    ids=["before", "after", "around"],
)
def test_file_inputs_without_a_file_are_ignored(site: Site, parts: tuple[bytes, ...]) -> None:
    answer = raw_upload(site, form(*parts))
    assert (answer.status, answer.json()["filename"]) == (201, "photo.jpg")


def test_form_with_empty_file_inputs_only_has_no_file(site: Site) -> None:
    answer = raw_upload(site, form(EMPTY_INPUT, EMPTY_INPUT))
    assert (answer.status, answer.code) == (422, "empty_file")


def _titled(value: bytes, kind: bytes = b"") -> bytes:
    head = b'Content-Disposition: form-data; name="title"'
    return part(head + (b"\r\nContent-Type: " + kind if kind else b""), value)


@pytest.mark.parametrize(
    ("parts", "title"),
    [
        ((_titled("été".encode()),), "été"),
        ((_titled(b"\xe9t\xe9", b"text/plain; charset=iso-8859-1"),), "été"),
        ((_titled(b"\xe9t\xe9", b'text/plain; charset="Windows-1252"'),), "été"),
        ((_titled("été".encode(), b"text/plain;charset=UTF-8"),), "été"),
        ((_titled("été".encode(), b"text/plain"),), "été"),
        ((field(b"_charset_", b"iso-8859-1"), _titled(b"\xe9t\xe9")), "été"),
        ((_titled(b"\xe9t\xe9"), field(b"_charset_", b"iso-8859-1")), "été"),
        ((field(b"_charset_", b"Shift_JIS"), _titled("写真".encode("cp932"))), "写真"),
        ((field(b"_charset_", b""), _titled("été".encode())), "été"),
        (
            (
                field(b"_charset_", b"iso-8859-1"),
                _titled("été".encode(), b"text/plain; charset=utf-8"),
            ),
            "été",
        ),
    ],
    ids=str,
)
def test_texts_are_read_in_their_charset(site: Site, parts: tuple[bytes, ...], title: str) -> None:
    answer = raw_upload(site, form(*parts, PHOTO))
    assert (answer.status, answer.json().get("title")) == (201, title)


def test_filename_is_read_in_the_forms_charset(site: Site) -> None:
    answer = raw_upload(
        site,
        form(photo_part(pictures.png(8, 8), b"\xe9t\xe9.jpg"), field(b"_charset_", b"latin1")),
    )
    assert (answer.status, answer.json()["filename"]) == (201, "été.jpg")
    utf8 = photo_part(pictures.png(8, 8), "été.jpg".encode())
    answer = raw_upload(site, form(utf8, field(b"_charset_", b"windows-1252")))
    assert answer.json()["filename"] == "été.jpg"


@pytest.mark.parametrize(
    "parts",
    [
        (_titled(b"\xe9t\xe9"),),
        (_titled(b"x", b"text/plain; charset=utf-16"),),
        (_titled(b"x", b"text/plain; charset=unknown"),),
        (_titled(b"\xff", b"text/plain; charset=gbk"),),
        (field(b"_charset_", b"utf-7"),),
        (field(b"_charset_", b"x" * 10_000),),
        (field(b"_charset_", b"\xff\0"),),
    ],
    ids=str,
)
def test_text_that_cannot_be_read_is_refused(
    app_server: AppServer, site: Site, parts: tuple[bytes, ...]
) -> None:
    answer = raw_upload(site, form(*parts, PHOTO))
    assert (answer.status, answer.code) == (422, "invalid_request")
    assert "UTF-8" in answer.json()["detail"]
    assert app_server.rows(site.owner) == []


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 10\r\nContent-Length: 20",
        b"Content-Length: -1",
        b"Content-Length: x",
        b"Content-Length: 99999999999999999999999",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Transfer-Encoding: gzip",
        b"Transfer-Encoding: chunked, chunked",
    ],
    ids=lambda framing: framing.decode(),
)
def test_ambiguous_body_length_is_refused(site: Site, framing: bytes) -> None:
    """If a proxy reads another length, a request can be smuggled past it."""
    with open_connection(site) as connection:
        connection.head(b"POST", b"/api/photos", framing, b"Content-Type: " + MULTIPART)
        connection.send(b"x" * 20 + GOOD)
        answer = connection.answer()
        assert answer.status in {400, 413, 422}
        assert connection.is_closed()


@pytest.mark.parametrize(
    "lines", [b"XYZ\r\n", b"-5\r\nx", b"fffffffffffffffffff\r\nx", b"5;\x00\r\n"]
)
def test_malformed_chunks_are_refused(site: Site, lines: bytes) -> None:
    with open_connection(site) as connection:
        connection.head(
            b"POST", b"/api/photos", b"Transfer-Encoding: chunked", b"Content-Type: " + MULTIPART
        )
        connection.send(lines)
        assert connection.is_closed()
    assert raw_request(site, b"GET", b"/api/photos").json() == []


def test_client_that_disconnects_mid_upload_leaves_nothing(
    app_server: AppServer, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    for cut in (0, 10, 100, len(GOOD) - 1):
        with open_connection(site) as connection:
            connection.head(
                b"POST",
                b"/api/photos",
                b"Content-Length: %d" % len(GOOD),
                b"Content-Type: " + MULTIPART,
            )
            connection.send(GOOD[:cut])
    assert raw_request(site, b"GET", b"/api/photos").json() == []
    assert app_server.rows(site.owner) == []
    assert "Exception" not in caplog.text


_edit = st.tuples(
    st.sampled_from(["cut", "insert", "delete", "flip", "repeat"]),
    st.integers(0, len(GOOD)),
    st.integers(1, 40),
    st.one_of(
        st.binary(max_size=24),
        st.sampled_from(
            [b"\r\n", b"--" + BOUNDARY, b"\r\n--" + BOUNDARY + b"--", b'"', b"\0", b": ", b";"]
        ),
    ),
)


def _apply(body: bytes, edits: list[tuple[str, int, int, bytes]]) -> bytes:
    for kind, at, count, data in edits:
        if kind == "cut":
            body = body[:at]
        elif kind == "insert":
            body = body[:at] + data + body[at:]
        elif kind == "delete":
            body = body[:at] + body[at + count :]
        elif kind == "repeat":
            body = body[:at] + body[at : at + count] * 3 + body[at + count :]
        else:
            changed = bytes(byte ^ 0x55 for byte in body[at : at + count])
            body = body[:at] + changed + body[at + count :]
    return body


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(edits=st.lists(_edit, min_size=1, max_size=4))
@example(edits=[("cut", 0, 1, b"")])
def test_mutated_form_gets_a_documented_response(
    one_site: Site, edits: list[tuple[str, int, int, bytes]]
) -> None:
    answer = raw_upload(one_site, _apply(GOOD, edits))
    if answer.status not in {200, 201}:
        assert (answer.status, answer.code) in CODES, answer


@settings(max_examples=80, deadline=None, derandomize=True)
@given(kind=st.binary(max_size=60), disposition=st.binary(max_size=80))
def test_mutated_headers_get_a_documented_response(
    one_site: Site, kind: bytes, disposition: bytes
) -> None:
    body = form(part(b"Content-Disposition: form-data; " + disposition, pictures.png(8, 8)))
    first = raw_upload(one_site, body)
    if first.status not in {200, 201}:
        assert (first.status, first.code) in CODES, first
    printable = bytes(
        byte for byte in kind if byte not in b"\r\n\0" and byte != 0x7F and byte >= 0x20
    )
    second = raw_upload(one_site, GOOD, kind=b"multipart/form-data; " + printable)
    if second.status not in {200, 201}:
        assert (second.status, second.code) in CODES, second

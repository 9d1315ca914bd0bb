"""Archives: their length, their names, and ranges of them."""

import asyncio
import io
import zipfile
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Literal
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight.errors import RangeNotSatisfiable, StorageUnavailable
from safelight.library.downloads.archive import Archive, ArchiveMember
from safelight.library.downloads.archive_names import unique_names
from safelight.web.http.ranges import parse_range

_CHUNK = 7


def member(number: int, size: int, name: str) -> ArchiveMember:
    return ArchiveMember(
        photo_id=number,
        storage_id=f"{number}",
        name=name,
        size=size,
        sha256=f"{number}",
        date=(2024, 5, 6, 7, 8, 10),
    )


def content(member: ArchiveMember) -> bytes:
    return (member.storage_id.encode() * member.size)[: member.size]


async def open_original(member: ArchiveMember) -> AsyncGenerator[bytes]:
    data = content(member)
    for at in range(0, len(data), _CHUNK):
        yield data[at : at + _CHUNK]


def read(archive: Archive, start: int = 0, stop: int | None = None) -> bytes:
    async def collect() -> bytes:
        end = archive.size if stop is None else stop
        return b"".join([part async for part in archive.read(open_original, start=start, stop=end)])

    return asyncio.run(collect())


SIZES = st.lists(st.integers(1, 400), min_size=1, max_size=6)


@given(
    sizes=SIZES,
    limit=st.sampled_from([0, 50, 190, 200, 210, 400, 2**31]),
    max_files=st.sampled_from([2, 65_535]),
    data=st.data(),
)
def test_length_is_known_and_ranges_are_parts_of_the_whole(
    sizes: list[int], limit: int, max_files: int, data: st.DataObject
) -> None:
    """With low limits, all parts of ZIP64 are used."""
    members = [
        member(number, size, data.draw(st.sampled_from([f"{number}.jpg", f"{number} ä写.jpg"])))
        for number, size in enumerate(sizes)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zipfile, "ZIP64_LIMIT", limit)
        patch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", max_files)
        archive = Archive(members)
        whole = read(archive)
        start = data.draw(st.integers(0, archive.size - 1))
        stop = data.draw(st.integers(start + 1, archive.size))
        part = read(archive, start, stop)
    assert len(whole) == archive.size
    assert part == whole[start:stop]
    with zipfile.ZipFile(io.BytesIO(whole)) as file:
        assert file.testzip() is None
        assert {info.filename: info.CRC for info in file.infolist()} == {
            each.name: crc32(content(each)) for each in members
        }
        assert {info.date_time for info in file.infolist()} == {(2024, 5, 6, 7, 8, 10)}


@pytest.mark.parametrize("difference", [-1, 1])
def test_original_of_another_length_ends_the_archive(difference: int) -> None:
    """What was promised can't be sent: the client has to see a broken connection."""
    first = member(1, 30, "1.jpg")

    async def wrong(each: ArchiveMember) -> AsyncGenerator[bytes]:
        async for chunk in open_original(replace(each, size=each.size + difference)):
            yield chunk

    async def collect() -> list[bytes]:
        archive = Archive([first])
        return [part async for part in archive.read(wrong, start=0, stop=archive.size)]

    with pytest.raises(StorageUnavailable):
        asyncio.run(collect())


def test_etag_changes_with_the_content() -> None:
    one = member(1, 10, "1.jpg")
    others = [
        [one, member(2, 10, "2.jpg")],
        [replace(one, name="2.jpg")],
        [replace(one, sha256="2")],
        [replace(one, date=(2025, 1, 1, 0, 0, 0))],
    ]
    etags = {Archive(members).etag for members in ([one], *others)}
    assert len(etags) == 5
    assert Archive([replace(one, storage_id="moved")]).etag == Archive([one]).etag


def test_equal_names_get_numbers() -> None:
    names = ["a.jpg", "A.JPG", "a.jpg", "a (2).jpg", "é.jpg", "e\u0301.jpg", "a", "a", "b.tar.gz"]
    assert unique_names([*names, "b.tar.gz"]) == [
        *("a.jpg", "A (2).JPG", "a (3).jpg", "a (2) (2).jpg", "é.jpg", "e\u0301 (2).jpg"),
        *("a", "a (2)", "b.tar.gz", "b.tar (2).gz"),
    ]


@given(st.lists(st.sampled_from(["a.jpg", "A.jpg", "a (2).jpg", "a (3).jpg", "\uff41.jpg", "b"])))
def test_names_are_unique(names: list[str]) -> None:
    unique = unique_names(names)
    assert len({name.casefold() for name in unique}) == len(names)


def test_equal_names_are_folded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name may fold to 18 times its length, and an archive have 10,000 of them."""
    folded: list[str] = []

    def normalize(_form: Literal["NFKC"], text: str) -> str:
        folded.append(text)
        return text

    monkeypatch.setattr("unicodedata.normalize", normalize)
    unique_names(["\ufdfa" * 61 + ".jpg"] * 100)
    assert len(folded) <= 2


def test_ten_thousand_equal_names_are_quick() -> None:
    assert unique_names(["a.jpg"] * 10_000)[-1] == "a (10000).jpg"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-", (0, 100)),
        ("bytes=0-0", (0, 1)),
        ("BYTES=10-19", (10, 20)),
        ("bytes=90-1000", (90, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-1000", (0, 100)),
        ("bytes=20-10", None),
        ("bytes=-", None),
        ("bytes=0-1,5-6", None),
        ("items=0-1", None),
        ("bytes=a-b", None),
        ("bytes=٣-", None),
    ],
)
def test_range_is_parsed(header: str | None, expected: tuple[int, int] | None) -> None:
    assert parse_range(header, 100) == expected


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=999999999999999999-", "bytes=-0"])
def test_range_after_the_end_is_refused(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        parse_range(header, 100)

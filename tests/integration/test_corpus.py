"""The photos of a corpus beside the checkout, each with its expected result."""

import csv
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest_asyncio

from safelight import errors
from safelight.darkroom.pool import Darkroom
from safelight.settings import LimitSettings

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def darkroom() -> AsyncIterator[Darkroom]:
    room = Darkroom(LimitSettings())
    await room.start()
    yield room
    await room.close()


def corpus_rows() -> Iterator[tuple[Path, dict[str, str]]]:
    with (CORPUS / "manifest.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield CORPUS / row["path"], row


def hostile_rows(folder: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    script = CORPUS / "make_hostile.py"
    subprocess.run([sys.executable, script, folder], check=True, capture_output=True)
    with (folder / "hostile.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield folder / row["file"], row


async def find_error(darkroom: Darkroom, path: Path, row: dict[str, str]) -> str:
    """Return what is wrong with the result for one file; an empty string if it is as expected."""
    with path.open("rb") as file:
        try:
            facts = (await darkroom.inspect(file, owner="o")).facts
        except errors.Invalid as refusal:
            within = int(row["width"]) * int(row["height"]) <= darkroom.limits.max_pixels
            known = row["format"] in {"jpeg", "png", "gif", "webp", "avif", "heic"}
            wrong = row["expected"] == "accept" and within and known
            return f"{path.name}: {refusal.code}" if wrong else ""
    if row["expected"] == "reject":
        return f"{path.name}: accepted"
    size = (row.get("upright_width", ""), row.get("upright_height", ""))
    if (
        row["expected"] == "accept"
        and all(size)
        and (facts.width, facts.height) != (*map(int, size),)
    ):
        return f"{path.name}: {facts.width} x {facts.height}"
    return ""


if CORPUS.is_dir():  # Its photos can't be distributed: without them, these tests don't exist.

    async def test_photos_of_corpus_are_accepted_or_refused_as_expected(darkroom: Darkroom) -> None:
        results = [await find_error(darkroom, *row) for row in corpus_rows()]
        assert len(results) > 200
        assert not list(filter(None, results))

    async def test_hostile_files_of_corpus_are_refused_as_expected(
        darkroom: Darkroom, tmp_path: Path
    ) -> None:
        results = [await find_error(darkroom, *row) for row in hostile_rows(tmp_path)]
        assert len(results) > 200
        assert not list(filter(None, results))

"""The photos of a corpus beside the checkout, each with its expected result; none leaks."""

import csv
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest_asyncio

from safelight import errors
from safelight.darkroom.pool import Darkroom
from safelight.imaging.presets import build_presets, presets_for_image
from safelight.models import ImageFacts, Preset
from safelight.settings import LimitSettings, RenditionSettings
from support.metadata import metadata_of

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
PRESETS = build_presets(RenditionSettings(widths=(64, 100, 200, 400)))


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


def choose(facts: ImageFacts, *, is_large: bool = False) -> Sequence[Preset]:
    del is_large
    return presets_for_image(PRESETS, facts)


async def find_error(darkroom: Darkroom, path: Path, row: dict[str, str]) -> str:
    """Return what is wrong with the result for one file; an empty string if it is as expected."""
    with path.open("rb") as file:
        try:
            inspection = await darkroom.inspect(file, owner="o", presets=choose)
        except errors.Invalid as refusal:
            within = int(row["width"]) * int(row["height"]) <= darkroom.limits.max_pixels
            known = row["format"] in {"jpeg", "png", "gif", "webp", "avif", "heic"}
            wrong = row["expected"] == "accept" and within and known
            return f"{path.name}: {refusal.code}" if wrong else ""
    if row["expected"] == "reject":
        return f"{path.name}: accepted"
    facts, rendered = inspection.facts, inspection.rendered
    if rendered is None:  # it is large: another call renders it
        with path.open("rb") as file:
            rendered = await darkroom.render(file, facts, choose(facts), owner="o")
    secret = row.get("must_not_leak", "").encode()
    if not rendered.images or any(
        metadata_of(image.data) or (secret and secret in image.data) for image in rendered.images
    ):
        return f"{path.name}: renditions leak"
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

"""Uploads from the gallery: chosen, dropped and pasted; straight to the bucket, by Uppy."""

import asyncio
import base64
import io
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.async_api import Request, Route, expect

import pictures
from acceptance.gallery import Wall, jpeg_file, taken
from acceptance.service import Service, serving
from acceptance.visits import NO_NETWORK, REFUSED, Visiting

LONG_AGO = datetime(1999, 4, 2, 8)  # noqa: DTZ001  a camera's clock has no zone
MEBIBYTE = 1 << 20
RECIPES = Path(__file__).parents[2] / "docs" / "uploads.md"


@pytest.fixture(scope="module")
def service(open_tmp_path: Path) -> Iterator[Service]:
    """A service of these tests' own, since the wall shows all that there is."""
    with serving(open_tmp_path / "gallery-uploads") as started:
        yield started


@pytest.fixture
async def wall(visiting: Visiting, service: Service) -> Wall:
    """The gallery of somebody who has signed in."""
    return Wall(await visiting(service))


class Sent:
    """What a page sent to the store: which parts, how often each began and came through."""

    def __init__(self, wall: Wall) -> None:
        self.finished: list[str] = []
        self.asked: list[str] = []
        self._store = wall.visit.service.store
        wall.visit.context.on("request", lambda request: self._note(request, self.asked))
        wall.visit.context.on("requestfinished", self._done)

    def _note(self, request: Request, to: list[str]) -> None:
        query = parse_qs(urlsplit(request.url).query)
        if request.url.startswith(self._store) and request.method == "PUT":
            to.append(query.get("partNumber", ["whole"])[0])

    def _done(self, request: Request) -> None:
        self._note(request, self.finished)


@pytest.mark.parametrize("way", ["choose", "drop", "paste"])
async def test_photos_come_in_and_appear(wall: Wall, way: str) -> None:
    shade = 10 + ["choose", "drop", "paste"].index(way)
    files = [
        jpeg_file(f"{way} {n}.jpg", taken(LONG_AGO, width=70 + n, shade=shade)) for n in range(3)
    ]
    if way == "choose":
        await wall.choose(*files)
    else:
        await (wall.drop(files) if way == "drop" else wall.paste(files))
    await expect(wall.tray.get_by_role("heading")).to_have_text("3 photos added", timeout=20_000)
    for n in range(3):
        await expect(wall.photo(f"{way} {n}.jpg")).to_be_visible()
    await expect(wall.tray.get_by_role("status")).to_have_text("3 photos added")
    await wall.tray.get_by_role("button", name="Close").click()
    await expect(wall.tray).to_have_count(0)


async def test_what_is_dropped_before_the_uploader_has_loaded_is_kept(
    visiting: Visiting, service: Service
) -> None:
    visit = await visiting(service)
    held = asyncio.Event()

    async def slowly(route) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        await held.wait()
        await route.continue_()

    await visit.page.route("**/assets/start-*.js", slowly)
    wall = Wall(visit)
    await wall.drop([jpeg_file("early.jpg", taken(LONG_AGO, shade=31))])
    await wall.drop([jpeg_file("later.jpg", taken(LONG_AGO, shade=32))])
    held.set()
    await expect(wall.tray.get_by_role("heading")).to_have_text("2 photos added", timeout=20_000)


async def test_a_refusal_says_why_in_plain_words(wall: Wall) -> None:
    wall.visit.tolerated = REFUSED
    await wall.choose(
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": pictures.TEXT},
        jpeg_file("empty.jpg", b""),
        jpeg_file("lie.jpg", pictures.TEXT),
        jpeg_file("half.jpg", pictures.cut(pictures.jpeg(), 60)),
        jpeg_file("good.jpg", taken(LONG_AGO, shade=41)),
    )
    for name, words in (
        *(("notes.txt", "not a photo of an accepted format"), ("empty.jpg", "is empty")),
        *(("lie.jpg", "not a photo of an accepted format"), ("half.jpg", "is damaged")),
        ("good.jpg", "Added"),
    ):
        await expect(wall.upload(name)).to_contain_text(words, timeout=20_000)
    summary = "1 photo added, 4 could not be added"
    await expect(wall.tray.get_by_role("status")).to_have_text(summary)


async def test_the_same_photo_again_is_said_to_be_there(wall: Wall) -> None:
    photo = taken(LONG_AGO, shade=51)
    await wall.choose(jpeg_file("first.jpg", photo))
    await expect(wall.upload("first.jpg")).to_contain_text("Added", timeout=20_000)
    await wall.choose(jpeg_file("second.jpg", photo))
    await expect(wall.upload("second.jpg")).to_contain_text("You have this photo already")


async def test_two_hundred_files_at_once(wall: Wall) -> None:
    await wall.choose(
        *(jpeg_file(f"many {n}.jpg", taken(LONG_AGO, width=80 + n, shade=61)) for n in range(200))
    )
    await expect(wall.tray.get_by_role("progressbar").first).to_be_visible()
    assert await wall.tray.get_by_role("listitem").count() <= 50
    await expect(wall.tray.get_by_role("heading")).to_have_text("200 photos added", timeout=180_000)


async def test_a_large_file_pauses_resumes_and_sends_no_part_twice(
    wall: Wall, tmp_path: Path
) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(_noise(1, 40))
    sent = Sent(wall)
    await _throttle(wall, 6 * MEBIBYTE)
    await wall.choose(str(large))
    row = wall.upload("large.png")
    await expect(row).to_contain_text("MB/s", timeout=20_000)
    while len(sent.finished) < 2:
        await wall.page.wait_for_timeout(50)
    await row.get_by_role("button", name="Pause: large.png").click()
    await expect(row).to_contain_text("Paused")
    await wall.page.wait_for_timeout(1_000)
    begun = len(sent.asked)
    await wall.page.wait_for_timeout(1_000)
    assert len(sent.asked) == begun, "while it pauses nothing is sent"
    await row.get_by_role("button", name="Resume: large.png").click()
    await expect(row).to_contain_text("Added", timeout=60_000)
    assert sorted(set(sent.finished)) == ["1", "2", "3", "4", "5", "6"][: len(set(sent.finished))]
    assert len(sent.finished) == len(set(sent.finished)), "no finished part was sent twice"


async def test_an_upload_that_loses_the_network_midway_finishes_and_sends_no_part_twice(
    wall: Wall, tmp_path: Path
) -> None:
    large = tmp_path / "lost.png"
    large.write_bytes(_noise(2, 40))
    sent = Sent(wall)
    await _throttle(wall, 6 * MEBIBYTE)
    await wall.choose(str(large))
    while len(sent.finished) < 2:
        await wall.page.wait_for_timeout(50)
    wall.visit.tolerated = NO_NETWORK
    await _throttle(wall, 6 * MEBIBYTE, offline=True)
    await expect(wall.upload("lost.png")).to_contain_text("Waiting for the network")
    await wall.page.wait_for_timeout(3_000)
    await _throttle(wall, 6 * MEBIBYTE)
    await expect(wall.upload("lost.png")).to_contain_text("Added", timeout=60_000)
    assert len(sent.finished) == len(set(sent.finished)), "no finished part was sent twice"


@pytest.mark.parametrize("mebibytes", [1, 20])
async def test_an_upload_of_which_nothing_moves_begins_again_by_itself(
    wall: Wall, tmp_path: Path, mebibytes: int
) -> None:
    """As on a connection that stalls, and tells neither side."""
    file = tmp_path / f"stalled {mebibytes}.png"
    file.write_bytes(_noise(20 + mebibytes, mebibytes))
    stalled: list[Route] = []

    async def stalling_once(route: Route) -> None:
        if route.request.method == "PUT" and not stalled:
            stalled.append(route)
        else:
            await route.continue_()

    await wall.page.route(f"{wall.visit.service.store}/**", stalling_once)
    await wall.page.clock.install()
    await wall.choose(str(file))
    while not stalled:
        await wall.page.wait_for_timeout(50)
    await wall.page.clock.fast_forward(10_000)
    await expect(wall.upload(file.name)).not_to_contain_text("Added")
    await wall.page.clock.fast_forward(10_000)
    await expect(wall.upload(file.name)).to_contain_text("Added", timeout=20_000)
    await stalled[0].abort()


async def test_a_phone_takes_a_photo_with_its_camera(visiting: Visiting, service: Service) -> None:
    wall = Wall(await visiting(service, phone=True))
    async with wall.page.expect_file_chooser() as opening:
        await wall.page.get_by_role("button", name="Take a photo").click()
    chooser = await opening.value
    asked = "input => [input.getAttribute('capture'), input.accept, input.multiple]"
    assert await chooser.element.evaluate(asked) == ["environment", "image/*", False]
    await chooser.set_files(jpeg_file("camera.jpg", taken(LONG_AGO, shade=91)))
    await expect(wall.upload("camera.jpg")).to_contain_text("Added", timeout=20_000)


async def test_without_a_finger_there_is_no_camera_to_press(wall: Wall) -> None:
    await expect(wall.page.get_by_role("button", name="Add photos")).to_be_visible()
    await expect(wall.page.get_by_role("button", name="Take a photo")).to_have_count(0)


@pytest.mark.parametrize("mebibytes", [4, 40])
async def test_what_is_cancelled_leaves_nothing(wall: Wall, tmp_path: Path, mebibytes: int) -> None:
    file = tmp_path / "given up.png"
    file.write_bytes(_noise(3 + mebibytes, mebibytes))
    await _throttle(wall, 2 * MEBIBYTE)
    sent = Sent(wall)
    gone: list[str] = []
    wall.visit.context.on(
        "request", lambda request: gone.append(request.url) if request.method == "DELETE" else None
    )
    await wall.choose(str(file))
    row = wall.upload("given up.png")
    await expect(row).to_contain_text("%", timeout=20_000)
    async with asyncio.timeout(30):  # Before a part is on its way there may be nothing to give up.
        while not sent.asked:
            await wall.page.wait_for_timeout(50)
    await row.get_by_role("button", name="Cancel: given up.png").click()
    await expect(wall.tray).to_have_count(0)
    await wall.page.wait_for_timeout(3_000)
    told = {urlsplit(url).path.split("/")[1] for url in gone}
    assert "api" in told, "the server is told"
    assert ("safelight" in told) == (mebibytes > 16), "what was sent in parts is given up there"


async def test_a_failed_upload_is_tried_again_by_hand(wall: Wall) -> None:
    wall.visit.tolerated = (*NO_NETWORK, *REFUSED)
    await wall.page.route("**/api/uploads", lambda route: route.fulfill(status=403, body="{}"))
    await wall.choose(jpeg_file("again.jpg", taken(LONG_AGO, shade=71)))
    retry = wall.tray.get_by_role("button", name="Try again: again.jpg")
    await expect(retry).to_be_visible(timeout=20_000)
    await wall.page.unroute("**/api/uploads")
    await retry.click()
    await expect(wall.upload("again.jpg")).to_contain_text("Added", timeout=20_000)


async def test_leaving_while_sending_asks_first(wall: Wall, tmp_path: Path) -> None:
    file = tmp_path / "leaving.png"
    file.write_bytes(_noise(9, 12))
    await _throttle(wall, MEBIBYTE)
    await wall.choose(str(file))
    await expect(wall.upload("leaving.png")).to_contain_text("%", timeout=20_000)
    asked: list[str] = []

    async def stay(dialog) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        asked.append(dialog.type)
        await dialog.dismiss()

    wall.page.on("dialog", stay)
    await wall.page.evaluate("setTimeout(() => location.reload())")
    await wall.page.wait_for_timeout(1_500)
    assert asked == ["beforeunload"]
    await expect(wall.upload("leaving.png")).to_be_visible()
    await wall.tray.get_by_role("button", name="Cancel all").click()


def _noise(seed: int, mebibytes: int) -> bytes:
    """A PNG of noise, as large as it says."""
    rows = mebibytes * MEBIBYTE // (3 * 2048)
    grains = np.random.default_rng(seed).integers(0, 256, (rows, 2048, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(grains).save(file, "PNG", compress_level=0)
    return file.getvalue()


async def _throttle(wall: Wall, rate: int, *, offline: bool = False) -> None:
    """Let no more than `rate` bytes a second through, or none."""
    if wall.wire is None:
        wall.wire = await wall.visit.context.new_cdp_session(wall.page)
        await wall.wire.send("Network.enable")
    await wall.wire.send(
        "Network.emulateNetworkConditions",
        {"offline": offline, "latency": 5, "downloadThroughput": -1, "uploadThroughput": rate},
    )


async def test_the_documented_fetch_uploads_straight_to_the_bucket(wall: Wall) -> None:
    recipe = re.search(r"```js\n(async function upload.*?)```", RECIPES.read_text(), re.DOTALL)
    assert recipe
    data = taken(LONG_AGO, width=333, shade=77)
    sent = Sent(wall)
    photo = await wall.page.evaluate(
        f"""async (encoded) => {{
          {recipe[1]}
          const bytes = Uint8Array.from(atob(encoded), (each) => each.charCodeAt(0))
          return await upload(new File([bytes], 'fetched.jpg', {{ type: 'image/jpeg' }}))
        }}""",
        base64.b64encode(data).decode(),
    )
    assert (photo["filename"], photo["size"]) == ("fetched.jpg", len(data))
    assert sent.asked == ["whole"]

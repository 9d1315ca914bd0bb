"""Uploads from the gallery, straight to the bucket: chosen, dropped and pasted files."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import FilePayload, Page, Request, Route, expect

from support import pictures
from support.browser_session import NO_NETWORK, REFUSED, OpenBrowserSession
from support.gallery import GalleryPage, HeldRequests, jpeg_file, make_photo
from support.service import Service, run_service

LONG_AGO = datetime(1999, 4, 2, 8)  # noqa: DTZ001  a camera's clock has no zone
MEBIBYTE = 1 << 20
ROWS = 50
"""The files that the panel lists at most."""


@pytest.fixture(scope="module")
def service(open_tmp_path: Path) -> Iterator[Service]:
    """A separate service, since the gallery shows all of its photos."""
    with run_service(open_tmp_path / "gallery-uploads") as started:
        yield started


@pytest.fixture
async def gallery(open_session: OpenBrowserSession, service: Service) -> GalleryPage:
    """The gallery, signed in."""
    return GalleryPage(await open_session(service))


def _part_of(request: Request) -> str:
    return parse_qs(urlsplit(request.url).query).get("partNumber", ["whole"])[0]


def _hold_later_parts() -> HeldRequests:
    """Hold all parts but the first three: the upload can't end before the test has acted."""
    return HeldRequests(
        lambda request: request.method == "PUT" and _part_of(request) not in {"1", "2", "3"}
    )


class StoreRequests:
    """Records the part numbers of the PUT requests to the store, started and finished."""

    def __init__(self, gallery: GalleryPage) -> None:
        self.finished: list[str] = []
        self.started: list[str] = []
        self.repeated: list[str] = []
        """Parts that were started again though they had been finished."""
        self._store = gallery.session.service.store
        gallery.session.context.on("request", self._on_started)
        gallery.session.context.on("requestfinished", self._on_finished)

    def _on_started(self, request: Request) -> None:
        if self._note(request, self.started) and _part_of(request) in self.finished:
            self.repeated.append(_part_of(request))

    def _on_finished(self, request: Request) -> None:
        self._note(request, self.finished)

    def _note(self, request: Request, to: list[str]) -> bool:
        is_part = request.url.startswith(self._store) and request.method == "PUT"
        if is_part:
            to.append(_part_of(request))
        return is_part


@pytest.mark.parametrize("way", ["choose", "drop", "paste"])
async def test_uploaded_photos_appear_in_the_grid(gallery: GalleryPage, way: str) -> None:
    shade = 10 + ["choose", "drop", "paste"].index(way)
    files = [
        jpeg_file(f"{way} {n}.jpg", make_photo(LONG_AGO, width=70 + n, shade=shade))
        for n in range(3)
    ]
    if way == "choose":
        await gallery.choose(*files)
    else:
        await (gallery.drop(files) if way == "drop" else gallery.paste(files))
    await expect(gallery.uploads.get_by_role("heading")).to_have_text("3 photos added")
    for n in range(3):
        await expect(gallery.photo(f"{way} {n}.jpg")).to_be_visible()
    await expect(gallery.uploads.get_by_role("status")).to_have_text("3 photos added")
    await gallery.uploads.get_by_role("button", name="Close").click()
    await expect(gallery.uploads).to_have_count(0)


async def test_files_dropped_before_the_upload_code_has_loaded_are_uploaded(
    open_session: OpenBrowserSession, service: Service
) -> None:
    visit = await open_session(service)
    code = HeldRequests()
    await visit.page.route("**/assets/start-*.js", code)
    gallery = GalleryPage(visit)
    await gallery.drop([jpeg_file("early.jpg", make_photo(LONG_AGO, shade=31))])
    await gallery.drop([jpeg_file("later.jpg", make_photo(LONG_AGO, shade=32))])
    code.release()
    await expect(gallery.uploads.get_by_role("heading")).to_have_text("2 photos added")


@pytest.mark.parametrize("away", [True, False], ids=["no network", "no file"])
async def test_files_are_kept_and_uploaded_when_the_code_could_not_be_loaded_at_first(
    open_session: OpenBrowserSession, service: Service, *, away: bool
) -> None:
    visit = await open_session(service)
    visit.expected_errors = NO_NETWORK
    gallery = GalleryPage(visit)
    if away:
        await visit.context.set_offline(True)
    else:
        await visit.page.route("**/assets/start-*.js*", lambda route: route.abort())
    await gallery.drop([jpeg_file("kept.jpg", make_photo(LONG_AGO, shade=33 + 60 * away))])
    await expect(visit.page.get_by_text("The photos are kept")).to_be_visible()
    await gallery.drop([jpeg_file("kept too.jpg", make_photo(LONG_AGO, shade=34 + 60 * away))])
    await visit.context.set_offline(False)
    await visit.page.unroute("**/assets/start-*.js*")
    await expect(gallery.uploads.get_by_role("heading")).to_have_text("2 photos added")
    await expect(visit.page.get_by_text("The photos are kept")).to_have_count(0)


async def test_page_that_is_older_than_the_server_says_reload(
    open_session: OpenBrowserSession, service: Service
) -> None:
    visit = await open_session(service)
    visit.expected_errors = REFUSED
    gallery = GalleryPage(visit)
    await gallery.choose(jpeg_file("before.jpg", make_photo(LONG_AGO, shade=35)))
    await expect(gallery.photo("before.jpg")).to_be_visible()
    await visit.page.route("**/gallery/assets/*", lambda route: route.fulfill(status=404))
    await gallery.photo("before.jpg").click()
    await expect(visit.page.get_by_text("Safelight has been updated.")).to_be_visible()
    await expect(visit.page).to_have_url(f"{service.url}/")
    await visit.page.unroute("**/gallery/assets/*")
    await visit.page.get_by_role("button", name="Reload").click()
    await gallery.photo("before.jpg").click()
    await gallery.viewer.shows("before.jpg")


async def test_files_that_are_not_photos_and_duplicates_are_counted(gallery: GalleryPage) -> None:
    old = make_photo(LONG_AGO, shade=36)
    texts: list[FilePayload] = [
        {"name": name, "mimeType": "text/plain", "buffer": pictures.TEXT}
        for name in ("a.txt", "b.txt")
    ]
    await gallery.choose(jpeg_file("one.jpg", old))
    await expect(gallery.upload("one.jpg")).to_contain_text("Added")
    await gallery.uploads.get_by_role("button", name="Close").click()
    await gallery.choose(
        jpeg_file("same.jpg", old),
        jpeg_file("other.jpg", make_photo(LONG_AGO, shade=37)),
        *texts,
    )
    heading = gallery.uploads.get_by_role("heading")
    await expect(heading).to_have_text("1 photo added, 1 already there")
    left_out = gallery.uploads.get_by_text("2 files are not photos and were left out.", exact=True)
    await expect(left_out).to_be_visible()
    await expect(gallery.uploads.get_by_role("listitem")).to_have_count(2)
    await gallery.uploads.get_by_role("button", name="Show recently added").click()
    await expect(gallery.page).to_have_title("Recently added · Safelight")
    await expect(gallery.photos.first.get_by_role("img")).to_have_attribute("alt", "other.jpg")
    await expect(gallery.uploads).to_have_count(0)


async def test_browser_without_a_network_uploads_to_its_own_machine(
    open_session: OpenBrowserSession, service: Service
) -> None:
    """The browser's word for the network is overridden: real requests still arrive."""
    visit = await open_session(service)
    await visit.page.add_init_script(
        "Object.defineProperty(Navigator.prototype, 'onLine', {get: () => false})"
    )
    gallery = await GalleryPage(visit).open()
    await gallery.choose(
        jpeg_file("loopback.jpg", make_photo(LONG_AGO, shade=38)),
        {"name": "large.png", "mimeType": "image/png", "buffer": pictures.png_of_mebibytes(18, 9)},
    )
    await expect(gallery.uploads.get_by_role("heading")).to_have_text("2 photos added")
    await expect(visit.page.get_by_text("You are offline")).to_have_count(0)


async def test_reload_during_uploads_offers_to_add_the_files_again(
    open_session: OpenBrowserSession, service: Service
) -> None:
    visit = await open_session(service)
    visit.page.on("dialog", lambda dialog: dialog.accept())
    gallery = GalleryPage(visit)
    await visit.page.route("**/api/uploads", lambda _: None)
    await gallery.choose(jpeg_file("left.jpg", make_photo(LONG_AGO, shade=39)))
    await expect(gallery.upload("left.jpg")).to_contain_text("Preparing")
    await visit.page.reload()
    await visit.page.unroute("**/api/uploads")
    await expect(visit.page.get_by_text("An upload was interrupted.")).to_be_visible()
    async with visit.page.expect_file_chooser() as opening:
        await visit.page.get_by_role("button", name="Choose photos").click()
    await (await opening.value).set_files(jpeg_file("left.jpg", make_photo(LONG_AGO, shade=39)))
    await expect(gallery.upload("left.jpg")).to_contain_text("Added")
    await visit.page.reload()
    await expect(gallery.photo("left.jpg").first).to_be_visible()
    await expect(visit.page.get_by_text("interrupted")).to_have_count(0)


async def test_refused_file_shows_the_reason(gallery: GalleryPage) -> None:
    gallery.session.expected_errors = REFUSED
    await gallery.choose(
        jpeg_file("notes.jpg", pictures.TEXT),
        jpeg_file("empty.jpg", b""),
        jpeg_file("lie.jpg", pictures.TEXT),
        jpeg_file("half.jpg", pictures.truncate(pictures.jpeg(), 60)),
        jpeg_file("good.jpg", make_photo(LONG_AGO, shade=41)),
    )
    for name, words in (
        *(("notes.jpg", "Unsupported format"), ("empty.jpg", "is empty")),
        *(("lie.jpg", "Unsupported format"), ("half.jpg", "is damaged")),
        ("good.jpg", "Added"),
    ):
        await expect(gallery.upload(name)).to_contain_text(words)
    summary = "1 photo added, 4 refused"
    await expect(gallery.uploads.get_by_role("status")).to_have_text(summary)


async def test_only_temporary_failures_offer_a_retry(gallery: GalleryPage) -> None:
    gallery.session.expected_errors = REFUSED
    await gallery.choose(
        jpeg_file("plain.jpg", pictures.TEXT),
        jpeg_file("short.jpg", pictures.truncate(pictures.jpeg(), 60)),
    )
    await expect(gallery.uploads.get_by_role("heading")).to_have_text("2 refused")
    await expect(gallery.uploads.get_by_role("button", name="Try again")).to_have_count(0)


async def test_folder_drop_leaves_out_and_counts_files_that_are_not_photos(
    gallery: GalleryPage, tmp_path: Path
) -> None:
    album = tmp_path / "album"
    (album / "more").mkdir(parents=True)
    (album / "in folder.jpg").write_bytes(make_photo(LONG_AGO, shade=44))
    (album / "notes.txt").write_bytes(pictures.TEXT)
    (album / ".hidden").write_bytes(pictures.TEXT)
    (album / "more" / "deeper.jpg").write_bytes(make_photo(LONG_AGO, shade=45))
    (album / "more" / "list.csv").write_text("a,b")
    (album / "more" / "film.mov").write_bytes(pictures.TEXT)
    await gallery.drop_folder(album)
    heading = gallery.uploads.get_by_role("heading")
    await expect(heading).to_have_text("2 photos added")
    summary = "2 photos added. 3 files are not photos and were left out."
    await expect(gallery.uploads.get_by_role("status")).to_have_text(summary)
    await expect(gallery.uploads.get_by_role("listitem")).to_have_count(2)
    await expect(gallery.uploads.get_by_role("button", name="Try again")).to_have_count(0)
    await gallery.uploads.get_by_role("button", name="Close").click()
    await expect(gallery.uploads).to_have_count(0)


async def test_folder_drop_without_photos_says_so(gallery: GalleryPage, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "notes.txt").write_bytes(pictures.TEXT)
    await gallery.drop_folder(tmp_path / "texts")
    await expect(gallery.uploads.get_by_role("heading")).to_have_text("No photos added")
    note = gallery.uploads.get_by_text("1 file is not a photo and was left out.", exact=True)
    await expect(note).to_be_visible()
    await gallery.uploads.get_by_role("button", name="Close").click()
    await expect(gallery.uploads).to_have_count(0)


async def test_duplicate_is_reported(gallery: GalleryPage) -> None:
    photo = make_photo(LONG_AGO, shade=51)
    await gallery.choose(jpeg_file("first.jpg", photo))
    await expect(gallery.upload("first.jpg")).to_contain_text("Added")
    await gallery.choose(jpeg_file("second.jpg", photo))
    await expect(gallery.upload("second.jpg")).to_contain_text("You already have this photo")


async def test_more_files_than_the_panel_lists_are_uploaded(gallery: GalleryPage) -> None:
    reservations = HeldRequests()
    await gallery.page.route("**/api/uploads", reservations)
    await gallery.choose(
        *(
            jpeg_file(f"many {n}.jpg", make_photo(LONG_AGO, width=80 + n, shade=61))
            for n in range(ROWS + 10)
        )
    )
    await expect(gallery.uploads.get_by_role("progressbar").first).to_be_visible()
    assert await gallery.uploads.get_by_role("listitem").count() <= ROWS
    reservations.release()
    await expect(gallery.uploads.get_by_role("heading")).to_have_text(
        "60 photos added", timeout=240_000
    )


async def test_paused_upload_resumes_without_sending_a_part_twice(
    gallery: GalleryPage, tmp_path: Path
) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(pictures.png_of_mebibytes(40, seed=100))
    sent = StoreRequests(gallery)
    later_parts = _hold_later_parts()
    await gallery.page.route(f"{gallery.session.service.store}/**", later_parts)
    await gallery.choose(str(large))
    row = gallery.upload("large.png")
    while len(sent.finished) < 2:
        await gallery.page.wait_for_timeout(50)
    await row.get_by_role("button", name="Pause: large.png").click()
    await expect(row).to_contain_text("Paused")
    await gallery.page.wait_for_timeout(1_000)
    begun = len(sent.started)
    await gallery.page.wait_for_timeout(1_000)
    assert len(sent.started) == begun, "nothing is sent while paused"
    later_parts.release()
    await row.get_by_role("button", name="Resume: large.png").click()
    await expect(row).to_contain_text("Added")
    assert sorted(set(sent.started)) == ["1", "2", "3", "4", "5", "6"]
    assert sent.repeated == []


async def test_upload_survives_a_network_loss_without_sending_a_part_twice(
    gallery: GalleryPage, tmp_path: Path
) -> None:
    large = tmp_path / "lost.png"
    large.write_bytes(pictures.png_of_mebibytes(40, seed=200))
    sent = StoreRequests(gallery)
    later_parts = _hold_later_parts()
    await gallery.page.route(f"{gallery.session.service.store}/**", later_parts)
    await gallery.choose(str(large))
    while len(sent.finished) < 2:
        await gallery.page.wait_for_timeout(50)
    gallery.session.expected_errors = NO_NETWORK
    await _throttle(gallery, -1, offline=True)
    later_parts.release()
    await expect(gallery.upload("lost.png")).to_contain_text("Waiting for the network")
    await gallery.page.wait_for_timeout(3_000)
    await _throttle(gallery, -1)
    await expect(gallery.upload("lost.png")).to_contain_text("Added")
    assert sent.repeated == []


@pytest.mark.parametrize("mebibytes", [1, 20])
async def test_stalled_upload_is_restarted(
    gallery: GalleryPage, tmp_path: Path, mebibytes: int
) -> None:
    """Simulates a connection that stalls without an error on either side."""
    file = tmp_path / f"stalled {mebibytes}.png"
    file.write_bytes(pictures.png_of_mebibytes(mebibytes, seed=300))
    stalled: list[Route] = []

    async def stalling_once(route: Route) -> None:
        if route.request.method == "PUT" and not stalled:
            stalled.append(route)
        else:
            await route.continue_()

    await gallery.page.route(f"{gallery.session.service.store}/**", stalling_once)
    await gallery.page.clock.install()
    await gallery.choose(str(file))
    while not stalled:
        await gallery.page.wait_for_timeout(50)
    await gallery.page.clock.fast_forward(20_000)
    await expect(gallery.upload(file.name)).to_contain_text("Added")
    await stalled[0].abort()


async def test_phone_uploads_a_photo_from_its_camera(
    open_session: OpenBrowserSession, service: Service
) -> None:
    gallery = GalleryPage(await open_session(service, phone=True))
    async with gallery.page.expect_file_chooser() as opening:
        await gallery.page.get_by_role("button", name="Take a photo").click()
    chooser = await opening.value
    attributes = "input => [input.getAttribute('capture'), input.accept, input.multiple]"
    assert await chooser.element.evaluate(attributes) == ["environment", "image/*", False]
    await chooser.set_files(jpeg_file("camera.jpg", make_photo(LONG_AGO, shade=91)))
    await expect(gallery.upload("camera.jpg")).to_contain_text("Added")


async def test_camera_button_needs_a_touch_screen(gallery: GalleryPage) -> None:
    await expect(gallery.page.get_by_role("button", name="Add photos")).to_be_visible()
    await expect(gallery.page.get_by_role("button", name="Take a photo")).to_have_count(0)


@pytest.mark.parametrize("mebibytes", [4, 40])
async def test_cancelled_upload_is_removed_from_the_store(
    gallery: GalleryPage, tmp_path: Path, mebibytes: int
) -> None:
    file = tmp_path / "cancelled.png"
    file.write_bytes(pictures.png_of_mebibytes(mebibytes, seed=400))
    parts = HeldRequests(lambda request: request.method == "PUT")
    await gallery.page.route(f"{gallery.session.service.store}/**", parts)
    deletes: list[str] = []
    gallery.session.context.on(
        "request",
        lambda request: deletes.append(request.url) if request.method == "DELETE" else None,
    )
    await gallery.choose(str(file))
    row = gallery.upload("cancelled.png")
    await expect(row).to_contain_text("%")
    while not parts.held:  # There is nothing to abort until the first part is being sent.
        await gallery.page.wait_for_timeout(50)
    await row.get_by_role("button", name="Cancel: cancelled.png").click()
    await expect(gallery.uploads).to_have_count(0)

    def deleted() -> set[str]:
        return {urlsplit(url).path.split("/")[1] for url in deletes}

    while "api" not in deleted() or ("safelight" not in deleted() and mebibytes > 16):
        await gallery.page.wait_for_timeout(50)
    parts.release()
    assert deleted() == {"api", "safelight"} if mebibytes > 16 else {"api"}


async def test_retry_button_uploads_a_failed_file(gallery: GalleryPage) -> None:
    gallery.session.expected_errors = (*NO_NETWORK, *REFUSED)
    await gallery.page.route("**/api/uploads", lambda route: route.fulfill(status=403, body="{}"))
    await gallery.choose(jpeg_file("again.jpg", make_photo(LONG_AGO, shade=71)))
    retry = gallery.uploads.get_by_role("button", name="Try again: again.jpg")
    await expect(retry).to_be_visible(timeout=60_000)
    await gallery.page.unroute("**/api/uploads")
    await retry.click()
    await expect(gallery.upload("again.jpg")).to_contain_text("Added")


async def test_leaving_during_an_upload_asks_first(gallery: GalleryPage, tmp_path: Path) -> None:
    file = tmp_path / "leaving.png"
    file.write_bytes(pictures.png_of_mebibytes(12, seed=500))
    await _throttle(gallery, MEBIBYTE // 16)
    await gallery.choose(str(file))
    await expect(gallery.upload("leaving.png")).to_contain_text("KB/s")
    dialogs: list[str] = []

    async def stay(dialog) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        dialogs.append(dialog.type)
        await dialog.dismiss()

    gallery.page.on("dialog", stay)
    await gallery.page.evaluate("setTimeout(() => location.reload())")
    while not dialogs:
        await gallery.page.wait_for_timeout(50)
    assert dialogs == ["beforeunload"]
    await expect(gallery.upload("leaving.png")).to_be_visible()
    await gallery.uploads.get_by_role("button", name="Cancel all").click()


async def _throttle(gallery: GalleryPage, rate: int, *, offline: bool = False) -> None:
    """Limit the page's upload rate to `rate` bytes per second, or disconnect it."""
    if gallery.wire is None:
        gallery.wire = await gallery.session.context.new_cdp_session(gallery.page)
        await gallery.wire.send("Network.enable")
    await gallery.wire.send(
        "Network.emulateNetworkConditions",
        {"offline": offline, "latency": 5, "downloadThroughput": -1, "uploadThroughput": rate},
    )


_WORKER_IS_ACTIVE = """async () => {
  const worker = await navigator.serviceWorker.getRegistration('/share')
  return worker?.active?.state === 'activated'
}"""
_SHARE_TARGET = """async () => {
  const link = document.querySelector('link[rel=manifest]').href
  return (await (await fetch(link)).json()).share_target
}"""

_KEPT = """async () => {
  const caches_ = await Promise.all((await caches.keys()).map((name) => caches.open(name)))
  return (await Promise.all(caches_.map((cache) => cache.keys()))).flat().length
}"""


async def _share(page: Page, address: str, field: str, *files: FilePayload) -> None:
    """Post files as the share sheet does: from outside of the site."""
    await page.goto("about:blank")
    await page.set_content(
        f'<form method="post" enctype="multipart/form-data" action="{address}">'
        f'<input type="file" name="{field}" multiple><button>Share</button></form>'
    )
    await page.locator("input").set_input_files(list(files))
    async with page.expect_navigation(wait_until="domcontentloaded"):
        await page.get_by_role("button", name="Share").click()


async def test_shared_photos_land_in_the_upload_panel(
    open_session: OpenBrowserSession, service: Service
) -> None:
    gallery = GalleryPage(await open_session(service, phone=True))
    page, taken = gallery.page, datetime(2022, 3, 4, 5)  # noqa: DTZ001  a camera's clock has no zone
    await gallery.open()
    await page.wait_for_function(_WORKER_IS_ACTIVE)
    target = await page.evaluate(_SHARE_TARGET)
    (field,) = [each["name"] for each in target["params"]["files"]]

    key = target["action"].partition("=")[2]
    for refused in ("/share", "/share?key=", f"/share?key={key[::-1]}"):
        planted = jpeg_file("planted.jpg", make_photo(taken, shade=77))
        await _share(page, f"{service.url}{refused}", field, planted)
        await expect(page.get_by_role("alert")).to_contain_text("installed app")
    assert await page.evaluate(_KEPT) == 0

    shared = [
        jpeg_file("Strand ä.jpg", make_photo(taken, shade=78)),
        jpeg_file("shared-2.jpg", make_photo(taken, shade=79)),
        FilePayload(name="notes.txt", mimeType="text/plain", buffer=b"no photo"),
    ]
    await _share(page, f"{service.url}{target['action']}", field, *shared)
    await expect(page).to_have_url(f"{service.url}/")
    await expect(gallery.uploads.get_by_role("heading")).to_have_text("2 photos added")
    await expect(gallery.upload("Strand ä.jpg")).to_contain_text("Added")
    await expect(gallery.uploads.locator(".left-out")).to_be_visible()
    await page.reload()
    await page.wait_for_function(_WORKER_IS_ACTIVE)
    assert await page.evaluate(_KEPT) == 0
    await expect(gallery.uploads).to_have_count(0)
    async with service.api() as api:
        found = (await api.get("/api/photos", params={"q": "planted"})).json()
    assert found == []


async def test_gallery_is_in_german(open_session: OpenBrowserSession, service: Service) -> None:
    gallery = GalleryPage(await open_session(service, locale="de-DE"))
    gallery.session.expected_errors = REFUSED
    page = gallery.page
    await gallery.open()
    await expect(page).to_have_title("Fotos · Safelight")
    taken = datetime(2021, 5, 20, 13, 5)  # noqa: DTZ001  a camera's clock has no zone
    photo = make_photo(taken) + bytes(1_500_000)
    async with page.expect_file_chooser() as opening:
        await page.get_by_role("button", name="Fotos hinzufügen").click()
    await (await opening.value).set_files(
        [jpeg_file("garten.jpg", photo), jpeg_file("plan.jpg", b"%PDF-1.7 " * 99)]
    )
    uploads = page.get_by_role("region", name="Hochladen")
    await expect(uploads.get_by_role("heading")).to_have_text("1 Foto hinzugefügt, 1 abgelehnt")
    await expect(uploads).to_contain_text("Dieses Format wird nicht unterstützt.")
    await expect(page.get_by_role("heading", name="Mai 2021")).to_have_text("Mai 20211 Foto")
    # German words are longer than the English ones.
    for width in (320, 768, 900, 1024, 1181, 1280):
        await page.set_viewport_size({"width": width, "height": 900})
        await page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")

    await page.get_by_role("link", name="garten.jpg").click()
    dialog = page.get_by_role("dialog", name="Fotoansicht: garten.jpg")
    await expect(dialog.get_by_role("button", name="Schließen")).to_be_visible()
    details = dialog.get_by_role("region", name="Details")
    await expect(details).to_contain_text("20. Mai 2021 um 13:05")
    await expect(details).to_contain_text("40, 1,5 MB")
    await details.get_by_role("button", name="Alle Links widerrufen …").click()
    await expect(details.get_by_role("button", name="Abbrechen")).to_be_visible()
    assert await details.evaluate("panel => panel.scrollWidth <= panel.clientWidth")

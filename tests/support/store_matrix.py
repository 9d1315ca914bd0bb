"""What each store does, found out by trying, and the table of that in docs/stores.md.

A test of a store compares its column with the documented one. With UPDATE_STORES=1 in the
environment it writes the column instead.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
from pydantic import SecretStr

from safelight import keys
from safelight.library.reconcile.findings import ReconcileOptions
from safelight.settings import S3Settings, Settings
from safelight.storage import (
    CheckOutcome,
    FeatureProbe,
    ProbeReport,
    SetupOutcome,
    StoreProbe,
    configure_bucket,
    try_cors,
)
from support import pictures
from support.app_server import AppServer, run_app_server
from support.direct_uploads import MultipartUpload, complete, digest, reserve_and_send
from support.name_proxy import run_name_proxy
from support.reconcile import APPLY, list_objects, reconcile
from support.stores import BUCKET, REGION, RealStore, wait_until

DOCS = Path(__file__).parents[2] / "docs" / "stores.md"
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->\n"
TIMEOUT = timedelta(seconds=60)
ORIGIN = "https://photos.example"

ROWS = {
    "range": "`Range`",
    "head": "HEAD",
    "private": "refuses requests without a valid signature",
    "conditional writes": "keeps to `If-None-Match: *`",
    "checksums": "accepts `x-amz-checksum-sha256`",
    "damaged bytes": "refuses bytes with another checksum",
    "signed body": "refuses bytes with another signed SHA-256",
    "bulk delete": "bulk delete",
    "multipart": "multipart upload",
    "upload list": "list of unfinished uploads",
    "upload prefixes": "… by prefix",
    "region": "names the right region",
    "virtual hosts": "bucket in the host name",
    "Lifecycle": "lifecycle rule",
    "CORS": "CORS rule",
    "preflight": "preflight after `bucket setup`",
}
"""The checks of a column, and the titles of their rows."""

_YES, _NO = "yes", "no"


async def describe_store(store: RealStore) -> dict[str, str]:
    """Return a store's column, by check. Its bucket must exist."""
    credentials = store.credentials
    proven = await StoreProbe(store.config, credentials, timeout=TIMEOUT).run()
    assert proven.failure is None, proven.failure
    tried = await FeatureProbe(
        store.config, credentials, timeout=TIMEOUT, features=proven.features
    ).run()
    column = _cells(proven) | _cells(tried)
    current = credentials.current
    steps = await configure_bucket(store.config, current, origins=[ORIGIN])
    is_set = {
        step.title: step.outcome in {SetupOutcome.DONE, SetupOutcome.ALREADY_SET} for step in steps
    }
    column |= {title: _YES if done else _NO for title, done in is_set.items()}
    cors = await try_cors(store.config, current, [ORIGIN], is_new=is_set["CORS"])
    column["preflight"] = _YES if cors.works else _NO
    column["region"] = await _describe_region(store)
    column["virtual hosts"] = await _describe_virtual_hosts(store)
    return {check: column[check] for check in ROWS}


async def _describe_region(store: RealStore) -> str:
    config = replace(store.config, region="eu-central-1")
    report = await StoreProbe(config, store.credentials, timeout=TIMEOUT).run()
    if report.failure is None:
        return "accepts any"
    named = f"SAFELIGHT_S3__REGION={REGION}" in report.failure.message
    return _YES if named else _NO


async def _describe_virtual_hosts(store: RealStore) -> str:
    with run_name_proxy(store.url):
        report = await StoreProbe(store.virtual_config, store.credentials, timeout=TIMEOUT).run()
    return _NO if report.failure else _YES


def _cells(report: ProbeReport) -> dict[str, str]:
    return {each.check: _YES if each.outcome is CheckOutcome.OK else _NO for each in report.results}


def check_column(name: str, column: dict[str, str], docs: Path = DOCS) -> None:
    """Fail if the documentation has another column for a store; or write it, if asked to."""
    if os.environ.get("UPDATE_STORES"):
        with docs.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # tests of other stores may run at the same time
            text = _with_column(file.read(), name, column)
            file.seek(0)
            file.truncate()
            file.write(text)
    documented = read_table(docs.read_text()).get(name)
    assert documented == column, "run this test with UPDATE_STORES=1, and commit docs/stores.md"


def read_table(text: str) -> dict[str, dict[str, str]]:
    """Return the documented columns, by store and check."""
    lines = text.partition(BEGIN)[2].partition(END)[0].splitlines()
    if not lines:
        return {}
    names = _split(lines[0])[1:]
    checks = {title: check for check, title in ROWS.items()}
    columns: dict[str, dict[str, str]] = {name: {} for name in names}
    for title, *cells in map(_split, lines[2:]):
        for name, cell in zip(names, cells, strict=True):
            columns[name][checks.get(title, title)] = cell
    return columns


def _with_column(text: str, name: str, column: dict[str, str]) -> str:
    columns = read_table(text) | {name: column}
    names = sorted(columns, key=str.lower)
    rows = [
        ["", *names],
        ["---"] * (len(names) + 1),
        *([title, *(columns[n].get(check, "") for n in names)] for check, title in ROWS.items()),
    ]
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    start, _, rest = text.partition(BEGIN)
    return f"{start}{BEGIN}{table}{END}{rest.partition(END)[2]}"


def _split(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


@contextmanager
def run_library(
    store: RealStore, database_url: str, data_dir: Path, *, is_virtual: bool = False
) -> Iterator[AppServer]:
    """Start a library over a store, with default settings but for its address and keys."""
    config = store.virtual_config if is_virtual else store.config
    s3 = S3Settings(
        endpoint_url=config.endpoint_url,
        addressing_style="virtual" if is_virtual else "path",
        bucket=BUCKET,
        region=REGION,
        access_key=store.access_key,
        secret_key=SecretStr(store.secret_key),
    )
    settings = Settings(
        data_dir=data_dir,
        database_url=SecretStr(database_url),
        s3=s3,
        port=0,
        auth="none",
    )
    with run_app_server(settings) as server, server.temporary_sites():
        yield server


def check_photos(server: AppServer) -> None:
    """Upload photos in every way, open their links, delete them, and compare with the bucket."""
    library = server.library
    with server.site().client() as client:
        form = client.post("/api/photos", files={"photo": ("a.jpg", pictures.jpeg(700, 500))})
        assert form.status_code == 201, form.text
        whole_data = pictures.jpeg(300, 200)
        whole = reserve_and_send(client, whole_data, sha256=digest(whole_data))
        direct = complete(client, whole)
        assert direct.status_code in {200, 201}, direct.text
        parts_data = pictures.jpeg(310, 200)
        parts = MultipartUpload.reserve(client, parts_data, multipart=True)
        parts.create()
        parts.part(1)
        parts.assemble()
        in_parts = complete(client, parts.upload)
        assert in_parts.status_code in {200, 201}, in_parts.text
        left = MultipartUpload.reserve(client, pictures.jpeg(320, 200), multipart=True)
        left.create()
        left.part(1)
        key = keys.incoming(left.upload["id"])
        assert client.delete(f"/api/uploads/{left.upload['id']}").status_code == 204
        assert server.do(library.backends.multipart.list_ids(key)) == []
        photos = client.get("/api/photos").json()
        assert len(photos) == 3
        links = [photo["original_url"] for photo in photos]
        for link in links:
            opened = httpx.get(link, timeout=120)
            assert opened.status_code == 200
            assert opened.headers["content-type"] == "image/jpeg"
            assert "immutable" in opened.headers.get("cache-control", "")
        contents = {httpx.get(link, timeout=120).content for link in links}
        assert {whole_data, parts_data} < contents
        rendition = client.get(f"/api/photos/{form.json()['id']}/w320", follow_redirects=True)
        assert rendition.headers["content-type"] == "image/webp"
        assert server.do(reconcile(library, ReconcileOptions(grace=timedelta(0)))) == []
        for photo in photos:
            assert client.delete(f"/api/photos/{photo['id']}?permanent=true").status_code == 204
        # A slow store may need longer than a response waits; then a job deletes the objects.
        wait_until(
            lambda: all(httpx.get(link, timeout=120).status_code == 404 for link in links),
            seconds=180,
        )
    assert server.do(reconcile(library, APPLY)) == []
    assert server.do(list_objects(library)) == set()


async def check_deletion(server: AppServer, count: int = 300) -> None:
    """Delete many objects at once; nothing is left, not even a folder of the store's own."""
    bucket = server.library.backends.bucket
    prefix = keys.prefix(secrets.token_hex(16))
    names = [f"{prefix}{number:032x}" for number in range(count)]
    for name in names[:5]:
        await bucket.put(name, b"bytes", content_type="image/jpeg")
    await bucket.delete(names)
    await bucket.put(names[0], b"bytes", content_type="image/jpeg")
    await bucket.delete_prefix(prefix)
    assert [page async for page in bucket.list_objects(prefix)] == []

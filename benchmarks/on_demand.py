"""Measure renditions on demand: the first view of one, and many that are asked for at once.

Run as ``make bench``, or alone as ``.venv/bin/python benchmarks/on_demand.py``.
"""

import argparse
import http.client
import json
import math
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import askers
import catalogs
import photograph
import uploads
from pages import SMALL, p95, ratio
from stage import AUTHORIZED, PAGE, Server, Stage, run_in_process, stage
from table import Row, machine, markdown

_CLIENTS = 1_000
_CROPS = 16
"""Presets beside those of widths, so that few photos have many different renditions."""
_RATE = 40
_WIDEST = "w2560"
_SECONDS_TO_FILL = 1.0
_REDIRECTED, _BUSY = "307", "503"


def measure(stage: Stage, photo: Path, *, rounds: int) -> list[Row]:
    """Measure the first view, a thousand clients of one rendition, and of different ones."""
    database = stage.database("on_demand")
    presets = ", ".join(f"crop{number} 640x{360 + number} cover" for number in range(_CROPS))
    server = stage.ours(
        database,
        settings={
            "SAFELIGHT_RENDITIONS__PRESETS": presets,
            "SAFELIGHT_LIMITS__MAX_CONNECTIONS_PER_ADDRESS": f"{2 * _CLIENTS}",
        },
    )
    per_round = math.ceil(_CLIENTS / _CROPS)
    uploads.send(server, photo, rounds * (per_round + 2), ours=True)
    new = iter(list(_ids(server)))
    # As many photos as the other benchmarks read. These have no objects, so none is rendered.
    catalogs.fill(database.url, SMALL, tutorials=False, renditions=4)
    views, renderings, read, read_beside = [], [], [], []
    statuses = Counter[str]()
    for _ in range(rounds):
        server.settle()
        views.append(_first_view(server, next(new)))
        before = _decoded(server)
        _ask(server, [_path(next(new), _WIDEST)] * _CLIENTS, expected={_REDIRECTED})
        renderings.append(_decoded(server) - before)
        server.settle()
        read.append(p95(server, rate=_RATE))
        ids = [next(new) for _ in range(per_round)]
        paths = [_path(id_, f"crop{number}") for number in range(_CROPS) for id_ in ids][:_CLIENTS]
        beside, found = _p95_while_rendering(server, paths)
        read_beside.append(beside)
        statuses.update(found)
    server.stop()
    made, refused = (statuses[status] // rounds for status in (_REDIRECTED, _BUSY))
    return [
        Row(
            what=f"first view of an 11-megapixel photo's {_WIDEST}, made by it: time",
            ours=f"{min(views) * 1000:.0f} to {max(views) * 1000:.0f} ms",
            figure=median(views) * 1000,
            unit="ms",
            limit=500,
        ),
        Row(
            what=f"{_CLIENTS:,} clients that ask for the same one at once: renderings",
            ours=f"{max(renderings)}",
            figure=max(renderings),
            unit="renderings",
            limit=1,
        ),
        Row(
            what=f"page of 100 photos while {_CLIENTS:,} ask for different ones at once: p95",
            ours=f"{median(read_beside):.1f} ms; {made} made in time, {refused} refused as busy",
            theirs=f"idle {median(read):.1f} ms",
            figure=ratio(read_beside, read),
            limit=3,
        ),
    ]


def _ids(server: Server) -> Iterator[int]:
    """Yield the ids of all photos, page by page."""
    path = f"{PAGE}?limit=100"
    while path:
        with _open(server, path) as answer:
            photos = json.load(answer)
            path = answer.headers.get("Link", "").partition("<")[2].partition(">")[0]
        yield from (photo["id"] for photo in photos)


def _path(id_: int, preset: str) -> str:
    return f"{PAGE}/{id_}/{preset}"


def _open(server: Server, path: str) -> http.client.HTTPResponse:
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", headers=AUTHORIZED)
    response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=60)
    return response


def _first_view(server: Server, id_: int) -> float:
    """Return the seconds until a browser has the whole rendition, from the store."""
    started_at = time.perf_counter()
    own = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    own.request("GET", _path(id_, _WIDEST), headers=AUTHORIZED)
    redirect = own.getresponse()
    redirect.read()
    link = urlsplit(redirect.headers["Location"])
    store = http.client.HTTPConnection(link.netloc, timeout=60)
    store.request("GET", f"{link.path}?{link.query}")
    answer = store.getresponse()
    answer.read()
    seconds = time.perf_counter() - started_at
    if answer.status != http.HTTPStatus.OK:
        raise SystemExit(f"the store answered {answer.status}")
    return seconds


def _decoded(server: Server) -> int:
    """Return how many images the server's decoders have worked on."""
    name = "safelight_darkroom_work_seconds_count"
    with _open(server, "/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return int(sum(float(line.split()[-1]) for line in lines if line.startswith(name)))


def _ask(server: Server, paths: list[str], expected: set[str]) -> dict[str, int]:
    asking = askers.Asking(port=server.port, paths=paths, headers=AUTHORIZED)
    outcome = askers.Outcome(**run_in_process(askers, asking))
    if not set(outcome.statuses) <= expected:
        raise SystemExit(f"of {len(paths)} renditions, some failed: {outcome.statuses}")
    return outcome.statuses


def _p95_while_rendering(server: Server, paths: list[str]) -> tuple[float, dict[str, int]]:
    """Measure a page once the requests are sent; also return the answers to them by status."""
    found: dict[str, int] = {}
    asking = threading.Thread(
        target=lambda: found.update(_ask(server, paths, expected={_REDIRECTED, _BUSY}))
    )
    asking.start()
    time.sleep(_SECONDS_TO_FILL)
    beside = p95(server, rate=_RATE)
    asking.join()
    return beside, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with stage() as on:
        photo = photograph.make(on.folder / "photo.jpg")
        rows = measure(on, photo, rounds=arguments.rounds)
    print(f"\n{machine()}\n\n{markdown(rows)}")


if __name__ == "__main__":
    main()

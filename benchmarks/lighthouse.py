"""Measure the gallery with Lighthouse: ``make lighthouse``.

A service of its own gets 2,000 photos, and Lighthouse opens the gallery as a desktop and as a
phone. Prints the median scores of the runs. Exits with an error if the performance is too low.
Run it on a machine that does nothing else. The browser is that of the tests.
"""

import argparse
import asyncio
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from support import browser
from support.service import Service, run_service

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "frontend"))
import build  # noqa: E402  from the folder above

PACKAGE = ROOT / "frontend" / "lighthouse"
MODES = {"desktop": ("--preset=desktop",), "mobile": ()}
MIN_PERFORMANCE = {"desktop": 95, "mobile": 90}
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
METRICS = {
    "first-contentful-paint": "first paint",
    "largest-contentful-paint": "largest paint",
    "total-blocking-time": "blocked",
    "cumulative-layout-shift": "layout shift",
}
NEWEST = datetime(2024, 6, 28, 12)  # noqa: DTZ001  a camera's clock has no zone
_DIFFERENT = 60
_SENDERS = 2
_SECONDS = 300


def make_jpegs() -> list[bytes]:
    """Return photos of 1000 x 750: soft colours with grain, so that they compress like photos."""
    random = np.random.default_rng(1)
    files = []
    for _ in range(_DIFFERENT):
        coarse = Image.fromarray(random.integers(30, 226, (6, 8, 3), dtype=np.uint8))
        pixels = np.asarray(coarse.resize((1000, 750), Image.Resampling.BICUBIC), dtype=np.int16)
        grain = random.integers(-6, 7, (750, 1000, 1), dtype=np.int16)
        file = io.BytesIO()
        Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8)).save(file, "JPEG")
        files.append(file.getvalue())
    return files


def with_date(jpeg: bytes, when: datetime) -> bytes:
    """Return a JPEG with a capture time in EXIF, which also makes it another photo."""
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = when.strftime("%Y:%m:%d %H:%M:%S")
    data = exif.tobytes()
    return jpeg[:2] + b"\xff\xe1" + (len(data) + 2).to_bytes(2, "big") + data + jpeg[2:]


async def fill(service: Service, count: int) -> None:
    """Add photos, nine hours apart, and wait until nothing is left to do."""
    files = make_jpegs()
    numbers = iter(range(count))

    async def send(api: httpx.AsyncClient) -> None:
        for number in numbers:
            data = with_date(files[number % _DIFFERENT], NEWEST - number * timedelta(hours=9))
            while True:
                response = await api.post("/api/photos", files={"photo": (f"{number}.jpg", data)})
                if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    break
                await asyncio.sleep(0.2)
            response.raise_for_status()
            if number % 500 == 0:
                print(f"  photo {number} is there", flush=True)

    async with service.api() as api:
        await asyncio.gather(*(send(api) for _ in range(_SENDERS)))
        while True:
            jobs = (await api.get("/api/jobs", params={"task": "develop"})).json()
            if jobs["waiting"] + jobs["late"] + jobs["running"] == 0:
                break
            await asyncio.sleep(1)


def run_lighthouse(url: str, mode: str, program: Path, folder: Path) -> dict[str, Any]:
    """Open a page once, and return Lighthouse's report."""
    npm = build.find_npm()
    assert npm
    report = folder / "report.json"
    flags = " ".join((*browser.ARGUMENTS, f"--user-data-dir={folder / 'profile'}"))
    process = subprocess.run(
        [
            Path(npm[0]).with_name("node"),
            PACKAGE / "node_modules" / "lighthouse" / "cli" / "index.js",
            url,
            *MODES[mode],
            "--quiet",
            "--no-enable-error-reporting",
            "--output=json",
            f"--output-path={report}",
            f"--only-categories={','.join(CATEGORIES)}",
            f"--chrome-flags={flags}",
        ],
        env={**browser.environment(program), "CHROME_PATH": str(program)},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if process.returncode:
        sys.exit(f"Lighthouse failed:\n{process.stdout}{process.stderr}")
    found: dict[str, Any] = json.loads(report.read_text())
    if "runtimeError" in found:
        sys.exit(f"Lighthouse failed: {found['runtimeError']['message']}")
    return found


def summarize(mode: str, reports: list[dict[str, Any]]) -> int:
    """Print the medians, and what costs points outside the performance. Return the performance."""
    scores: dict[str, int] = {
        name: round(100 * statistics.median(each["categories"][name]["score"] for each in reports))
        for name in CATEGORIES
    }
    print(f"{mode:8}", *(f"{name} {score}" for name, score in scores.items()), sep="  ")
    all_runs = sorted(round(100 * each["categories"]["performance"]["score"]) for each in reports)
    audits = reports[0]["audits"]
    metrics = (f"{text} {audits[name]['displayValue']}" for name, text in METRICS.items())
    print(f"{'':8}", "performance of each run", *all_runs)
    print(f"{'':8}", ", ".join(metrics), "(first run)")
    for name in CATEGORIES[1:]:
        for audit in reports[0]["categories"][name]["auditRefs"]:
            found = audits[audit["id"]]
            if audit["weight"] and found["score"] is not None and found["score"] < 1:
                print(f"{'':8}", f"{name}: {found['title']} ({audit['id']})")
    return scores["performance"]


def main() -> None:
    """Measure, and exit with an error if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=3, help="per mode; the median counts")
    parser.add_argument("--save", type=Path, help="a folder for Lighthouse's reports, as JSON")
    options = parser.parse_args()
    program = browser.find() or browser.get()
    if program is None:
        sys.exit(f"No Chromium was found: install one, or set {browser.VARIABLE}.")
    build.get_node()
    build.install(PACKAGE)
    too_low = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with run_service(folder / "data", empty=True, SAFELIGHT_AUTH="none") as service:
            print(f"Adding {options.photos} photos …", flush=True)
            asyncio.run(fill(service, options.photos))
            load = os.getloadavg()[0]
            print(f"Lighthouse, {options.runs} runs each; load average {load:.1f}", flush=True)
            for mode, limit in MIN_PERFORMANCE.items():
                reports = [
                    run_lighthouse(f"{service.url}/", mode, program, folder)
                    for _ in range(options.runs)
                ]
                if options.save:
                    options.save.mkdir(parents=True, exist_ok=True)
                    for number, report in enumerate(reports):
                        path = options.save / f"{mode}-{number}.json"
                        path.write_text(json.dumps(report))
                performance = summarize(mode, reports)
                if performance < limit:
                    too_low.append(f"{mode} {performance}, at least {limit}")
    if too_low:
        sys.exit(f"The performance is too low: {'; '.join(too_low)}.")


if __name__ == "__main__":
    main()

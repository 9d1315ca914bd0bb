"""What one link costs: ours signed anew, ours from memory, and boto3's `generate_presigned_url`.

The three take turns in one process, so that a busy machine slows them alike; each figure is the
best of its rounds. Run as ``python benchmarks/signing.py [ROUNDS]``.
"""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from time import perf_counter

import boto3
from botocore.config import Config

from safelight import keys
from safelight.links import Links
from safelight.settings import LinkSettings
from safelight.sigv4 import Credentials
from table import Row

ANEW, KEPT = "ours, signed anew", "ours, from memory"
YARDSTICK = "boto3's generate_presigned_url"

ENDPOINT = "http://127.0.0.1:8333"
BUCKET = "safelight"
LIFETIME = 7 * 86_400
CREDENTIALS = Credentials(access_key="benchmark", secret_key="not-a-secret")
PHOTOS = [(keys.original(name), name) for name in (keys.new_name() for _ in range(2_000))]


def our_links(cache_size: int) -> Links:
    return Links(
        LinkSettings(cache_size=cache_size),
        credentials=lambda: CREDENTIALS,
        clock=lambda: datetime.now(UTC),
        endpoint=ENDPOINT,
        bucket=BUCKET,
    )


def ours(links: Links) -> None:
    """Sign as a page of photos does, which asks the clock once."""
    now = datetime.now(UTC)
    for key, name in PHOTOS:
        links.link(key, name, now=now)


def ours_by_the_clock(links: Links) -> None:
    for key, name in PHOTOS:
        links.link(key, name)


def boto3s() -> Callable[[], None]:
    client = boto3.client(
        "s3",
        endpoint_url=ENDPOINT,
        region_name="us-east-1",
        aws_access_key_id=CREDENTIALS.access_key,
        aws_secret_access_key=CREDENTIALS.secret_key,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )

    def sign() -> None:
        for key, _ in PHOTOS:
            client.generate_presigned_url(
                "get_object", Params={"Bucket": BUCKET, "Key": key}, ExpiresIn=LIFETIME
            )

    return sign


def microseconds(sign: Callable[[], None]) -> float:
    before = perf_counter()
    sign()
    return (perf_counter() - before) / len(PHOTOS) * 1e6


def measure(rounds: int) -> dict[str, float]:
    """Give the microseconds of a link, by the way it is had."""
    anew, kept = our_links(0), our_links(2 * len(PHOTOS))
    ours(kept)
    ways: dict[str, Callable[[], None]] = {
        ANEW: lambda: ours(anew),
        f"{ANEW}, the clock asked each time": lambda: ours_by_the_clock(anew),
        KEPT: lambda: ours(kept),
        f"{KEPT}, the clock asked each time": lambda: ours_by_the_clock(kept),
        YARDSTICK: boto3s(),
    }
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for way, sign in ways.items():
            best[way] = min(best[way], microseconds(sign))
    return best


def rows(rounds: int) -> list[Row]:
    """Give the rows of the table that `run.py` prints."""
    best = measure(rounds)
    return [
        Row(
            what=f"a link, {way.removeprefix('ours, ')}",
            ours=f"{best[way]:.2f} us",
            theirs=f"boto3 {best[YARDSTICK]:.0f} us",
            figure=best[YARDSTICK] / best[way],
            limit=limit,
            at_least=True,
        )
        for way, limit in ((ANEW, 40), (KEPT, 100))
    ]


def main(rounds: int) -> None:
    best = measure(rounds)
    for way, figure in best.items():
        print(f"{way:45} {figure:8.2f} us a link   1/{best[YARDSTICK] / figure:.0f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)

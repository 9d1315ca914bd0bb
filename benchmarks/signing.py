"""Measure the time of one link: signed, cached, and by boto3's `generate_presigned_url`.

The three alternate in one process, so that other load slows all alike; each figure is the best
round. Run as ``python benchmarks/signing.py [ROUNDS]``.
"""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from time import perf_counter

import boto3
from botocore.config import Config

from safelight import keys
from safelight.settings import LinkSettings
from safelight.signing.credentials import StaticCredentials
from safelight.signing.links import LinkSigner
from safelight.signing.sigv4 import Credentials
from table import Row

SIGNED, CACHED = "ours, signed", "ours, cached"
BOTO3 = "boto3's generate_presigned_url"

ENDPOINT = "http://127.0.0.1:8333"
BUCKET = "safelight"
LIFETIME = 7 * 86_400
CREDENTIALS = Credentials(access_key="benchmark", secret_key="not-a-secret")
PHOTOS = [(keys.original(name), name) for name in (keys.new_storage_id() for _ in range(2_000))]


def our_links(cache_size: int) -> LinkSigner:
    return LinkSigner(
        LinkSettings(cache_size=cache_size),
        credentials=StaticCredentials(CREDENTIALS),
        clock=lambda: datetime.now(UTC),
        endpoint=ENDPOINT,
        bucket=BUCKET,
    )


def ours(links: LinkSigner) -> None:
    """Sign like a page of photos, which reads the clock once."""
    now = datetime.now(UTC)
    for key, name in PHOTOS:
        links.link(key, name, now=now)


def ours_reading_the_clock(links: LinkSigner) -> None:
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
    """Return the microseconds of a link, by variant."""
    signed, cached = our_links(0), our_links(2 * len(PHOTOS))
    ours(cached)
    variants: dict[str, Callable[[], None]] = {
        SIGNED: lambda: ours(signed),
        f"{SIGNED}, reading the clock each time": lambda: ours_reading_the_clock(signed),
        CACHED: lambda: ours(cached),
        f"{CACHED}, reading the clock each time": lambda: ours_reading_the_clock(cached),
        BOTO3: boto3s(),
    }
    best = dict.fromkeys(variants, float("inf"))
    for _ in range(rounds):
        for variant, sign in variants.items():
            best[variant] = min(best[variant], microseconds(sign))
    return best


def rows(rounds: int) -> list[Row]:
    """Return the rows for the table of `run.py`."""
    best = measure(rounds)
    return [
        Row(
            what=f"a link, {variant.removeprefix('ours, ')}",
            ours=f"{best[variant]:.2f} us",
            theirs=f"boto3 {best[BOTO3]:.0f} us",
            figure=best[BOTO3] / best[variant],
            limit=limit,
            at_least=True,
        )
        for variant, limit in ((SIGNED, 40), (CACHED, 100))
    ]


def main(rounds: int) -> None:
    best = measure(rounds)
    for variant, figure in best.items():
        print(f"{variant:45} {figure:8.2f} us a link   1/{best[BOTO3] / figure:.0f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)

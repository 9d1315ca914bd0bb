"""Mutate photos and decode them in a real darkroom, until the time is up.

Each must result in a photo with renditions, or in a refusal. Anything else is a finding: its bytes
and a description are saved in a folder, and the program exits with status 1. The same seed makes
the same mutations.

Run as ``make fuzz``, or ``make fuzz ARGS="--minutes 2 --seed 7"``.
"""

import argparse
import asyncio
import logging
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

from mutations import mutate
from oracle import Verdict, check
from safelight.darkroom.pool import Darkroom
from safelight.settings import LimitSettings
from seeds import CORPUS, seeds

_REPORT_SECONDS = 60
_MAX_FINDINGS = 100


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=None, help="by default a new one each time")
    parser.add_argument("--children", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="a folder of photos")
    parser.add_argument("--findings", type=Path, default=Path(__file__).parent / "findings")
    parser.add_argument("--first", type=int, default=0, help="number of the first photo")
    parser.add_argument("--count", type=int, default=None, help="maximum number of photos")
    return parser.parse_args()


class Fuzzer:
    """Makes mutated photos, and counts their results."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.seed = random.randrange(2**32) if options.seed is None else options.seed
        self.counts: Counter[str] = Counter()
        self.findings = 0
        self.slowest = (0.0, -1)
        self._seeds = list(seeds(options.corpus).items())
        self._folder: Path = options.findings
        self._next: int = options.first
        self._last = None if options.count is None else options.first + options.count
        self._started_at = time.monotonic()
        self._until = self._started_at + options.minutes * 60
        self._reported_at = self._started_at

    async def run(self) -> None:
        """Check one photo after another, with a darkroom of one decoder."""
        room = Darkroom(LimitSettings(), children=1)
        await room.start()
        try:
            while time.monotonic() < self._until and self._next != self._last:
                number, self._next = self._next, self._next + 1
                data, description = self._make_case(number)
                self._record(number, data, description, await check(room, data))
                if self.findings >= _MAX_FINDINGS:
                    return
        finally:
            await room.close()

    def _make_case(self, number: int) -> tuple[bytes, str]:
        """Make the mutated photo of a number, from the seed and the seed files."""
        rng = random.Random(f"{self.seed}/{number}")
        (name, data), (_, other) = rng.choice(self._seeds), rng.choice(self._seeds)
        mutated, names = mutate(data, other, rng)
        return mutated, f"{name}: {', '.join(names)}"

    def _record(self, number: int, data: bytes, description: str, verdict: Verdict) -> None:
        self.counts[verdict.outcome] += 1
        self.counts["photos"] += 1
        if verdict.end:
            self.counts[f"decoder {verdict.end}"] += 1
            _print(f"#{number} {description}: the decoder {verdict.end}, {verdict.seconds:.1f} s")
        self.slowest = max(self.slowest, (verdict.seconds, number))
        if verdict.problems:
            self.findings += 1
            self._folder.mkdir(parents=True, exist_ok=True)
            name = f"{self.seed}-{number}"
            (self._folder / f"{name}.bin").write_bytes(data)
            text = "\n".join([description, verdict.outcome, *verdict.problems])
            (self._folder / f"{name}.txt").write_text(text + "\n")
            _print(f"FOUND #{number} {description}: {'; '.join(verdict.problems)}")
        if time.monotonic() - self._reported_at > _REPORT_SECONDS:
            self._reported_at = time.monotonic()
            _print(self.report())

    def report(self) -> str:
        """Return a summary."""
        seconds, number = self.slowest
        counts = ", ".join(f"{outcome} {count:,}" for outcome, count in self.counts.most_common())
        return (
            f"seed {self.seed}, {(time.monotonic() - self._started_at) / 60:.1f} min, "
            f"{len(self._seeds)} seed files: {counts}; "
            f"the slowest answer {seconds:.1f} s (#{number}); {self.findings} findings"
        )


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def _fuzz(options: argparse.Namespace) -> Fuzzer:
    fuzzer = Fuzzer(options)
    async with asyncio.TaskGroup() as group:
        for _ in range(options.children):
            group.create_task(fuzzer.run())
    return fuzzer


def main() -> None:
    options = _arguments()
    logging.disable(logging.WARNING)  # Decoders that die are counted here.
    fuzzer = asyncio.run(_fuzz(options))
    print(fuzzer.report())
    if fuzzer.findings:
        raise SystemExit(f"the findings are in {options.findings}")


if __name__ == "__main__":
    main()

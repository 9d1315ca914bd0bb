"""Spoil pictures and put them through a real darkroom, until the time is up.

All that may come of one is a photo with its renditions, or a clean refusal. Anything else is a
finding: its bytes and what was wrong are laid down in a folder, and the program ends with 1. The
same seed spoils the same pictures in the same ways.

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

from judge import Verdict, judge
from mutations import mutate
from safelight.darkroom.pool import Darkroom
from safelight.settings import LimitSettings
from seeds import CORPUS, seeds

_REPORT_SECONDS = 60
_MOST_FINDINGS = 100


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=None, help="by default another one each time")
    parser.add_argument("--children", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="a folder of pictures")
    parser.add_argument("--findings", type=Path, default=Path(__file__).parent / "findings")
    parser.add_argument("--first", type=int, default=0, help="the number of the first picture")
    parser.add_argument("--count", type=int, default=None, help="no more than so many pictures")
    return parser.parse_args()


class Fuzzer:
    """What was tried and what came of it."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.seed = random.randrange(2**32) if asked.seed is None else asked.seed
        self.counts: Counter[str] = Counter()
        self.findings = 0
        self.slowest = (0.0, -1)
        self._pictures = list(seeds(asked.corpus).items())
        self._folder: Path = asked.findings
        self._next: int = asked.first
        self._last = None if asked.count is None else asked.first + asked.count
        self._began = time.monotonic()
        self._until = self._began + asked.minutes * 60
        self._told = self._began

    async def work(self) -> None:
        """Try one after another, with a darkroom of one child."""
        room = Darkroom(LimitSettings(), children=1)
        await room.start()
        try:
            while time.monotonic() < self._until and self._next != self._last:
                number, self._next = self._next, self._next + 1
                data, story = self._case(number)
                self._note(number, data, story, await judge(room, data))
                if self.findings >= _MOST_FINDINGS:
                    return
        finally:
            await room.close()

    def _case(self, number: int) -> tuple[bytes, str]:
        """Make the picture of that number, which the seed and the seeds' files decide."""
        dice = random.Random(f"{self.seed}/{number}")
        (name, data), (_, other) = dice.choice(self._pictures), dice.choice(self._pictures)
        spoilt, ways = mutate(data, other, dice)
        return spoilt, f"{name}: {', '.join(ways)}"

    def _note(self, number: int, data: bytes, story: str, verdict: Verdict) -> None:
        self.counts[verdict.outcome] += 1
        self.counts["pictures"] += 1
        if verdict.end:
            self.counts[f"child {verdict.end}"] += 1
            _say(f"#{number} {story}: the child {verdict.end}, {verdict.seconds:.1f} s")
        self.slowest = max(self.slowest, (verdict.seconds, number))
        if verdict.wrong:
            self.findings += 1
            self._folder.mkdir(parents=True, exist_ok=True)
            name = f"{self.seed}-{number}"
            (self._folder / f"{name}.bin").write_bytes(data)
            text = "\n".join([story, verdict.outcome, *verdict.wrong])
            (self._folder / f"{name}.txt").write_text(text + "\n")
            _say(f"FOUND #{number} {story}: {'; '.join(verdict.wrong)}")
        if time.monotonic() - self._told > _REPORT_SECONDS:
            self._told = time.monotonic()
            _say(self.report())

    def report(self) -> str:
        """Tell what came of them."""
        seconds, number = self.slowest
        told = ", ".join(f"{what} {count:,}" for what, count in self.counts.most_common())
        return (
            f"seed {self.seed}, {(time.monotonic() - self._began) / 60:.1f} min, "
            f"{len(self._pictures)} to begin with: {told}; "
            f"the slowest answer {seconds:.1f} s (#{number}); {self.findings} findings"
        )


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


async def _fuzz(asked: argparse.Namespace) -> Fuzzer:
    fuzzer = Fuzzer(asked)
    async with asyncio.TaskGroup() as group:
        for _ in range(asked.children):
            group.create_task(fuzzer.work())
    return fuzzer


def main() -> None:
    asked = _arguments()
    logging.disable(logging.WARNING)  # A child that dies is counted here.
    fuzzer = asyncio.run(_fuzz(asked))
    print(fuzzer.report())
    if fuzzer.findings:
        raise SystemExit(f"what was found lies in {asked.findings}")


if __name__ == "__main__":
    main()

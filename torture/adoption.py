"""Adopt objects of another program while everything is killed, the command too."""

import asyncio
import random
import time
from datetime import timedelta
from uuid import UUID

from ledger import Ledger, Record
from photos import PhotoMaker
from safelight.signing.credentials import StaticCredentials
from safelight.signing.sigv4 import Credentials
from safelight.storage import Bucket, BucketConfig
from support.fork_server import Process, start_command
from system import System

_PREFIX = "photos/old"
_COUNT = 20
_KILLS = 3
_SECONDS = 120.0
"""Seconds within which the command has to finish, after its last kill."""


class Adopter:
    """Objects of another program, and the command that adopts them."""

    def __init__(self, seed: int, system: System, ledger: Ledger) -> None:
        self._rng = random.Random(f"{seed}/adopter")
        self._system = system
        self._ledger = ledger
        self._photos = PhotoMaker(seed)
        self._records: dict[str, Record] = {}

    async def store_originals(self) -> None:
        """Store the objects, before anything is killed."""
        engines = self._system.engines
        keys = Credentials(access_key=engines.s3_access_key, secret_key=engines.s3_secret_key)
        config = BucketConfig(
            endpoint_url=engines.s3_endpoint_url, bucket=engines.bucket, region=engines.region
        )
        bucket = Bucket(config, StaticCredentials(keys), timeout=timedelta(seconds=8))
        for number in range(_COUNT):
            data = self._photos.make(f"original {number}", self._rng)
            key = f"{_PREFIX}/{UUID(int=self._rng.getrandbits(128))}-{number}.jpg"
            await bucket.put(key, data, content_type="image/jpeg")
            self._records[key] = self._ledger.record(data, "")
        await bucket.close()

    async def run(self) -> None:
        """Adopt them, kill the command some times, and delete the originals at the end."""
        for _ in range(_KILLS):
            command = self._start()
            await asyncio.sleep(self._rng.uniform(1.5, 4))
            command.kill()
            await self._output(command)
        output = await self._finish()
        for line in output.splitlines():
            outcome, key, id_, *_ = line.split("\t")
            self._ledger.note("adopt", outcome)
            if id_:
                self._ledger.acknowledge(self._records[key], int(id_), "")
        await self._finish("--delete-originals")

    async def _finish(self, *options: str) -> str:
        deadline = time.monotonic() + _SECONDS
        while True:
            command = self._start(*options)
            output = await self._output(command)
            if command.returncode == 0:
                return output
            if time.monotonic() > deadline:
                self._ledger.report(f"adopt {options} does not finish: {output[-1000:]}")
                return ""
            await asyncio.sleep(1)

    def _start(self, *options: str) -> Process:
        address = f"s3://{self._system.engines.bucket}/{_PREFIX}"
        return start_command(["adopt", address, *options], env=self._system.environ("adopter"))

    async def _output(self, command: Process) -> str:
        output, _ = await asyncio.to_thread(lambda: command.communicate(timeout=_SECONDS))
        return output.decode()

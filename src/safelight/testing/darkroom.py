"""Decoders that last a test session: a darkroom on an event loop of its own.

Decoders belong to one event loop, and take half a second to start. Tests have a loop each.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, BinaryIO, TypeVar

from safelight.darkroom.pool import ChoosePresets, Darkroom, Inspection, RenderResult
from safelight.models import ImageFacts, Preset
from safelight.settings import LimitSettings

T = TypeVar("T")


class SessionLoop:
    """An event loop on a thread, from the first use until `close`, with a darkroom per limits."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="safelight-testing", daemon=True
        )
        self._thread.start()
        self._darkrooms: dict[str, Darkroom] = {}

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop, from any other thread, and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def call(
        self, limits: LimitSettings, work: Callable[[Darkroom], Coroutine[Any, Any, T]]
    ) -> T:
        """Do some work in the darkroom with these limits, from any other loop."""

        async def call() -> T:
            return await work(self._darkroom(limits))

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call(), self._loop))

    def warm_up(self) -> None:
        """Start a decoder with the default limits, without waiting for it."""

        async def start() -> None:
            decoders = self._darkroom(LimitSettings()).decoders
            decoders.keep(await decoders.start(threads=False))

        asyncio.run_coroutine_threadsafe(start(), self._loop)

    def close(self) -> None:
        """End all decoders and the loop."""

        async def close() -> None:
            for darkroom in self._darkrooms.values():
                await darkroom.close()
            await self._loop.shutdown_default_executor()

        self.run(close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _darkroom(self, limits: LimitSettings) -> Darkroom:
        return self._darkrooms.setdefault(limits.model_dump_json(), Darkroom(limits))


class SessionDarkroom(Darkroom):
    """A darkroom for one library, whose decoders are those of the session."""

    def __init__(self, limits: LimitSettings, session: SessionLoop) -> None:
        super().__init__(limits)
        self._settings = limits
        self._session = session

    async def start(self) -> None:
        """Start nothing: the session has decoders."""

    async def inspect(
        self, file: BinaryIO | int, *, owner: str, presets: ChoosePresets | None = None
    ) -> Inspection:
        """Inspect in the session's darkroom."""
        return await self._session.call(
            self._settings,
            lambda darkroom: darkroom.inspect(file, owner=owner, presets=presets),
        )

    async def render(
        self, file: BinaryIO | int, facts: ImageFacts, presets: Sequence[Preset], *, owner: str
    ) -> RenderResult:
        """Render in the session's darkroom."""
        return await self._session.call(
            self._settings, lambda darkroom: darkroom.render(file, facts, presets, owner=owner)
        )

"""An event loop on a thread of its own."""

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from safelight.errors import UsageError

T = TypeVar("T")


class LoopThread:
    """Runs coroutines of any thread on one event loop, until it is stopped."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        """The process that it runs in; a fork has none of its threads."""
        self._loop = asyncio.new_event_loop()
        self._is_stopped = False
        self._submitting = threading.Lock()
        threading.Thread(target=self._run_loop, name="safelight-library", daemon=True).start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of a coroutine; cancel it on Ctrl-C.

        Raises UsageError if the loop is stopped before or meanwhile.
        """
        with self._submitting:  # so whatever is submitted is either done or cancelled
            if self._is_stopped:
                work.close()
                raise UsageError("The library was closed by another thread.")
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except CancelledError as error:
            if self._is_stopped:
                raise UsageError("The library was closed by another thread.") from error
            raise
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """Cancel what is running, and end the thread; this does not wait for it."""
        with self._submitting:
            self._is_stopped = True
            self._loop.call_soon_threadsafe(self._loop.stop)

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(_cancel_others())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        finally:
            self._loop.close()


async def _cancel_others() -> None:
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in others:
            task.cancel()
        await asyncio.wait(others)

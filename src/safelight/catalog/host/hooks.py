"""Keep the exceptions of a host application's hooks apart from those of the catalog."""

from collections.abc import Iterator
from contextlib import contextmanager


class HookError(Exception):
    """An exception of a hook, which the catalog must not take for one of its own database."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


@contextmanager
def unwrapping_hook_errors() -> Iterator[None]:
    """Raise the exception of a hook as it is."""
    try:
        yield
    except HookError as wrapper:
        raise wrapper.error from wrapper.error.__cause__

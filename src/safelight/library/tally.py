"""What a library has done since it was made, in plain numbers."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from safelight.errors import SafelightError


class Tally:
    """The numbers; they only grow."""

    def __init__(self) -> None:
        self.uploads: Counter[str] = Counter()
        """By what became of them: `added`, `there` (the same bytes were), an error's code, or
        `interrupted`, as when the client went away."""
        self.bytes_added = 0
        """Of the photos that were added."""
        self.deletions = 0
        self.hits: Counter[str] = Counter()
        """What was found ready made, by what keeps it."""
        self.misses: Counter[str] = Counter()

    def added(self, *, created: bool, size: int) -> None:
        """Count an upload that was taken; `size` is its bytes."""
        self.uploads["added" if created else "there"] += 1
        self.bytes_added += size if created else 0

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """Count an upload that is refused, or breaks off, in the context."""
        try:
            yield
        except SafelightError as error:
            self.uploads[error.code] += 1
            raise
        except BaseException:
            self.uploads["interrupted"] += 1
            raise

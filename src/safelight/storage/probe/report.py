"""The results of checking a store: named checks, each with what to do about it."""

from dataclasses import dataclass, field
from enum import StrEnum

from safelight.storage.features import StoreFeatures


class CheckOutcome(StrEnum):
    """How a check ended."""

    OK = "ok"
    NOTE = "note"
    """The store lacks something that Safelight can do without."""
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The result of one check.

    `message` is for the operator: what is wrong, and what to do. `response` is what the store
    itself sent: its error's code, status and message, on one line.
    """

    check: str
    outcome: CheckOutcome = CheckOutcome.OK
    message: str = ""
    response: str = ""

    @property
    def text(self) -> str:
        """The message and the store's own words, on one line."""
        if not self.response:
            return self.message
        return f"{self.message} The store's response: {self.response}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport:
    """All results, in the order of the checks, and what the store was found to support.

    The checks end at the first failure that makes the next ones pointless.
    """

    results: list[CheckResult] = field(default_factory=list)
    features: StoreFeatures
    is_bucket_missing: bool = False
    server: str = ""
    """The Server header of the store's responses."""

    @property
    def failure(self) -> CheckResult | None:
        """The first failure, if any."""
        failures = (each for each in self.results if each.outcome is CheckOutcome.FAILURE)
        return next(failures, None)

    def outcome(self, check: str) -> CheckOutcome | None:
        """Return a check's outcome; None if it didn't run."""
        outcomes = (each.outcome for each in self.results if each.check == check)
        return next(outcomes, None)

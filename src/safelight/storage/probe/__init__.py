"""Check what a store does, and explain what is wrong."""

from safelight.storage.probe.feature_probe import FeatureProbe
from safelight.storage.probe.link_probe import LinkFailure, LinkProbe
from safelight.storage.probe.report import CheckOutcome, CheckResult, ProbeReport
from safelight.storage.probe.store_probe import StoreProbe

__all__ = [
    "CheckOutcome",
    "CheckResult",
    "FeatureProbe",
    "LinkFailure",
    "LinkProbe",
    "ProbeReport",
    "StoreProbe",
]

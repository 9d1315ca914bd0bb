"""Examine an installation: the settings, the machine, the database and the store."""

from safelight.doctor.examination import examine, settings_failure

__all__ = ["examine", "settings_failure"]

"""Settings for the processes that decode photos."""

from safelight.settings.validators import Group


class DarkroomSettings(Group):
    """The processes that decode photos."""

    require_confinement: bool = False
    """Refuse to start, instead of logging a warning, if they can't be confined completely."""

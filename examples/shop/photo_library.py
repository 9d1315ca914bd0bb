"""The library of the shop. Making it starts nothing, so migrations import it too."""

import os

from safelight import Library, PresetSettings, RenditionSettings, Settings

DATABASE_URL = os.environ["DATABASE_URL"]
AVATAR = PresetSettings(name="avatar", width=96, height=96, fit="cover")

library = Library.from_settings(
    Settings(
        database_url=DATABASE_URL,
        alembic_filtered=True,
        renditions=RenditionSettings(presets=(AVATAR,)),
    )
)

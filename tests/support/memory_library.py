"""A library without an object store or decoder processes, for tests of rows and objects.

The bucket is in memory (`bucket_contract.py` proves that it behaves as a real one), PostgreSQL is
real, and photos are decoded by Pillow in the test's process.
"""

import io
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import errors
from safelight.catalog.tables import photos
from safelight.darkroom.pool import ChoosePresets, Darkroom, Inspection, RenderedImage, RenderResult
from safelight.imaging.formats import HEAD_BYTES, detect_format
from safelight.library import Library
from safelight.library.lifecycle import utc_now
from safelight.models import ImageFacts, Preset
from safelight.settings import S3Settings, Settings
from safelight.testing.bucket import CONFIG
from safelight.testing.libraries import open_memory_backends


class PillowDarkroom(Darkroom):
    """Decodes in the test's process. Renditions are short texts, not images."""

    has_large_photos = False
    """Whether photos count as large, and so get all renditions when they are inspected."""

    async def inspect(
        self, file: BinaryIO | int, *, owner: str, presets: ChoosePresets | None = None
    ) -> Inspection:
        """Return the facts of a photo."""
        assert not isinstance(file, int)
        data = os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0)
        if not data:
            raise errors.EmptyFile
        format_ = detect_format(data[:HEAD_BYTES])
        if format_ is None:
            raise errors.UnsupportedType
        try:
            image = Image.open(io.BytesIO(data))
            image.load()
        except OSError as error:
            raise errors.CorruptImage from error
        facts = ImageFacts(
            format=format_.name,
            content_type=format_.content_type,
            width=image.width,
            height=image.height,
        )
        if presets is None:
            return Inspection(facts=facts)
        wanted = presets(facts, is_large=self.has_large_photos)
        rendered = await self.render(file, facts, wanted, owner=owner)
        return Inspection(facts=facts, rendered=rendered)

    async def render(
        self, file: BinaryIO | int, facts: ImageFacts, presets: Sequence[Preset], *, owner: str
    ) -> RenderResult:
        """Return a text for each preset."""
        del owner
        assert not isinstance(file, int)
        images = [
            RenderedImage(
                preset=preset,
                width=min(preset.width, facts.width),
                height=1,
                data=f"rendition {preset.name}".encode(),
            )
            for preset in presets
        ]
        return RenderResult(images=tuple(images), thumbhash=b"12345", colour="808080")


@asynccontextmanager
async def open_memory_library(
    database_url: str,
    data_dir: Path,
    *,
    clock: Callable[[], datetime] = utc_now,
    **settings: Any,
) -> AsyncIterator[Library]:
    """Start a library without a worker, on a database with all migrations."""
    made = Settings(
        data_dir=data_dir,
        database_url=SecretStr(database_url),
        s3=S3Settings(endpoint_url=CONFIG.endpoint_url),
        **settings,
    )
    library = Library(
        lambda: open_memory_backends(
            made, database_url, clock, darkroom=PillowDarkroom(made.limits)
        ),
        clock=clock,
        worker=False,
        settings=made,
    )
    async with library.lifespan(None):
        yield library


async def statuses(library: Library) -> list[str]:
    """Return the status of each row, by id."""

    query = select(photos.c.status).order_by(photos.c.id)

    async def read(connection: AsyncConnection) -> list[str]:
        return list((await connection.execute(query)).scalars())

    return await library.backends.catalog.read(read)

"""``safelight adopt``: make photos of objects that another program has stored."""

import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from safelight.cli.options import DEFAULT_JOBS, Jobs, option, usage_error
from safelight.cli.store.adoption_source import (
    check_source,
    open_source,
    parse_address,
    source_settings,
)
from safelight.cli.store.adoption_table import (
    Columns,
    Original,
    OriginalTable,
    database_url_of_table,
)
from safelight.errors import SafelightError, Unavailable
from safelight.terminal import print_note, print_result, sanitize

if TYPE_CHECKING:
    from safelight.library import Library
    from safelight.settings import Settings
    from safelight.storage import Bucket

_TRIES: Final = 6
_PAUSE: Final = timedelta(seconds=2)


def adopt(
    source: Annotated[str, Parameter(name="SOURCE", help="s3://BUCKET/PREFIX")],
    /,
    *,
    table: Annotated[str | None, option("Adopt what the rows of this table name.")] = None,
    key_column: Annotated[str, Parameter(help="The column with an object's key or URL.")] = "key",
    title_column: Annotated[str | None, option("Default: title, if there is one.")] = None,
    description_column: Annotated[
        str | None, option("Default: description, if there is one.")
    ] = None,
    filename_column: Annotated[
        str | None, option("Default: filename, if there is one, or the end of the key.")
    ] = None,
    created_column: Annotated[str | None, option("Default: created_at, if there is one.")] = None,
    owner_column: Annotated[str | None, option("The column with the owner of a photo.")] = None,
    photo_column: Annotated[
        str | None, option("Write the numbers of the photos to this column of the table.")
    ] = None,
    where: Annotated[str | None, option("Only these rows, as SQL, e.g. 'NOT is_deleted'.")] = None,
    owner: Annotated[
        str | None, option("The owner of all photos. Default: SAFELIGHT_OWNER.")
    ] = None,
    dry_run: Annotated[bool, option("Check all photos, and store nothing.")] = False,
    delete_originals: Annotated[
        bool, option("Delete the objects that were adopted before. Adopts nothing.")
    ] = False,
    jobs: Jobs = DEFAULT_JOBS,
) -> int:
    """Make photos of objects that another program has stored.

    Without --table, of all objects below the prefix. Each object is checked as
    an upload is, and copied within the store where possible; it stays where it
    is. Run the command again after an interruption: nothing is adopted twice.

    The source is the store of S3_ENDPOINT_URL, AWS_ACCESS_KEY and
    AWS_SECRET_KEY if they are set, otherwise Safelight's own. The table is in
    the database of DATABASE_URL, otherwise in Safelight's own.

    Prints a line per object, with tabs between outcome, key, photo number and
    message.

    Example: safelight adopt s3://my-photos/ --table photos --dry-run
    """
    import asyncio

    from safelight.settings.environment import read_settings

    if dry_run and delete_originals:
        raise usage_error("--dry-run and --delete-originals can't be used together.")
    if photo_column is not None and (table is None or delete_originals):
        raise usage_error("--photo-column needs --table, and can't be used to delete originals.")
    settings = read_settings()
    bucket, prefix = parse_address(source, os.environ)
    columns = Columns(
        key=key_column,
        title=title_column,
        description=description_column,
        filename=filename_column,
        created_at=created_column,
        owner=owner_column,
        photo=photo_column,
    )
    run = _Run(
        settings,
        bucket_name=bucket,
        prefix=prefix,
        owner=owner or settings.owner,
        step="check" if dry_run else "remove" if delete_originals else "adopt",
    )
    try:
        counts = asyncio.run(run.run(table, columns, where, at_once=jobs))
    except ExceptionGroup as errors:
        if isinstance(errors.exceptions[0], SafelightError):
            print_note("Run the command again later: what was adopted is not adopted twice.")
            raise errors.exceptions[0] from errors
        raise
    print_note(_summarize(counts))
    return 1 if counts["failed"] else 0


class _Run:
    """One run of the command, over objects or rows."""

    def __init__(
        self, settings: "Settings", *, bucket_name: str, prefix: str, owner: str, step: str
    ) -> None:
        self._settings = settings
        self._bucket_name = bucket_name
        self._prefix = prefix
        self._owner = owner
        self._step = step
        self._counts: Counter[str] = Counter()
        self._rows: OriginalTable | None = None
        self._photo_column: str | None = None

    async def run(
        self, table: str | None, columns: Columns, where: str | None, *, at_once: int
    ) -> Counter[str]:
        """Work through all originals, several at once, and count the outcomes."""
        import asyncio

        from safelight.library import Library

        async with Library.from_settings(self._settings, worker=False) as library:
            store = source_settings(self._settings, os.environ)
            async with open_source(library, store, self._bucket_name) as source:
                await check_source(source, self._prefix, can_list=table is None)
                originals = (
                    self._of_table(library, table, columns, where)
                    if table
                    else self._of_bucket(source)
                )
                async for batch in originals:
                    waiting = iter(batch)
                    async with asyncio.TaskGroup() as group:
                        for _ in range(at_once):
                            group.create_task(self._work_through(waiting, library, source))
        return self._counts

    async def _work_through(
        self, originals: Iterator[Original], library: "Library", source: "Bucket"
    ) -> None:
        for original in originals:
            await self._work(library, source, original)

    async def _of_table(
        self, library: "Library", table: str, columns: Columns, where: str | None
    ) -> AsyncIterator[Sequence[Original]]:
        import asyncio

        url = database_url_of_table() or library.database_url
        rows = await asyncio.to_thread(OriginalTable, url, table, columns, where=where)
        if columns.photo is not None:
            self._rows, self._photo_column = rows, columns.photo
        try:
            batches = rows.read(self._prefix, owner=self._owner)
            while batch := await asyncio.to_thread(next, batches, None):
                yield batch
        finally:
            rows.close()

    async def _of_bucket(self, source: "Bucket") -> AsyncIterator[Sequence[Original]]:
        from safelight import keys

        async for page in source.list_objects(self._prefix):
            yield [
                Original(key=stored.key, owner=self._owner, created_at=stored.modified_at)
                for stored in page
                if keys.storage_id_of(stored.key) is None
                and not stored.key.startswith((keys.INCOMING, keys.QUARANTINE))
            ]

    async def _work(self, library: "Library", source: "Bucket", original: Original) -> None:
        import asyncio

        for tries_left in reversed(range(_TRIES)):
            try:
                outcome, photo = await self._do(library, source, original)
                message = await self._write(original, photo) if self._rows else ""
            except Unavailable as error:
                if tries_left:
                    await asyncio.sleep((error.retry_after or _PAUSE).total_seconds())
                    continue
                raise
            except SafelightError as error:
                self._report("failed", original.key, message=str(error))
            else:
                self._report(outcome, original.key, photo=photo, message=message)
            return

    async def _do(
        self, library: "Library", source: "Bucket", original: Original
    ) -> tuple[str, int | None]:
        adoption = library.components.adoption
        if self._step == "remove":
            done = await adoption.remove_original(original.owner, original.key, source=source)
            return ("deleted" if done else "missing"), None
        known = await adoption.find(original.owner, original.key, source=source)
        if known:
            return "known", known.id
        if self._step == "check":
            await adoption.check(original.owner, original.key, source=source)
            return "good", None
        result = await adoption.adopt(
            original.owner,
            original.key,
            source=source,
            caption=original.caption,
            created_at=original.created_at,
        )
        return ("adopted" if result.created else "duplicate"), result.photo.id

    async def _write(self, original: Original, photo: int | None) -> str:
        """Write the photo's number to the row; return what was done, or would be."""
        import asyncio

        assert self._rows
        if original.photo_id is not None and original.photo_id == photo:
            return ""
        if self._step == "check":
            self._rows.check_photo(original, photo)
            return f"would set {self._photo_column}"
        assert photo is not None
        await asyncio.to_thread(self._rows.set_photo, original, photo)
        return f"set {self._photo_column}"

    def _report(
        self, outcome: str, key: str, *, photo: int | None = None, message: str = ""
    ) -> None:
        self._counts[outcome] += 1
        cells = (outcome, key, "" if photo is None else photo, message)
        print_result("\t".join(map(sanitize, cells)))


def _summarize(counts: Counter[str]) -> str:
    texts = {
        "adopted": "adopted",
        "known": "adopted before",
        "duplicate": "duplicates of photos",
        "good": "good",
        "deleted": "originals deleted",
        "missing": "originals missing",
        "failed": "failed",
    }
    found = [f"{counts[outcome]} {text}" for outcome, text in texts.items() if counts[outcome]]
    return f"{', '.join(found).capitalize()}." if found else "There is nothing to adopt."

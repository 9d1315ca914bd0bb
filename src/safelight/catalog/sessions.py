"""Sessions and one-time codes, as rows: every process of a fleet knows them, and a restart does.

What a browser holds is 32 random bytes; the row keeps its SHA-256, so that reading the database
lets nobody in. `issuer` is a digest of the token in force: a session or a code is good only for
the token that it was made under.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import Column, ColumnElement, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog.database import Database
from safelight.tables import codes, sessions

UNUSED = timedelta(days=30)
"""A session ends when it hasn't been used for so long."""

_NOTED_EVERY = timedelta(hours=1)
"""How exactly the time of the last use is kept: a write for each request would cost too much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A browser that was let in. `seen_at` is exact to the hour."""

    id: int
    created_at: datetime
    seen_at: datetime
    address: str
    browser: str


_COLUMNS = (
    sessions.c.id,
    sessions.c.created_at,
    sessions.c.seen_at,
    sessions.c.address,
    sessions.c.browser,
)


class Sessions:
    """The sessions of one installation. Calls raise CatalogUnavailable when PostgreSQL is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self, secret: str, *, issuer: str, address: str, browser: str, now: datetime
    ) -> None:
        """Let whoever holds `secret` in from now on."""
        statement = insert(sessions).values(
            digest=_digest(secret),
            issued_by=issuer,
            created_at=now,
            seen_at=now,
            address=address[:100],
            browser=browser[:300],
        )
        await self._database.transaction(lambda connection: connection.execute(statement))

    async def find(self, secret: str, *, issuer: str, now: datetime) -> Session | None:
        """Find the session that `secret` is of, and note that it was used."""
        query = select(*_COLUMNS).where(
            sessions.c.digest == _digest(secret), *_alive(issuer=issuer, now=now)
        )

        async def work(connection: AsyncConnection) -> Session | None:
            row = (await connection.execute(query)).one_or_none()
            return Session(**row._mapping) if row else None  # noqa: SLF001  SQLAlchemy's public name

        found = await self._database.read(work)
        if found and now - found.seen_at > _NOTED_EVERY:
            seen = update(sessions).where(sessions.c.id == found.id).values(seen_at=now)
            await self._database.transaction(lambda connection: connection.execute(seen))
        return found

    async def all(self, *, issuer: str, now: datetime) -> list[Session]:
        """List the sessions that last, the last used first."""
        query = (
            select(*_COLUMNS)
            .where(*_alive(issuer=issuer, now=now))
            .order_by(sessions.c.seen_at.desc(), sessions.c.id.desc())
        )

        async def work(connection: AsyncConnection) -> list[Session]:
            rows = await connection.execute(query)
            return [Session(**row._mapping) for row in rows]  # noqa: SLF001  SQLAlchemy's public name

        return await self._database.read(work)

    async def end(self, secret: str) -> None:
        """End the session that `secret` is of; none is no error."""
        statement = delete(sessions).where(sessions.c.digest == _digest(secret))
        await self._database.transaction(lambda connection: connection.execute(statement))

    async def revoke(self, ids: Sequence[int]) -> int:
        """End sessions by their ids; gives how many there were."""
        statement = delete(sessions).where(sessions.c.id.in_(ids))

        async def work(connection: AsyncConnection) -> int:
            return (await connection.execute(statement)).rowcount

        return await self._database.transaction(work)

    async def issue_code(self, code: str, *, issuer: str, expires_at: datetime) -> None:
        """Make a code that can be redeemed once."""
        statement = insert(codes).values(
            digest=_digest(code), issued_by=issuer, expires_at=expires_at
        )
        await self._database.transaction(lambda connection: connection.execute(statement))

    async def redeem_code(self, code: str, *, issuer: str, now: datetime) -> bool:
        """Take a code back; whether it was good. Of two at once, one gets it."""
        statement = delete(codes).where(
            codes.c.digest == _digest(code), codes.c.issued_by == issuer, codes.c.expires_at > now
        )

        async def work(connection: AsyncConnection) -> bool:
            return (await connection.execute(statement)).rowcount == 1

        return await self._database.transaction(work)

    async def clear(self, *, now: datetime) -> None:
        """Drop what has ended: codes past their time, sessions unused for too long."""
        await self._drop(codes.c.digest, codes.c.expires_at <= now)
        await self._drop(sessions.c.digest, sessions.c.seen_at <= now - UNUSED)

    async def _drop(self, key: Column[str], over: ColumnElement[bool]) -> None:
        await self._database.drain(
            select(key).where(over), lambda keys: delete(key.table).where(key.in_(keys), over)
        )


def _alive(*, issuer: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (sessions.c.issued_by == issuer, sessions.c.seen_at > now - UNUSED)


def _digest(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()

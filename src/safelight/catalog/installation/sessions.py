"""The rows of sessions and one-time codes, shared by all processes.

A browser holds 32 random bytes, and the row their SHA-256, so a copy of the database can't be used
to sign in. `issuer` is a digest of the current access token: sessions and codes are valid only
until the token is replaced.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from operator import methodcaller

from sqlalchemy import Column, ColumnElement, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog.database import Database
from safelight.catalog.tables import codes, sessions

IDLE_LIFETIME = timedelta(days=30)
"""A session expires after this time without use."""
MAX_LIFETIME = timedelta(days=90)
"""A session expires this long after the sign-in, however much it is used."""

_SEEN_INTERVAL = timedelta(hours=1)
"""The precision of the last use: a write for each request would cost too much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A browser that is signed in. `seen_at` is precise to the hour."""

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
    """The sessions of one installation. Calls raise CatalogUnavailable if PostgreSQL is down."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, secret: str, *, issuer: str, address: str, browser: str, now: datetime
    ) -> None:
        """Create a session for the browser that holds `secret`."""
        statement = insert(sessions).values(
            digest=_digest(secret),
            issued_by=issuer,
            created_at=now,
            seen_at=now,
            address=address[:100],
            browser=browser[:300],
        )
        await self._database.transaction(methodcaller("execute", statement))

    async def find(self, secret: str, *, issuer: str, now: datetime) -> Session | None:
        """Return the session of `secret`, and record that it was used."""
        query = select(*_COLUMNS).where(
            sessions.c.digest == _digest(secret), *_is_active(issuer=issuer, now=now)
        )

        async def work(connection: AsyncConnection) -> Session | None:
            row = (await connection.execute(query)).one_or_none()
            return Session(**row._mapping) if row else None

        found = await self._database.read(work)
        if found and now - found.seen_at > _SEEN_INTERVAL:
            seen = update(sessions).where(sessions.c.id == found.id).values(seen_at=now)
            await self._database.transaction(methodcaller("execute", seen))
        return found

    async def all(self, *, issuer: str, now: datetime) -> list[Session]:
        """List the active sessions, most recently used first."""
        query = (
            select(*_COLUMNS)
            .where(*_is_active(issuer=issuer, now=now))
            .order_by(sessions.c.seen_at.desc(), sessions.c.id.desc())
        )

        async def work(connection: AsyncConnection) -> list[Session]:
            rows = await connection.execute(query)
            return [Session(**row._mapping) for row in rows]

        return await self._database.read(work)

    async def delete(self, secret: str) -> bool:
        """End the session of `secret`, and return whether there was one."""
        statement = delete(sessions).where(sessions.c.digest == _digest(secret))

        async def work(connection: AsyncConnection) -> bool:
            return (await connection.execute(statement)).rowcount > 0

        return await self._database.transaction(work)

    async def revoke(self, ids: Sequence[int], *, issuer: str) -> list[int]:
        """End sessions of an issuer by their ids, and return the ids of those that there were."""
        statement = (
            delete(sessions)
            .where(sessions.c.id.in_(ids), sessions.c.issued_by == issuer)
            .returning(sessions.c.id)
        )

        async def work(connection: AsyncConnection) -> list[int]:
            return list((await connection.execute(statement)).scalars())

        return await self._database.transaction(work)

    async def issue_code(self, code: str, *, issuer: str, expires_at: datetime) -> None:
        """Store a code that can be redeemed once."""
        statement = insert(codes).values(
            digest=_digest(code), issued_by=issuer, expires_at=expires_at
        )
        await self._database.transaction(methodcaller("execute", statement))

    async def redeem_code(self, code: str, *, issuer: str, now: datetime) -> bool:
        """Redeem a code, and return whether it was valid. Of two concurrent calls, one succeeds."""
        statement = delete(codes).where(
            codes.c.digest == _digest(code), codes.c.issued_by == issuer, codes.c.expires_at > now
        )

        async def work(connection: AsyncConnection) -> bool:
            return (await connection.execute(statement)).rowcount == 1

        return await self._database.transaction(work)

    async def delete_expired(self, *, now: datetime) -> None:
        """Delete expired codes and sessions."""
        await self._delete_rows(codes.c.digest, codes.c.expires_at <= now)
        await self._delete_rows(sessions.c.digest, sessions.c.seen_at <= now - IDLE_LIFETIME)
        await self._delete_rows(sessions.c.digest, sessions.c.created_at <= now - MAX_LIFETIME)

    async def _delete_rows(self, key: Column[str], expired: ColumnElement[bool]) -> None:
        await self._database.process_in_batches(
            select(key).where(expired), lambda keys: delete(key.table).where(key.in_(keys), expired)
        )


def _is_active(*, issuer: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        sessions.c.issued_by == issuer,
        sessions.c.seen_at > now - IDLE_LIFETIME,
        sessions.c.created_at > now - MAX_LIFETIME,
    )


def _digest(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()

"""Embed Safelight in your own app: run ``python examples/embed.py``.

The app authenticates its users (here by a header that names the user; yours verifies a session or a
token). Safelight only needs the owner of the photos that a request reads or changes.
"""

from typing import Annotated

from fastapi import FastAPI, Header, HTTPException

from safelight import Library, Settings, photo_router


def current_user_id(x_user: Annotated[str | None, Header()] = None) -> str:
    """Return the user of the request, or raise for an unknown one."""
    if x_user not in {"ada", "grace"}:
        raise HTTPException(401, "Send the header X-User: ada or grace.")
    return x_user


library = Library.from_settings(Settings())
app = FastAPI(lifespan=library.lifespan)
app.include_router(photo_router(library, owner=current_user_id), prefix="/api")


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, port=8000)

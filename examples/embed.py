"""Safelight inside somebody's own app: run it with ``python examples/embed.py``.

The app has its own idea of who is who (here: a header that names the user; yours is a session or a
token that you verify). Safelight asks it whose photos a request is about, and nothing else.
"""

from typing import Annotated

from fastapi import FastAPI, Header, HTTPException

from safelight import Library, Settings, photo_router


def current_user_id(x_user: Annotated[str | None, Header()] = None) -> str:
    """Tell who asks; whoever isn't known gets no further."""
    if x_user not in {"ada", "grace"}:
        raise HTTPException(401, "Say who you are: X-User: ada, or grace.")
    return x_user


library = Library.from_settings(Settings())
app = FastAPI(lifespan=library.lifespan)
app.include_router(photo_router(library, owner=current_user_id), prefix="/api")


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, port=8000)

"""The JSON schemas of ``/sessions``."""

from datetime import datetime
from typing import Annotated

import msgspec

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class SessionView(msgspec.Struct):
    """A signed-in browser. `current` is true for the browser that sent the request.

    `browser` is its User-Agent header. `browser_name` and `system` are what that names, such as
    Firefox and Linux, or null. `seen_at` is precise to the hour.
    """

    id: int
    created_at: _Moment
    seen_at: _Moment
    address: str
    browser: str
    browser_name: str | None
    system: str | None
    current: bool


class SignedOutView(msgspec.Struct):
    """The number of browsers that were signed out."""

    ended: int

"""The JSON schema of the response about changes."""

import msgspec


class ChangesView(msgspec.Struct):
    """A value that is another one after each change of photos or albums; opaque."""

    changes: str

"""The JSON schemas of the responses about the trash."""

import msgspec


class TrashView(msgspec.Struct):
    """The number of photos in the trash, and for how many days they stay there.

    `revoking` is the number of those whose old links may still work.
    """

    photos: int
    days: int
    revoking: int


class EmptiedView(msgspec.Struct):
    """The number of photos that were deleted for good."""

    deleted: int

"""What a language has to say on the pages that the server makes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from safelight.errors import SafelightError


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """The texts of a language. A file of a language that lacks one fails the type check.

    Texts with a number are functions of it, for the plural. The arguments of `Markup` are escaped.
    """

    language: str
    """As in ``<html lang>``."""

    format_date: Callable[[datetime], str]
    format_time: Callable[[datetime], str]
    """With the time zone, UTC."""
    format_taken: Callable[[str], str]
    """Of a time in RFC 3339 on the camera's clock, with or without offset."""
    format_size: Callable[[int], str]
    """Of a number of bytes."""

    photo_count: Callable[[int], str]
    photos: str
    photo: str
    untitled_photo: str
    untitled: str
    title: str
    description: str
    all_photos: str
    older_photos: str
    no_photos: str
    no_older_photos: str
    photos_unavailable: str
    pages: str
    first_page: str
    next_page: str
    newest: str
    older: str

    recent: str
    search: str
    search_photos: str
    nothing_found: str

    albums: str
    all_albums: str
    no_albums: str
    album_is_empty: str
    no_more_in_album: str

    add_photo: str
    accepted_formats: Callable[[str], str]
    """Of the size limit."""
    upload: str
    already_there: str

    taken: str
    added: str
    file: str
    size: str
    dimensions: Callable[[int, int, str], str]
    """Of width and height in pixels, and the size of the file."""
    link: str
    link_until: Markup
    """With the address of the original, and the end of the link."""
    located: str
    not_displayable: str
    links_stop: str

    revoke_ellipsis: str
    revoke_hint: str
    revoke: str
    delete_ellipsis: str
    moves_to_trash: Callable[[int], str]
    """Of the days in the trash."""
    deletes_for_good: str
    delete_photo: str

    trash: str
    trash_hint: Callable[[int], str]
    """Of the days in the trash."""
    revoking: str
    deleted_on: Callable[[str], str]
    """Of a date."""
    restore: str
    delete_for_good: str
    delete_for_good_ellipsis: str
    cannot_be_undone: str
    empty_trash: str
    empty_trash_ellipsis: str
    empty_trash_hint: str
    trash_is_empty: str
    no_older_in_trash: str

    sign_in: str
    sign_in_hint: Markup
    token: str
    sign_in_here: str
    link_works_once: str
    link_is_used: str
    token_is_wrong: str
    sign_out: str

    devices: str
    device: Callable[[str | None, str | None], str]
    """Of the names of a browser and of its system, as far as they are known."""
    this_browser: str
    seen_at: str
    """With a time."""
    signed_in_at: str
    """With a time and an address."""
    no_devices: str

    error: str
    something_went_wrong: str
    back: str

    gallery_description: str
    needs_javascript: Markup
    """With the address of the simple page."""
    not_built: str
    gallery_not_built: str
    build_gallery: Markup
    """With the address of the simple page."""

    too_large: Callable[[str], str]
    """Of the size limit."""
    too_large_here: Callable[[str, str], str]
    """Of the size limits of the simple page and of the gallery."""
    problems: Mapping[str, str]
    """Other errors: a message of one by its English text, or all of a kind by their `code`."""

    def problem(self, error: SafelightError) -> str:
        """Return an error's message; in English if this language has none for it."""
        return self.problems.get(str(error)) or self.problems.get(error.code) or str(error)

"""The pages in English."""

from typing import Final

from markupsafe import Markup

from safelight.errors import format_size
from safelight.web.pages.languages.texts import Texts

ENGLISH: Final = Texts(
    language="en",
    format_date=lambda time: time.strftime("%Y-%m-%d"),
    format_time=lambda time: time.strftime("%Y-%m-%d %H:%M UTC"),
    format_taken=lambda time: time.replace("T", " "),
    format_size=format_size,
    photo_count=lambda number: "1 photo" if number == 1 else f"{number:,} photos",
    photos="Photos",
    photo="Photo",
    untitled_photo="Untitled photo",
    untitled="Untitled",
    title="Title",
    description="Description",
    all_photos="All photos",
    older_photos="Older photos",
    no_photos="No photos yet. The first one you add appears here.",
    no_older_photos="There are no older photos.",
    photos_unavailable="The photos are unavailable right now.",
    pages="Pages",
    first_page="First page",
    next_page="Next page",
    newest="Newest",
    older="Older",
    recent="Recently added",
    search="Search",
    search_photos="Search photos",
    nothing_found="No photos found.",
    albums="Albums",
    all_albums="All albums",
    no_albums="No albums yet.",
    album_is_empty="No photos in this album.",
    no_more_in_album="There are no more photos in this album.",
    add_photo="Add a photo",
    accepted_formats=lambda limit: f"JPEG, PNG, GIF, WebP, AVIF or HEIC, up to {limit}.",
    upload="Upload",
    already_there="You already have this photo. Nothing was added.",
    taken="Taken",
    added="Added",
    file="File",
    size="Size",
    dimensions=lambda width, height, size: f"{width} × {height} pixels, {size}",
    link="Link",
    link_until=Markup('<a href="{}">Full size</a>, for anyone with the link, until {}.'),
    located="The file contains the place where it was taken.",
    not_displayable="Some browsers do not show it correctly.",
    links_stop="All links to it stop working.",
    revoke_ellipsis="Revoke links …",
    revoke_hint=(
        "All links to this photo that were given out stop working. Copies that a browser or a"
        " person has saved can’t be called back."
    ),
    revoke="Revoke all links",
    delete_ellipsis="Delete …",
    moves_to_trash=lambda days: (
        f"The photo goes to the trash, and is deleted for good after {_days(days)}."
    ),
    deletes_for_good="This deletes the photo permanently.",
    delete_photo="Delete this photo",
    trash="Trash",
    trash_hint=lambda days: (
        f"Photos are deleted for good {_days(days)} after they were moved here. All links to them"
        " have stopped working; a restored photo has new ones."
    ),
    revoking=(
        "The photo store is unavailable or full, so some old links still work. They stop working as"
        " soon as it is not."
    ),
    deleted_on=lambda date: f"Deleted for good on {date}",
    restore="Restore",
    delete_for_good="Delete for good",
    delete_for_good_ellipsis="Delete for good …",
    cannot_be_undone="This can’t be undone.",
    empty_trash="Empty the trash",
    empty_trash_ellipsis="Empty the trash …",
    empty_trash_hint="This deletes all photos in the trash for good. It can’t be undone.",
    trash_is_empty="The trash is empty.",
    no_older_in_trash="There are no older photos in the trash.",
    sign_in="Sign in",
    sign_in_hint=Markup(
        "Enter the access token. To see it, run <code>safelight token show</code> on the server."
    ),
    token="Token",
    sign_in_here="Sign in on this device",
    link_works_once="This link works once, on one device.",
    link_is_used="This link has been used or has expired. Sign in with the token instead.",
    token_is_wrong="This token is not valid.",
    sign_out="Sign out",
    devices="Signed-in devices",
    device=lambda browser, system: " on ".join(
        filter(None, (browser or "Unknown browser", system))
    ),
    this_browser="this browser",
    seen_at="Last seen {}.",
    signed_in_at="Signed in {}, from {}.",
    no_devices="No browser is signed in.",
    error="Error",
    something_went_wrong="Something went wrong",
    back="Back to the photos",
    gallery_description="Your photos.",
    needs_javascript=Markup(
        'The gallery needs JavaScript. <a href="{}">The simple page</a> works without it.'
    ),
    not_built="Not built",
    gallery_not_built="The gallery is not built",
    build_gallery=Markup(
        "Run <code>make gallery</code> in the checkout and restart Safelight. Until then, use"
        ' <a href="{}">the simple page</a>.'
    ),
    too_large=lambda limit: f"This photo is too large. The limit is {limit}.",
    too_large_here=lambda limit, direct: (
        f"This photo is too large. The limit here is {limit}; the gallery accepts up to {direct}."
    ),
    problems={},
)


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"

"""``safelight url``: a photo's link, alone on its line, and drawn for a phone."""

from safelight.cli.client import Client, Photo
from safelight.cli.client_settings import ClientSettings
from safelight.cli.terminal import plain, say
from safelight.errors import NotFound, OperatorError


def show_link(settings: ClientSettings, id_: str, *, rendition: str | None, qr: bool) -> None:
    """Write the link to stdout, and its QR code to stderr if that is wanted."""
    with Client(settings) as client:
        try:
            photo = client.photo(id_)
        except NotFound as error:
            raise OperatorError(
                f"There is no photo {id_}: 'safelight ls' shows which are."
            ) from error
    url = link_of(photo, rendition)
    say(plain(url))
    if qr:
        from safelight.cli.qr import draw  # noqa: PLC0415  only then

        draw(url)


def link_of(photo: Photo, rendition: str | None) -> str:
    """Take the link to a rendition, to the ``original``, or (None) to what browsers show best."""
    links: dict[str | None, str] = {None: photo["photo_url"], "original": photo["original_url"]}
    links |= {made["name"]: made["url"] for made in photo["renditions"]}
    if rendition not in links:
        names = ", ".join(name for name in links if name)
        raise OperatorError(f"Photo {photo['id']} has no rendition {rendition}: it has {names}.")
    return links[rendition]

"""HTML for photos: `srcset` and `picture`, and filters for Jinja."""

import re
from collections.abc import Callable, Mapping
from html import escape
from typing import Literal

from safelight.errors import UsageError
from safelight.imaging.presets import display_rendition
from safelight.library.methods.links import LinkMethods
from safelight.models import Photo, Rendition

_is_attribute = re.compile(r"[A-Za-z][A-Za-z0-9-]*").fullmatch


class Html(str):
    """HTML that template engines insert without escaping it again, by its `__html__`."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


class MarkupMethods(LinkMethods):
    """The methods that make HTML."""

    def srcset(self, photo: Photo) -> str:
        """Return the photo's renditions for the attribute `srcset`: ``URL 320w, URL 640w``.

        Only those that have been made are listed, and only those that show all of the photo. The
        text is not HTML: templates escape it as any other.
        """
        by_width = {each.width: each for each in photo.renditions if not _is_cropped(photo, each)}
        return ", ".join(
            f"{self.link(photo, each.name).url} {width}w"
            for width, each in sorted(by_width.items())
        )

    def picture(
        self,
        photo: Photo,
        *,
        alt: str,
        sizes: str = "100vw",
        loading: Literal["lazy", "eager"] = "lazy",
        **attributes: str,
    ) -> Html:
        """Return an `<img>` with `srcset` and the photo's size, as HTML that is safe to insert.

        `sizes` says how wide the image will be on the page, in CSS. `attributes` are others of the
        `<img>`: ``class_="card"``, ``data_id="7"``. An animation that browsers can show is linked
        to directly, without `srcset`, since renditions stand still.
        """
        values = {
            "src": self.link(photo).url,
            "srcset": self.srcset(photo),
            "sizes": sizes,
            "width": str(photo.facts.width),
            "height": str(photo.facts.height),
            "alt": alt,
            "loading": loading,
            "decoding": "async",
        }
        moves = photo.facts.frames > 1 and display_rendition(photo) is None
        if moves or not values["srcset"]:
            del values["srcset"], values["sizes"]
        for name, text in attributes.items():
            attribute = name.rstrip("_").replace("_", "-")
            if not _is_attribute(attribute):
                raise UsageError(f"{name!r} can't be the name of an attribute.")
            values[attribute] = text
        return Html("<img " + " ".join(f'{n}="{escape(v)}"' for n, v in values.items()) + ">")

    @property
    def jinja_filters(self) -> Mapping[str, Callable[..., str]]:
        """The filters `photo_url`, `srcset` and `picture` for Jinja templates.

        Add them once: ``templates.env.filters.update(library.jinja_filters)``.
        """
        return {
            "photo_url": lambda photo, rendition=None: self.link(photo, rendition).url,
            "srcset": self.srcset,
            "picture": self.picture,
        }


def _is_cropped(photo: Photo, rendition: Rendition) -> bool:
    """Return whether a rendition has other proportions than the photo, by more than rounding."""
    width, height = photo.facts.width, photo.facts.height
    error = abs(rendition.height * width - rendition.width * height)
    return error > max(width, height)

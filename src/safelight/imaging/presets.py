"""The sizes in which photos are shown, and which of them an image gets."""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import cache, lru_cache
from typing import Final

from safelight.imaging.formats import FORMATS, JPEG
from safelight.models import Fit, ImageFacts, Photo, Preset, Rendition, When
from safelight.settings import RenditionSettings

LOSSLESS_PIXELS: Final = 16_384
"""Images of at most this many pixels get lossless renditions: otherwise icons and pixel art lose
their colours, and photographs of this size stay small (docs/decisions/0006-renditions.md)."""
JPEG_PIXELS: Final = range(131_072, 524_289)
"""JPEGs of as many pixels stay JPEGs where they aren't shrunk, unless that is done on demand: it
looks better, and takes a fifth of the time. Those of fewer take little time, and of more too many
bytes (docs/decisions/0042-small-jpegs.md)."""

_QUALITIES: Final = {320: 82, 640: 81, 1280: 82}
_LARGE_QUALITY: Final = 80
"""The qualities up to these widths, and above; measured in docs/decisions/0006-renditions.md."""
_EARLIER_QUALITIES: Final = {(1280, 82): 81}
"""By width and quality: what the renditions of version 0.1 were made with. They stay valid."""

_DIGEST_BYTES: Final = 16
_SIZES: Final = 256
"""Sizes of images whose presets are cached: photos of one camera have the same."""
LATEST_RENDERER: Final = 2
"""To be raised whenever rendering makes other pixels of some images (see ImageFacts.renderer)."""


def build_presets(settings: RenditionSettings) -> tuple[Preset, ...]:
    """Return the configured presets, narrowest first."""
    return tuple(
        Preset(
            name=preset.name,
            width=preset.width,
            height=preset.height,
            short_side=preset.short_side,
            fit=Fit(preset.fit),
            when=When(preset.when),
            quality=settings.quality or _default_quality(preset.width),
            effort=settings.effort,
        )
        for preset in settings.all_presets
    )


def _default_quality(width: int) -> int:
    return next(
        (quality for limit, quality in _QUALITIES.items() if width <= limit), _LARGE_QUALITY
    )


def presets_for_image(presets: tuple[Preset, ...], facts: ImageFacts) -> tuple[Preset, ...]:
    """Return the presets for an image of this size, renderer and turn."""
    return presets_for_size(
        presets,
        facts.width,
        facts.height,
        is_jpeg=facts.format == JPEG.name,
        renderer=facts.renderer,
        turn=facts.turn,
    )


@lru_cache(_SIZES)
def presets_for_size(
    presets: tuple[Preset, ...],
    width: int,
    height: int,
    *,
    is_jpeg: bool = False,
    renderer: int = 1,
    turn: int = 0,
) -> tuple[Preset, ...]:
    """Return the presets for an image of this size, in pixels as displayed.

    All crops, and of the others those narrower than the image, and the next one, which renders it
    at its own size. One on demand is not chosen for an image of which another, made unasked, shows
    everything already.
    """
    chosen, is_shown = list[Preset](), False
    for asked in (False, True):
        for preset in presets:
            if (preset.when == When.DEMAND) is not asked:
                continue
            shows_all = preset.shows_all(width, height)
            if not (shows_all and is_shown):
                chosen.append(preset)
            is_shown = is_shown or shows_all
    return tuple(
        replace(_adapt(preset, width, height, is_jpeg=is_jpeg), renderer=renderer, turn=turn)
        for preset in sorted(chosen, key=presets.index)
    )


def _adapt(preset: Preset, width: int, height: int, *, is_jpeg: bool) -> Preset:
    """Return how a preset renders an image of this size.

    A tiny one becomes lossless, and a small JPEG that isn't shrunk stays one. What makes no
    difference is left out: it would change the digest.
    """
    pixels, is_shrunk = width * height, preset.size_for(width, height) != (width, height)
    if pixels <= LOSSLESS_PIXELS:
        preset = replace(preset, lossless=True)
    elif is_jpeg and pixels in JPEG_PIXELS and not is_shrunk and preset.when != When.DEMAND:
        preset = replace(preset, content_type=JPEG.content_type)
    simple = replace(preset, height=None, short_side=None)
    is_simple = preset.fit == Fit.INSIDE and preset.size_for(width, height) == simple.size_for(
        width, height
    )
    return simple if is_simple else preset


def choose(presets: tuple[Preset, ...], facts: ImageFacts, name: str) -> Preset | None:
    """Return the preset of this name for an image; None if none has the name.

    A photo that is smaller than the preset may have another one that shows all of it already. That
    is returned.
    """
    for_image = presets_for_image(presets, facts)
    if found := next((preset for preset in for_image if preset.name == name), None):
        return found
    if all(preset.name != name for preset in presets):
        return None
    return next(preset for preset in for_image if preset.shows_all(facts.width, facts.height))


@lru_cache(_SIZES)
def unasked(presets: tuple[Preset, ...]) -> tuple[Preset, ...]:
    """Return those that are made before anyone asks for them."""
    return tuple(preset for preset in presets if preset.when != When.DEMAND)


@lru_cache(_SIZES)
def made_at_upload(presets: tuple[Preset, ...]) -> tuple[Preset, ...]:
    """Return those of an image's presets that are rendered before its upload is answered.

    There is always one that isn't a crop.
    """
    at_upload = [preset for preset in presets if preset.when == When.UPLOAD]
    if all(preset.fit == Fit.COVER for preset in at_upload):
        whole = tuple(preset for preset in presets if preset.fit == Fit.INSIDE)
        at_upload += [*unasked(whole), *whole][:1]
    return tuple(at_upload)


@lru_cache(_SIZES)
def widest_first(presets: tuple[Preset, ...], width: int, height: int) -> tuple[Preset, ...]:
    """Return presets in the order in which an image of this size is rendered."""
    return tuple(
        sorted(presets, key=lambda preset: preset.scaled_size(width, height), reverse=True)
    )


def missing(presets: Iterable[Preset], renditions: Iterable[Rendition]) -> tuple[Preset, ...]:
    """Return the presets of which there is no valid rendition of the same name.

    Before renditions of tiny images were lossless, they were not; those stay valid. So do those of
    panoramas, from before they had a minimum height, those of an earlier quality, and the WebPs of
    JPEGs that weren't shrunk.
    """
    made = {(rendition.name, _digest_in(rendition)) for rendition in renditions}
    return tuple(
        preset
        for preset in presets
        if made.isdisjoint((preset.name, valid) for valid in valid_digests(preset))
    )


def is_outdated(presets: tuple[Preset, ...], facts: ImageFacts, rendition: Rendition) -> bool:
    """Return whether no preset names a rendition of a photo, or it isn't what its preset makes.

    Only what is made on demand counts as outdated for the second reason: others are replaced.
    """
    preset = next((each for each in presets if each.name == rendition.name), None)
    if preset is None:
        return True
    if preset.when != When.DEMAND:
        return False
    return all(
        missing([each], [rendition])
        for each in presets_for_image(presets, facts)
        if each.name == rendition.name
    )


def valid_digests(preset: Preset) -> tuple[str, ...]:
    """Return the digests of the renditions that are valid for a preset, the best first."""
    valid = [preset]
    if preset.short_side:
        valid.append(replace(preset, short_side=None))
    if quality := _EARLIER_QUALITIES.get((preset.width, preset.quality)):
        valid += [replace(each, quality=quality) for each in valid]
    if preset.lossless:
        valid += [replace(each, lossless=False) for each in valid]
    if preset.content_type == JPEG.content_type:
        valid += [replace(each, content_type="image/webp") for each in valid]
    return tuple(map(digest, valid))


def _digest_in(rendition: Rendition) -> str:
    return rendition.key.rpartition("/")[2]


def is_displayable(photo: Photo) -> bool:
    """Return whether all common browsers show the original as it should be.

    For a photo that an earlier version inspected, its format decides. The original of a photo that
    was turned isn't.
    """
    format_ = FORMATS.get(photo.facts.format)
    is_upright = photo.facts.details.displayable and not photo.facts.turn
    return is_upright and (format_ is None or format_.in_browsers)


def display_rendition(photo: Photo, avoided: Collection[str] = ()) -> Rendition | None:
    """Return the rendition to link to; None for the original, which has to be displayable.

    An original with a location is not linked to either, unless there is no rendition at all. Those
    with the `avoided` names, which are crops or made on demand, are linked to if there is no other.
    """
    if is_displayable(photo) and not photo.facts.details.located:
        return None
    return max(
        photo.renditions,
        key=lambda each: (each.name not in avoided, each.width * each.height),
        default=None,
    )


def awaited_for_display(presets: tuple[Preset, ...], photo: Photo) -> Preset | None:
    """Return what to link to instead of an original that isn't shown, without any rendition yet.

    The original has a location, or the photo is turned. The result is the largest one made unasked;
    None if another image can be linked to.
    """
    if not (photo.facts.details.located or photo.facts.turn):
        return None
    for_image = presets_for_image(presets, photo.facts)
    whole = tuple(each for each in for_image if each.fit == Fit.INSIDE)
    return [*whole[:1], *unasked(whole)][-1]


@cache
def not_for_display(presets: tuple[Preset, ...]) -> frozenset[str]:
    """Return the names of presets that don't stand for a photo: crops, and those on demand."""
    return frozenset(
        preset.name for preset in presets if preset.fit == Fit.COVER or preset.when == When.DEMAND
    )


def without_demanded(photo: Photo, presets: Iterable[Preset]) -> Photo:
    """Return a photo without the renditions that are made on demand, as it is in lists.

    A photo that has no others yet keeps them: otherwise an original with a location would be shown.
    """
    demanded = {preset.name for preset in presets if preset.when == When.DEMAND}
    listed = tuple(each for each in photo.renditions if each.name not in demanded)
    if not listed or len(listed) == len(photo.renditions):
        return photo
    return replace(photo, renditions=listed)


@cache
def digest(preset: Preset) -> str:
    """Return a digest of what a preset makes of an image: 32 lower-case hex digits, for the key."""
    renderer = f"safelight {preset.renderer}"
    recipe = f"{renderer}/{preset.content_type}/{preset.width}/{preset.quality}/{preset.effort}"
    recipe += "/lossless" if preset.lossless else ""
    # Only what is given, so that the renditions of earlier versions stay valid.
    recipe += f"/height {preset.height}" if preset.height is not None else ""
    recipe += f"/short side {preset.short_side}" if preset.short_side is not None else ""
    recipe += f"/turn {preset.turn}" if preset.turn else ""
    recipe += f"/{preset.fit}" if preset.fit != Fit.INSIDE else ""
    return hashlib.blake2b(recipe.encode(), digest_size=_DIGEST_BYTES).hexdigest()

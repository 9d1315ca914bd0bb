"""Which renditions a photo gets, and the digests in their keys."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from safelight import keys
from safelight.imaging import presets
from safelight.settings import RenditionSettings

DIGESTS = [
    "b9794268d807e3a2a8c3575173614fcc",
    "903d7af4825d2b01326cd7b16d0de983",
    "4c3b486704a8c882dcd820e2e8ba39cd",
    "2ab6b81dc72544613103fbe37ffae521",
]
PRESETS = presets.build_presets(RenditionSettings())


def widths(settings: RenditionSettings, width: int) -> list[int]:
    found = presets.presets_for_size(presets.build_presets(settings), width, 20_000)
    return [min(preset.width, width) for preset in found]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (1, [1]),
        (319, [319]),
        (320, [320]),
        (321, [320, 321]),
        (1280, [320, 640, 1280]),
        (2000, [320, 640, 1280, 2000]),
        (2560, [320, 640, 1280, 2560]),
        (12_000, [320, 640, 1280, 2560]),
    ],
)
def test_photo_gets_presets_up_to_its_width(width: int, expected: list[int]) -> None:
    assert widths(RenditionSettings(), width) == expected


@given(width=st.integers(1, 30_000), steps=st.sets(st.integers(16, 16_383), min_size=1, max_size=8))
def test_photo_gets_at_least_one_rendition_and_none_wider_than_itself(
    width: int, steps: set[int]
) -> None:
    found = widths(RenditionSettings(widths=tuple(steps)), width)
    assert found
    assert max(found) == min(width, max(steps))
    assert found == sorted(set(found))


@pytest.mark.parametrize(
    ("width", "size", "expected"),
    [
        (320, (6000, 4000), (320, 213)),
        (640, (6000, 4000), (640, 427)),
        (320, (4000, 6000), (320, 480)),
        (320, (1280, 1), (320, 1)),
        (2560, (5120, 7), (2560, 4)),
        (320, (1, 40_000), (1, 16_383)),
        (320, (3, 20_000), (2, 16_383)),
        (320, (200, 100), (200, 100)),
    ],
)
def test_rendition_size_is_rounded_from_the_size_of_the_image(
    width: int, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert replace(PRESETS[0], width=width).size_for(*size) == expected


@given(
    width=st.integers(1, 16_383), image=st.tuples(st.integers(1, 60_000), st.integers(1, 60_000))
)
def test_rendition_has_sides_of_at_least_one_and_the_proportions_of_the_image(
    width: int, image: tuple[int, int]
) -> None:
    across, down = replace(PRESETS[0], width=width).size_for(*image)
    assert 1 <= across <= min(width, image[0])
    assert 1 <= down <= min(16_383, image[1])
    scale = min(width / image[0], 16_383 / image[1], 1)
    assert abs(across - image[0] * scale) <= 1
    assert abs(down - image[1] * scale) <= 1


def test_tiny_image_gets_lossless_renditions_with_digests_of_their_own() -> None:
    for size in ((128, 128), (16, 16), (1280, 1)):
        tiny = presets.presets_for_size(PRESETS, *size)
        assert all(preset.lossless for preset in tiny)
    others = presets.presets_for_size(PRESETS, 128, 129)
    assert others == PRESETS[:1]
    assert presets.digest(tiny[0]) != presets.digest(PRESETS[0])


def test_lossy_renditions_of_tiny_images_stay_valid() -> None:
    tiny = presets.presets_for_size(PRESETS, 640, 1)
    before = [keys.rendition("0" * 32, presets.digest(PRESETS[0]))]
    assert presets.missing(tiny, before) == tiny[1:]
    assert presets.missing(tiny, before, exact=True) == tiny
    now = [keys.rendition("0" * 32, presets.digest(preset)) for preset in tiny]
    assert presets.missing(tiny, now, exact=True) == ()


def test_digests_of_other_renditions_stay() -> None:
    assert [presets.digest(preset) for preset in PRESETS] == DIGESTS


def test_first_screen_renditions_are_made_at_upload() -> None:
    assert [preset.width for preset in presets.made_at_upload(PRESETS)] == [320, 640]
    large = presets.build_presets(RenditionSettings(widths=(1000, 2000)))
    assert [preset.width for preset in presets.made_at_upload(large)] == [1000]


def test_small_renditions_have_higher_default_quality() -> None:
    assert [preset.quality for preset in PRESETS] == [82, 81, 81, 80]
    assert {preset.quality for preset in presets.build_presets(RenditionSettings(quality=60))} == {
        60
    }


def test_digest_depends_on_pixels_but_not_on_name() -> None:
    preset = PRESETS[0]
    assert presets.digest(replace(preset, name="thumb")) == presets.digest(preset)
    others = [replace(preset, width=300), replace(preset, quality=70), replace(preset, effort=3)]
    assert len({presets.digest(each) for each in [preset, *others]}) == 4
    assert keys.rendition("0" * 32, presets.digest(preset)).endswith(presets.digest(preset))


def test_missing_presets_are_found_by_existing_keys() -> None:
    existing = [keys.rendition("0" * 32, presets.digest(preset)) for preset in PRESETS[:2]]
    assert presets.missing(PRESETS, existing) == PRESETS[2:]
    better = presets.build_presets(RenditionSettings(quality=90))
    assert presets.missing(better, existing) == better


@pytest.mark.parametrize("steps", [(), (320, 320), (0,), (20_000,), tuple(range(100, 109))])
def test_invalid_widths_are_refused(steps: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError):
        RenditionSettings(widths=steps)

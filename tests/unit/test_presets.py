"""Which renditions a photo gets, and the digests in their keys."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from safelight import keys
from safelight.imaging import presets
from safelight.settings import RenditionSettings

PRESETS = presets.build_presets(RenditionSettings())


def widths(settings: RenditionSettings, width: int) -> list[int]:
    found = presets.presets_for_width(presets.build_presets(settings), width)
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

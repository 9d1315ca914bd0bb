"""The darkroom without its processes: validation of answers, capacity, estimated wait."""

import json
from datetime import timedelta

import pytest

from safelight.darkroom import protocol
from safelight.darkroom.admission import AdmissionQueue
from safelight.darkroom.capacity import Capacity
from safelight.darkroom.pool import Darkroom
from safelight.imaging.formats import JPEG
from safelight.settings import LimitSettings

GIB = 1 << 30


FACTS = {"width": 4, "height": 3, "frames": 1, "dates": []}
DATE = {"at": "2020-01-01T00:00:00", "offset_minutes": None, "source": "exif"}


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        {"facts": FACTS | {"width": 0}},
        {"facts": FACTS | {"width": "4"}},
        {"facts": FACTS | {"width": 2**31}},
        {"facts": FACTS | {"width": 210_000_001, "height": 1}},
        {"facts": FACTS | {"frames": 1_001}},
        {"facts": FACTS | {"frames": 0}},
        {"facts": FACTS | {"dates": [DATE | {"at": "soon"}]}},
        {"facts": FACTS | {"dates": [DATE | {"at": "2020-01-01T00:00:00+01:00"}]}},
        {"facts": FACTS | {"dates": [DATE | {"offset_minutes": 10_000}]}},
        {"facts": FACTS | {"dates": [DATE | {"source": "user"}]}},
        {"facts": FACTS | {"dates": [DATE] * 9}},
        {"facts": FACTS | {"format": "svg"}},
        {"facts": FACTS, "sha256": "a" * 64},
        {"refusal": {"code": "error", "message": "?"}},
        {"refusal": {"code": "corrupt_image", "message": "caf\u00e9"}},
        {"refusal": {"code": "corrupt_image", "message": "two\nlines"}},
        {"refusal": {"code": "corrupt_image", "message": "x" * 201}},
    ],
)
def test_invalid_answer_raises_protocol_error(
    answer: bytes | dict[str, object],
) -> None:
    message = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    limits = Darkroom(LimitSettings()).limits
    with pytest.raises(protocol.ProtocolError):
        protocol.decode_inspection(message, JPEG, limits)


@pytest.mark.parametrize(
    ("cores", "memory", "children", "under_load", "extra", "largest"),
    [
        (8, 64 * GIB, 8, 7, 1, 5 * GIB),
        (2, 64 * GIB, 2, 1, 1, 5 * GIB),
        (1, 64 * GIB, 1, 1, 1, 5 * GIB),
        (8, 4 * GIB, 6, 6, 0, 3 * GIB),
        (2, 4 * GIB, 2, 1, 1, 3 * GIB),
        (8, 2 * GIB, 2, 2, 0, GIB),
        (8, GIB, 1, 1, 0, GIB // 2),
        (8, GIB // 4, 1, 1, 0, GIB // 8),
    ],
)
def test_capacity_is_limited_by_cores_and_memory(  # noqa: PLR0917  a row of the table
    cores: int, memory: int, children: int, under_load: int, extra: int, largest: int
) -> None:
    found = Capacity.compute(cores=cores, memory=memory, decode_memory=5 * GIB)
    assert (found.children, found.children_under_load) == (children, under_load)
    assert (found.extra, found.max_memory) == (extra, largest)
    assert (children + extra) * found.usual_space <= found.memory <= memory
    assert found.usual_space <= found.max_memory <= found.memory


def test_this_machine_can_run_a_decoder() -> None:
    here = Capacity.detect(256 << 20)
    assert here.children >= 1
    assert here.usual_space <= here.max_space == 256 << 20


NEEDS = {"memory": 1 << 20, "space": 1 << 20, "seconds": 1.5}


@pytest.mark.parametrize(
    "answer",
    [
        {"needs": NEEDS | {"memory": 0}},
        {"needs": NEEDS | {"space": -1}},
        {"needs": NEEDS | {"space": 2**60}},
        {"needs": NEEDS | {"seconds": 0}},
        {"needs": NEEDS | {"cores": 1}},
        {"needs": {"memory": 1}},
    ],
)
def test_invalid_need_raises_protocol_error(answer: dict[str, object]) -> None:
    limits = Darkroom(LimitSettings()).limits
    with pytest.raises(protocol.ProtocolError):
        protocol.decode_inspection(json.dumps(answer).encode(), JPEG, limits)


def test_need_is_read() -> None:
    limits = Darkroom(LimitSettings()).limits
    with pytest.raises(protocol.NeedsAllowance) as large:
        protocol.decode_inspection(json.dumps({"needs": NEEDS}).encode(), JPEG, limits)
    assert large.value.allowance == protocol.Allowance(memory=1 << 20, space=1 << 20, seconds=1.5)


async def test_estimated_wait_grows_with_queue_and_jobs() -> None:
    queue = AdmissionQueue(servers=2, max_waiting=100)
    queue._average, queue.waiting = 1.0, 4
    assert queue.estimated_wait() == timedelta(seconds=3)
    queue._average, queue.waiting = 0.01, 0
    assert queue.estimated_wait() == timedelta(seconds=1)
    queue._average, queue.waiting = 20.0, 256
    assert queue.estimated_wait() == timedelta(seconds=300)

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
        {"facts": FACTS | {"width": 120_000_001, "height": 1}},
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
    ("cores", "memory", "expected"),
    [
        (8, 64 * GIB, Capacity(extra=1, children=8, children_under_load=7, address_space=3 * GIB)),
        (8, 7 * GIB, Capacity(extra=0, children=2, children_under_load=2, address_space=3 * GIB)),
        (8, 2 * GIB, Capacity(extra=0, children=1, children_under_load=1, address_space=2 * GIB)),
        (2, 64 * GIB, Capacity(extra=1, children=2, children_under_load=1, address_space=3 * GIB)),
        (1, 64 * GIB, Capacity(extra=1, children=1, children_under_load=1, address_space=3 * GIB)),
    ],
)
def test_capacity_is_limited_by_cores_and_memory(
    cores: int, memory: int, expected: Capacity
) -> None:
    assert Capacity.compute(cores=cores, memory=memory, decode_memory=3 * GIB) == expected


def test_this_machine_can_run_a_decoder() -> None:
    here = Capacity.detect(256 << 20)
    assert here.children >= 1
    assert here.address_space <= 256 << 20


async def test_estimated_wait_grows_with_queue_and_jobs() -> None:
    queue = AdmissionQueue(servers=2, max_waiting=100)
    queue._average, queue.waiting = 1.0, 4
    assert queue.estimated_wait() == timedelta(seconds=3)
    queue._average, queue.waiting = 0.01, 0
    assert queue.estimated_wait() == timedelta(seconds=1)
    queue._average, queue.waiting = 20.0, 256
    assert queue.estimated_wait() == timedelta(seconds=300)

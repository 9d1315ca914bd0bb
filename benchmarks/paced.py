"""Request a page at a steady rate, independent of the answers, in a separate process.

The time of a request is measured from its scheduled moment to the end of the answer, so that it
includes stalls of the server (coordinated omission). Reads a JSON object from standard input and
writes one to standard output: see `Pace` and `Outcome`.
"""

import http.client
import json
import sys
import threading
import time
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The requests: `rate` per second, alternating over `connections`."""

    port: int
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    rate: float = 40
    connections: int = 8
    seconds: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The number of answers, and their times in milliseconds."""

    answers: int
    median: float
    p95: float


def read(pace: Pace) -> Outcome:
    """Send the requests."""
    times: list[float] = []
    started_at = time.perf_counter() + 0.1
    threads = [
        threading.Thread(target=_request_pages, args=(pace, started_at, number, times))
        for number in range(pace.connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times.sort()
    return Outcome(
        answers=len(times), median=times[len(times) // 2], p95=times[len(times) * 95 // 100]
    )


def _request_pages(pace: Pace, started_at: float, number: int, times: list[float]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", pace.port, timeout=60)
    for turn in range(number, int(pace.seconds * pace.rate), pace.connections):
        moment = started_at + turn / pace.rate
        time.sleep(max(moment - time.perf_counter(), 0))
        connection.request("GET", pace.path, headers=pace.headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise SystemExit(f"the server answered {answer.status}")
        times.append((time.perf_counter() - moment) * 1000)


if __name__ == "__main__":
    print(json.dumps(asdict(read(Pace(**json.load(sys.stdin))))))

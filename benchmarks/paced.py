"""Paced readers: a process that asks for a page at a steady rate, whether the last came or not.

Each request has its moment; what is measured is the time from that moment to the end of the
answer, so that a server that stalls can't hide it. Takes a JSON object on standard input, gives one
on standard output: see `Pace` and `Outcome`.
"""

import http.client
import json
import sys
import threading
import time
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What to ask for: `rate` requests a second, over so many connections in turns."""

    port: int
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    rate: float = 40
    connections: int = 8
    seconds: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Milliseconds of an answer, and how many there were."""

    answers: int
    median: float
    p95: float


def read(pace: Pace) -> Outcome:
    """Ask for as long as told."""
    times: list[float] = []
    began = time.perf_counter() + 0.1
    threads = [
        threading.Thread(target=_ask, args=(pace, began, number, times))
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


def _ask(pace: Pace, began: float, number: int, times: list[float]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", pace.port, timeout=60)
    for turn in range(number, int(pace.seconds * pace.rate), pace.connections):
        moment = began + turn / pace.rate
        time.sleep(max(moment - time.perf_counter(), 0))
        connection.request("GET", pace.path, headers=pace.headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise SystemExit(f"the server answered {answer.status}")
        times.append((time.perf_counter() - moment) * 1000)


if __name__ == "__main__":
    print(json.dumps(asdict(read(Pace(**json.load(sys.stdin))))))

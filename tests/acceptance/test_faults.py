"""Bad weather between the service and its engines: documented answers, nothing lost, no restart."""

from acceptance.test_torture import something_was_done, torture


def test_what_delays_breaks_and_spoils_loses_nothing_and_needs_no_restart() -> None:
    told = torture("--faults", "--seed", "1", "--rounds", "3", "--patience", "5")
    something_was_done(told)
    for engine in ("PostgreSQL", "store"):
        for fault in ("late", "its answer cut short", "reset before it came there"):
            assert f"{engine}: {fault}" in told
    assert "store: answered with 500" in told
    assert "store: answered with 503" in told

"""A short turn of `make torture`: nothing that was acknowledged is lost, whatever is killed."""

from acceptance.tortured import torture


def test_nothing_acknowledged_is_lost_whoever_is_killed() -> None:
    told = torture("--seed", "1", "--kills", "6", "--patience", "5")
    for victim in ("server", "worker", "darkroom child", "PostgreSQL", "SeaweedFS"):
        assert f"killed: {victim}  " in told

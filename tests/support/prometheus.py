"""Read /metrics as Prometheus does."""

from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples by name and labels."""

    samples: dict[tuple[str, frozenset[tuple[str, str]]], float]

    def get(self, name: str, **labels: str) -> float:
        """Return a sample; 0 if it doesn't exist yet."""
        return self.samples.get((f"safelight_{name}", frozenset(labels.items())), 0)

    def labels(self, name: str) -> list[dict[str, str]]:
        """List the labels of all samples of a name."""
        return [dict(labels) for found, labels in self.samples if found == f"safelight_{name}"]


def scrape(client: httpx.Client) -> Samples:
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert answer.headers["cache-control"] == "no-store"
    return Samples(
        {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }
    )

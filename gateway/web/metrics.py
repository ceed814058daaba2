"""指标 Counters for operations: ids and people appear nowhere, only codes and counts (Law 11)."""

from prometheus_client import Counter, Gauge, generate_latest
from prometheus_client.registry import CollectorRegistry

REGISTRY = CollectorRegistry()
_ACCEPTED = Counter("xianjie_messages_accepted", "Messages accepted", ["type", "replayed"], registry=REGISTRY)
_REFUSED = Counter("xianjie_messages_refused", "Messages refused", ["code"], registry=REGISTRY)


def accepted(type_: str, *, replayed: bool) -> None:
    """One message was accepted by this process."""
    _ACCEPTED.labels(type=type_, replayed=str(replayed).lower()).inc()


def refused(code: str) -> None:
    """One message was refused by this process."""
    _REFUSED.labels(code=code).inc()


def page(needs: dict[str, int], outbox: dict[str, int], findings: dict[str, int], unpublished: dict[str, int]) -> bytes:
    """The text of `/metrics`: this process's counters and the present counts of the database."""
    present = CollectorRegistry()  # of this page alone, so that two readers at once do not empty each other's
    for name, text, label, counts in (
        ("xianjie_needs", "Needs by state", "state", needs),
        ("xianjie_outbox", "Outbound messages by state", "state", outbox),
        ("xianjie_findings_open", "Open findings by code", "code", findings),
        ("xianjie_calendar_unpublished", "Years that limits need and no holiday notice is for", "year", unpublished),
    ):
        gauge = Gauge(name, text, [label], registry=present)
        for key, count in counts.items():
            gauge.labels(**{label: key}).set(count)
    return generate_latest(REGISTRY) + generate_latest(present)

"""指标 Counters for operations: ids and people appear nowhere, only codes and counts (Law 11)."""

from prometheus_client import Counter, Gauge, generate_latest
from prometheus_client.registry import CollectorRegistry

REGISTRY = CollectorRegistry()
_ACCEPTED = Counter("xianjie_messages_accepted", "Messages accepted", ["type", "replayed"], registry=REGISTRY)
_REFUSED = Counter("xianjie_messages_refused", "Messages refused", ["code"], registry=REGISTRY)
_NEEDS = Gauge("xianjie_needs", "Needs by state", ["state"], registry=REGISTRY)
_OUTBOX = Gauge("xianjie_outbox", "Outbound messages by state", ["state"], registry=REGISTRY)
_FINDINGS = Gauge("xianjie_findings_open", "Open findings by code", ["code"], registry=REGISTRY)


def accepted(type_: str, *, replayed: bool) -> None:
    """One message was accepted by this process."""
    _ACCEPTED.labels(type=type_, replayed=str(replayed).lower()).inc()


def refused(code: str) -> None:
    """One message was refused by this process."""
    _REFUSED.labels(code=code).inc()


def page(needs: dict[str, int], outbox: dict[str, int], findings: dict[str, int]) -> bytes:
    """The text of `/metrics`: this process's counters and the present counts of the database."""
    for gauge, label, counts in ((_NEEDS, "state", needs), (_OUTBOX, "state", outbox), (_FINDINGS, "code", findings)):
        gauge.clear()
        for key, count in counts.items():
            gauge.labels(**{label: key}).set(count)
    return generate_latest(REGISTRY)

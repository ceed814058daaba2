"""截止核对 The cut-off: log, rows and signed bytes are held against each other, and every row that is wrong is named.

1. the log itself: every leaf, node and checkpoint (`flows.log`);
2. log against rows, directory against log, rows against the signed bytes they were made from (`flows.audit`);
3. the result is kept, is a leaf itself, and each trouble is a finding at once; one that is gone at the next cut-off is
   closed by the reconciliation that follows.

Pairs of parties are proven complete apart (`flows.completeness`): what was deleted on both sides of the gateway shows
there.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection

from gateway.domain.reconciliation.findings import OPERATOR, doubt
from gateway.domain.reconciliation.values import Finding
from gateway.envelope.message import new_id
from gateway.evidence.entry import cutoff_entry
from gateway.flows.audit.adjudicated import adjudication_troubles
from gateway.flows.audit.counted import counted_troubles
from gateway.flows.audit.derived import derived_troubles
from gateway.flows.audit.late import late_troubles
from gateway.flows.audit.ledgers import ledger_troubles
from gateway.flows.audit.logged import leaves_without_rows, rows_without_leaves
from gateway.flows.audit.registered import directory_troubles
from gateway.flows.audit.remembered import remembered_troubles
from gateway.flows.audit.stated import stated_troubles
from gateway.flows.audit.trouble import Trouble, What
from gateway.flows.context import Context
from gateway.flows.log import verify_log
from gateway.store import cutoffs, findings, log
from gateway.store.witness import WitnessFile

logger = logging.getLogger(__name__)

MOST_KEPT = 1000
RULE, VERSION = "law5", "exchange"
_CODES = {What.MISSING: "LOG_ROW_MISSING", What.ALTERED: "LOG_ROW_ALTERED", What.UNLOGGED: "LOG_ROW_UNLOGGED"}


@dataclass(frozen=True, kw_only=True, slots=True)
class CutOff:
    """截止 What one comparison found. troubles: at most `MOST_KEPT`; wrong: all of them."""

    cutoff_id: str
    at: datetime
    size: int
    root: bytes
    troubles: tuple[Trouble, ...]
    wrong: int


def cut_off(context: Context, *, now: datetime, witness: WitnessFile | None = None) -> CutOff:
    """One comparison of everything, kept with its findings. witness: this node's last checkpoint, outside."""
    troubles = _log_troubles(context, witness)
    with context.store.reading() as connection:
        log.hold_still(connection)
        head = log.head(connection)
        troubles += sorted(
            {
                *leaves_without_rows(connection, context, head.size),
                *rows_without_leaves(connection, context),
                *directory_troubles(connection),
                *derived_troubles(connection, context, now=now),
                *counted_troubles(connection, context),
                *late_troubles(connection),
                *stated_troubles(connection),
                *remembered_troubles(connection),
                *adjudication_troubles(connection),
                *ledger_troubles(connection),
            },
            key=lambda one: (one.table, one.ref, one.what, one.column or ""),
        )
    kept = tuple(troubles[:MOST_KEPT])
    made = CutOff(cutoff_id=new_id(now), at=now, size=head.size, root=head.root, troubles=kept, wrong=len(troubles))
    context.store.write(lambda connection: _keep(connection, made, head.epoch))
    level = logging.ERROR if made.wrong else logging.INFO
    logger.log(level, "cut off", extra={"tree_size": made.size, "count": made.wrong})
    return made


def _log_troubles(context: Context, witness: WitnessFile | None) -> list[Trouble]:
    """What is wrong with the log alone, by leaf."""
    return [
        Trouble(table="log", ref=f"{one.kind.value}:{one.first}-{one.last}", what=What.ALTERED)
        for one in verify_log(context, witness=witness).troubles
    ]


def _keep(connection: Connection, made: CutOff, epoch: int) -> None:
    said = json.dumps([asdict(one) for one in made.troubles], sort_keys=True)
    cutoffs.put(
        connection,
        cutoff_id=made.cutoff_id,
        at=made.at,
        epoch=epoch,
        size=made.size,
        root=made.root,
        wrong=made.wrong,
        troubles=said,
    )
    head = log.head(connection)
    if not head.recovering:
        stated = sha256(f"{made.size}\n{made.root.hex()}\n{said}".encode()).hexdigest()
        log.append(connection, [cutoff_entry(cutoff_id=made.cutoff_id, digest=stated, at=made.at)])
    findings.open_now(connection, [(one, VERSION) for one in doubts_of(made.troubles)], now=made.at)


def doubts(connection: Connection) -> list[Finding]:
    """The findings of the last cut-off, for the reconciliation that keeps them open."""
    row = cutoffs.newest(connection)
    if row is None:
        return []
    return doubts_of([Trouble(**{**one, "what": What(one["what"])}) for one in json.loads(row["troubles"])])


def doubts_of(troubles: Sequence[Trouble]) -> list[Finding]:
    """Each row once, however many ways it is wrong."""
    found: dict[str, Finding] = {}
    for one in troubles:
        finding = doubt(
            _CODES[one.what],
            RULE,
            referral_id=None,
            must_act=OPERATOR,
            subject=f"{one.table}:{one.ref}"[:200],
            table=one.table,
            row=one.ref,
            column=one.column,
            case=one.referral_id,
        )
        found.setdefault(finding.key, finding)
    return list(found.values())

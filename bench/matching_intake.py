"""比对一次 What one check at intake costs among so many known persons, on SQLite: candidates by key, records opened and
compared, nothing written. Rows are synthetic and sealed as real ones; 200 who are known in another writing and 200
strangers are asked for, one at a time. XIANJIE_BENCH_FOLDER keeps the database for another look.
"""

import gc
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import sqlalchemy as sa

from bench.matching_people import Row, population
from bench.matching_sets import REGIONS
from bench.table import Measured, show
from gateway.flows.match import Asked, Likeness, check
from gateway.matching.keyed import secret_name
from gateway.matching.keys import probing_keys, stored_keys
from gateway.matching.record import PersonRecord, record_from
from gateway.store import tables as t
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.store.persons import field_of
from gateway.store.vault import Vault

SECRET = b"a secret for the measurement, 32 bytes"
CHUNK, ASKED, SEED = 5_000, 200, 20240601
AIM_MS = 5.0


def measure(size: int) -> None:
    """Prints the table."""
    with TemporaryDirectory() as temporary:
        folder = os.environ.get("XIANJIE_BENCH_FOLDER", temporary)
        vault = Vault(b"a data key for measuring, 32 b!!")
        file = Path(folder) / f"persons-{size}.sqlite"
        is_new = not file.exists()
        store = Store(f"sqlite:///{file}", vault=vault)
        begun = perf_counter()
        if is_new:
            migrate(store)
            _fill(store, vault, population(size, SEED), size)
        filled = perf_counter() - begun
        known = islice(population(size, SEED), 0, min(size, 40 * ASKED), 40)
        again = [replace(row, id_type="414", id_number="E12345678") for row in known]
        strangers = [row for row in islice(population(4 * ASKED, SEED + 1), 4 * ASKED) if row.what == "person"][:ASKED]
        rows = [("known in another writing", again), ("strangers", strangers)]
        size_mib = sum(file.stat().st_size for file in Path(folder).iterdir()) / 2**20
        shown = [
            Measured(what="persons known", value=size, unit="", note=f"filled in {filled:.0f} s, {size_mib:,.0f} MiB"),
        ]
        for what, asked in rows:
            shown += _asked(store, what, asked)
        show("One check at intake", shown)
        store.close()


def _fill(store: Store, vault: Vault, people: Iterator[Row], size: int) -> None:
    """The known; indices last."""
    done = 0
    with store.engine.connect() as connection:
        connection.execute(sa.text("DROP INDEX ix_match_keys_key"))
        connection.execute(sa.text("DROP INDEX ix_match_keys_referral_id"))
        connection.commit()
        while done < size:
            page = list(islice(people, min(CHUNK, size - done)))
            cases, referrals, persons, keys = [], [], [], []
            for number, row in enumerate(page, start=done):
                referral_id = f"known-{number}"
                record = _record(row)
                wrapped = vault.new_case_key(referral_id)
                text = vault.seal(wrapped, referral_id, field_of(referral_id), record.pack())
                cases.append({"referral_id": referral_id, "wrapped": wrapped, "created_at": 0})
                referrals.append(_referral(referral_id, number))
                persons.append({"referral_id": referral_id, "secret_name": secret_name(SECRET), "record": text})
                keys += [
                    {"kind": str(kind), "key": key, "referral_id": referral_id}
                    for kind, key in stored_keys(record, SECRET)
                ]
            vault.forget()
            connection.execute(t.case_keys.insert(), cases)
            connection.execute(t.referrals.insert(), referrals)
            connection.execute(t.persons.insert(), persons)
            connection.execute(t.match_keys.insert(), keys)
            connection.commit()
            done += len(page)
        connection.execute(sa.text("CREATE INDEX ix_match_keys_key ON match_keys (key)"))
        connection.execute(sa.text("CREATE INDEX ix_match_keys_referral_id ON match_keys (referral_id)"))
        connection.commit()


def _record(row: Row) -> PersonRecord:
    return record_from(
        regions=REGIONS,
        name=row.name,
        id_type=row.id_type or None,
        id_number=row.id_number or None,
        birth=row.birth or None,
        sex=row.sex,
        region=row.region,
        certificate=row.certificate or None,
        phone=row.phone or None,
        has_guardian=bool(row.guardian),
        relatives=((row.guardian_number, row.guardian),) if row.guardian else (),
    )


def _referral(referral_id: str, number: int) -> dict[str, object]:
    return {
        "referral_id": referral_id, "court": "cn/court/520100", "document": "测试", "agreement_row": 1,
        "message_id": referral_id, "version": 1, "case_number": f"（2024）黔01司救执{number}号", "decision": "ASSIST",
        "decided_amount_fen": 0, "advance_fen": 0, "cap_exceeded_reason": False, "urgency": "NORMAL", "groups": "",
        "is_minor": False, "has_custody": False, "id_type": "111", "has_birth_date": True, "synthetic": True,
        "concluded_on": "2024-07-26", "accepted_at": 0, "needs_accepted": 0, "holds": "",
        "person_key": f"{number:064x}",
    }  # fmt: skip


def _asked(store: Store, what: str, rows: list[Row]) -> list[Measured]:
    spent, worked, found = [], [], 0
    gc.collect()
    with store.reading() as connection:
        for number, row in enumerate(rows):
            begun, working = perf_counter(), process_time()
            record = _record(row)
            likeness = Likeness(
                record=record,
                keys=stored_keys(record, SECRET),
                probes=probing_keys(record, SECRET),
                secret=secret_name(SECRET),
            )
            asked = Asked(
                referral_id=f"asked-{number}", person_key=None, likeness=likeness, now=datetime(2026, 1, 1, tzinfo=UTC)
            )
            done = check(connection, [asked])[0]
            spent.append((perf_counter() - begun) * 1000)
            worked.append((process_time() - working) * 1000)
            found += bool(done.found) or done.person_key is not None
    cuts, work = quantiles(spent, n=100), quantiles(worked, n=100)
    return [
        Measured(what=f"{what}, median", value=cuts[49], unit="ms", ratio=cuts[49] / AIM_MS, against="aim (5 ms)"),
        Measured(
            what=f"{what}, 95 of 100", value=cuts[94], unit="ms", ratio=cuts[94] / AIM_MS, against="aim (5 ms)",
            note=f"{work[94]:.2f} ms of them processor time; {found} of {len(rows)} matched",
        ),
    ]  # fmt: skip

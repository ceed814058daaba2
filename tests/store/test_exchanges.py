"""线索的存取 However many clues there are, whoever asks for every one gets every one."""

from datetime import UTC, datetime

import pytest

from gateway.store import exchanges
from gateway.store import tables as t
from gateway.store.clock import to_ms
from gateway.store.engine import Store

NOW = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)


def a_clue(number: int) -> dict[str, object]:
    return {
        "message_id": f"m-{number}",
        "clue_id": f"c-{number}",
        "party": "cn/agency/civil_affairs.520102",
        "region": "520102",
        "circumstances": "UNPAID_SUPPORT",
        "is_minor": False,
        "court_asked": None,
        "received_at": to_ms(NOW),
    }


@pytest.mark.parametrize("count", [0, 3, 6, 7])
def test_every_clue_is_read_page_by_page(store: Store, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(exchanges, "PAGE", 3)
    if count:
        store.write(lambda c: c.execute(t.clues.insert(), [a_clue(number) for number in range(count)]))
    with store.reading() as connection:
        found = [one.clue_id for one in exchanges.every_clue(connection)]
    assert found == [f"c-{number}" for number in range(count)]

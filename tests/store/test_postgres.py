"""主备 One URL for a primary and its standby: what was answered is on both, and who may be written to is found."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.errors import StoreUnavailable
from gateway.store import tokens
from gateway.store.engine import Store
from gateway.store.postgres import open_postgres
from tests.gateway_world import START, migrated
from tests.postgres import Pair, running_pair

COURT = "cn/court/520100"
SHORT = 0.3


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """For tests that leave both servers as they found them."""
    with running_pair() as made:
        made.new_database(prepared_by=migrated)
        yield made


@pytest.fixture
def store(pair: Pair) -> Iterator[Store]:
    made = Store(pair.url(), answer_within=SHORT)
    yield made
    made.close()


def use(store: Store, jti: str) -> bool:
    return store.write(lambda connection: tokens.use(connection, COURT, jti, START))


def code_of(store: Store, jti: str) -> str:
    """How a write ended."""
    try:
        use(store, jti)
    except StoreUnavailable as error:
        return error.note
    return "written"


def in_a_thread(store: Store, jti: str) -> tuple[threading.Thread, list[str]]:
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(code_of(store, jti)))
    thread.start()
    return thread, said


def waiting_backend(pair: Pair, action: str) -> Any:
    """Does something to the one backend that waits for the standby."""
    waits = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    pair.primary.wait_until(f"SELECT EXISTS (SELECT {waits})")
    return pair.primary.ask(f"SELECT {action}(pid) {waits}")


def test_the_url_leads_to_the_primary_whichever_is_named_first(pair: Pair) -> None:
    for first in (pair.primary, pair.standby):
        engine = open_postgres(pair.url(first=first))
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar() is False
        engine.dispose()


def test_while_the_standby_is_away_nothing_is_said_to_be_done_and_nobody_waits_for_ever(
    pair: Pair, store: Store
) -> None:
    assert use(store, "before")
    pair.standby.freeze()
    try:
        assert code_of(store, "meanwhile") == "slow"
        with store.reading() as connection:  # what the standby has not got is seen by nobody
            assert tokens_of(connection) == ["before"]
    finally:
        pair.standby.thaw()
    assert not use(store, "meanwhile")


def tokens_of(connection: sa.Connection) -> list[str]:
    return list(connection.exec_driver_sql("SELECT jti FROM used_tokens ORDER BY jti").scalars())


@pytest.mark.parametrize("action", ["pg_cancel_backend", "pg_terminate_backend"])
def test_a_commit_whose_wait_for_the_standby_was_cut_short_is_told_as_none(action: str, pair: Pair) -> None:
    store = Store(pair.url(), answer_within=20)
    pair.standby.freeze()
    thread, said = in_a_thread(store, action)
    try:
        assert waiting_backend(pair, action) is True
        thread.join(10)
    finally:
        pair.standby.thaw()
        store.close()
    assert said[0] in ("not_replicated", "OperationalError")


def test_a_role_s_statement_timeout_cuts_no_commit_short(pair: Pair) -> None:
    engine = open_postgres(pair.url())
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER ROLE CURRENT_USER SET statement_timeout = 100")
    engine.dispose()
    try:
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "0"
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER ROLE CURRENT_USER RESET statement_timeout")
        engine.dispose()


def test_a_server_that_may_only_be_read_is_let_go_with_every_connection_to_it(store: Store) -> None:
    stale = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"
    store.write(lambda connection: connection.exec_driver_sql(stale))
    with pytest.raises(StoreUnavailable, match="ReadOnlySqlTransaction"):
        use(store, "read-only")
    assert use(store, "read-only")


def test_what_the_url_sets_itself_is_left_alone(postgres_url: str) -> None:
    url = sa.make_url(postgres_url).update_query_dict({"options": "-c search_path=other", "connect_timeout": "9"})
    engine = open_postgres(url.render_as_string(hide_password=False))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW search_path").scalar() == "other"
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "30s"
        assert connection.connection.dbapi_connection.info.get_parameters()["connect_timeout"] == "9"
    engine.dispose()


def test_killed_and_promoted_a_store_goes_on_by_itself_with_all_it_ever_confirmed() -> None:
    with running_pair() as pair:
        store = Store(pair.new_database(prepared_by=migrated))
        before = [use(store, f"before-{number}") for number in range(20)]
        pair.kill_primary()
        with pytest.raises(StoreUnavailable):
            use(store, "between")
        pair.promote()
        after = [use(store, f"before-{number}") for number in range(20)]
        assert (before, after) == ([True] * 20, [False] * 20)
        assert use(store, "after")
        store.close()

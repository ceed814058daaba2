"""名录 What an administrator changes takes effect within seconds, and what was once believed is never forgotten."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.agreement import Channel, Office, Party, PartyKind
from gateway.domain.programmes import load_programmes
from gateway.envelope.algorithms import Algorithm
from gateway.envelope.keyring import PublicKey, SigningKey
from gateway.errors import ConfigError
from gateway.store import directory
from gateway.store.directory import FRESH, Directory
from gateway.store.engine import Store
from tests.gateway_world import AGREEMENT

NOW = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
COURT = Party(party_id="cn/court/520100", kind=PartyKind.COURT, name_zh="测试法院", region="520100")
OFFICE = Office(
    office_id="civil_affairs-520102",
    party_id="cn/agency/civil_affairs.520102",
    agency="civil_affairs",
    region="520102",
    channel=Channel.PUSH,
    name_zh="测试单位",
    url="https://office.invalid/messages",
)


@pytest.fixture
def known(store: Store) -> Directory:
    store.write(lambda c: directory.add_party(c, COURT, now=NOW))
    return Directory(store, load_programmes())


def a_key(party: str = COURT.party_id) -> PublicKey:
    return SigningKey.generate(Algorithm.ED25519, party).public_key(not_before=NOW)


def add_key(store: Store, key: PublicKey) -> PublicKey:
    store.write(lambda c: directory.add_key(c, key, now=NOW))
    return key


def end(store: Store, key: PublicKey, at: datetime, because: str | None = None) -> None:
    store.write(lambda c: directory.end_key(c, key.kid, at=at, now=NOW, revoked_because=because))


def refusal(store: Store, key: PublicKey, at: datetime) -> str | None:
    found = Directory(store, load_programmes()).at(NOW).keyring.find(key.kid)
    assert found is not None
    return found.refusal_at(at)


def load(store: Store, text: str, *, production: bool = False) -> None:
    programmes = load_programmes()
    store.write(lambda c: directory.load_agreement(c, text, programmes=programmes, now=NOW, production=production))


def test_a_snapshot_is_kept_for_two_seconds_and_no_longer(store: Store, known: Directory) -> None:
    assert known.at(NOW).parties[COURT.party_id].active
    store.write(lambda c: directory.set_party_active(c, COURT.party_id, active=False, now=NOW))
    assert known.at(NOW + FRESH / 2).parties[COURT.party_id].active
    assert not known.at(NOW + FRESH).parties[COURT.party_id].active


def test_a_directory_that_is_told_to_forget_reads_at_once(store: Store, known: Directory) -> None:
    known.at(NOW)
    store.write(lambda c: directory.set_party_active(c, COURT.party_id, active=False, now=NOW))
    known.forget()
    assert known.at(NOW).keyring.kind_of(COURT.party_id) is None


def test_unchanged_rows_keep_the_very_same_snapshot(known: Directory) -> None:
    assert known.at(NOW) is known.at(NOW + 10 * FRESH)


def test_the_same_party_again_changes_nothing_and_another_under_its_id_is_refused(store: Store) -> None:
    store.write(lambda c: directory.add_party(c, COURT, now=NOW))
    store.write(lambda c: directory.add_party(c, COURT, now=LATER))
    with pytest.raises(ConfigError):
        store.write(lambda c: directory.add_party(c, replace(COURT, kind=PartyKind.AGENCY), now=NOW))


def test_a_suspended_party_is_not_brought_back_by_adding_it_again(store: Store, known: Directory) -> None:
    store.write(lambda c: directory.set_party_active(c, COURT.party_id, active=False, now=NOW))
    with pytest.raises(ConfigError):
        store.write(lambda c: directory.add_party(c, COURT, now=NOW))
    assert known.at(NOW).keyring.kind_of(COURT.party_id) is None


def test_a_key_needs_a_party_and_belongs_to_one_only(store: Store, known: Directory) -> None:
    with pytest.raises(ConfigError):
        add_key(store, a_key("cn/court/529999"))
    key = add_key(store, a_key())
    store.write(lambda c: directory.add_party(c, replace(COURT, party_id="cn/court/520300"), now=NOW))
    with pytest.raises(ConfigError):
        add_key(store, replace(key, party_id="cn/court/520300"))
    assert [one.kid for one in known.at(NOW).keyring.keys_of(COURT.party_id)] == [key.kid]


def test_adding_a_revoked_key_again_does_not_revive_it(store: Store, known: Directory) -> None:
    key = add_key(store, a_key())
    end(store, key, NOW, "lost")
    add_key(store, key)
    assert refusal(store, key, LATER) == "key_revoked"


def test_a_second_revocation_never_makes_the_first_one_later(store: Store, known: Directory) -> None:
    key = add_key(store, a_key())
    end(store, key, NOW, "lost")
    end(store, key, LATER, "lost, said again")
    assert refusal(store, key, NOW + timedelta(hours=1)) == "key_revoked"


def test_a_revocation_may_be_moved_back_to_when_the_key_was_lost(store: Store, known: Directory) -> None:
    key = add_key(store, a_key())
    end(store, key, LATER, "lost")
    end(store, key, NOW, "lost earlier than thought")
    assert refusal(store, key, NOW) == "key_revoked"


def test_a_key_that_ended_is_still_known_and_was_usable_before(store: Store, known: Directory) -> None:
    key = add_key(store, a_key())
    end(store, key, LATER)
    assert [refusal(store, key, moment) for moment in (NOW, LATER)] == [None, "key_expired"]
    with pytest.raises(ConfigError):
        store.write(lambda c: directory.end_key(c, "no-such-key", at=NOW, now=NOW))


def test_one_office_serves_an_agency_in_a_region(store: Store, known: Directory) -> None:
    store.write(lambda c: directory.put_office(c, OFFICE, now=NOW))
    with pytest.raises(ConfigError):
        store.write(lambda c: directory.put_office(c, replace(OFFICE, office_id="second"), now=NOW))
    store.write(lambda c: directory.put_office(c, replace(OFFICE, batch=20), now=NOW))
    assert known.at(NOW).offices[OFFICE.office_id].batch == 20
    assert [one.office_id for one in known.at(NOW).office_of(OFFICE.party_id)] == [OFFICE.office_id]


def test_an_office_that_is_pushed_to_needs_an_address(store: Store) -> None:
    with pytest.raises(ConfigError):
        store.write(lambda c: directory.put_office(c, replace(OFFICE, url=None), now=NOW))


def test_what_does_not_exist_cannot_be_paused_or_suspended(store: Store) -> None:
    with pytest.raises(ConfigError):
        store.write(lambda c: directory.set_paused(c, "none", paused=True, now=NOW))
    with pytest.raises(ConfigError):
        store.write(lambda c: directory.set_party_active(c, "cn/court/520900", active=False, now=NOW))


def test_an_agreement_is_followed_by_higher_versions_only_and_all_stay_known(store: Store, known: Directory) -> None:
    load(store, AGREEMENT)
    load(store, AGREEMENT)
    with pytest.raises(ConfigError):
        load(store, AGREEMENT.replace("测试用", "改过的"))
    load(store, AGREEMENT.replace("version = 1", "version = 2"))
    snapshot = known.at(NOW)
    found = snapshot.agreement_for("黔高法〔2022〕98号")
    assert found is not None
    assert found[1].version == 2
    assert sorted(profile.version for profile in snapshot.agreements.values()) == [1, 2]
    assert snapshot.agreement_for("没有的文号") is None


def test_an_agreement_for_invented_people_is_refused_in_production(store: Store) -> None:
    with pytest.raises(ConfigError):
        load(store, AGREEMENT, production=True)


def test_a_clock_that_was_set_back_keeps_no_revoked_key_alive(store: Store, known: Directory) -> None:
    kid = add_key(store, a_key()).kid
    assert known.at(LATER).keyring.find(kid) is not None
    store.write(lambda c: directory.end_key(c, kid, at=NOW, now=NOW, revoked_because="lost"))
    assert known.at(LATER - timedelta(hours=1)).keyring.find(kid).revoked_at == NOW  # type: ignore[union-attr]

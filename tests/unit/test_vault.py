"""Data keys: a text opens in its own place alone, with its own case's key, under this installation's master key."""

from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigError, SealBroken
from gateway.store.vault import CACHED, KEY_BYTES, SEALED, WRAPPED, Vault

MASTER, OTHER = bytes(range(KEY_BYTES)), bytes(reversed(range(KEY_BYTES)))
CASE, FIELD = "r-1", "inbox.jws:cn/court/520100:m-1"


def a_vault(master: bytes = MASTER, *former: bytes) -> Vault:
    return Vault(master, former)


def turned(text: str, prefix: str, at: int) -> str:
    """One bit of the sealed bytes changed."""
    raw = bytearray(b64decode(text.removeprefix(prefix)))
    raw[at % len(raw)] ^= 1 << (at % 8)
    return prefix + b64encode(bytes(raw)).decode()


@given(st.text(max_size=500))
def test_any_text_comes_back(text: str) -> None:
    vault = a_vault()
    wrapped = vault.new_case_key(CASE)
    sealed = vault.seal(wrapped, CASE, FIELD, text)
    assert text == vault.open(wrapped, CASE, FIELD, sealed)
    assert text == a_vault().open(wrapped, CASE, FIELD, sealed)


def test_nothing_of_the_text_shows_and_it_is_never_sealed_the_same_way_twice() -> None:
    vault = a_vault()
    wrapped = vault.new_case_key(CASE)
    one, other = (vault.seal(wrapped, CASE, FIELD, "测试甲" * 20) for _ in range(2))
    assert one != other
    assert one.startswith(SEALED)
    assert "测试甲".encode() not in b64decode(one.removeprefix(SEALED))


def test_every_case_has_a_key_of_its_own() -> None:
    vault = a_vault()
    mine, theirs = vault.new_case_key(CASE), vault.new_case_key("r-2")
    sealed = vault.seal(mine, CASE, FIELD, "text")
    for wrapped, case in ((theirs, "r-2"), (mine, "r-2"), (theirs, CASE), (vault.new_case_key(CASE), CASE)):
        with pytest.raises(SealBroken):
            vault.open(wrapped, case, FIELD, sealed)


@pytest.mark.parametrize("field", ["outbox.jws:m-1", "inbox.jws:cn/court/520100:m-2", "inbox.jws", ""])
def test_a_text_moved_to_another_row_or_column_does_not_open(field: str) -> None:
    vault = a_vault()
    wrapped = vault.new_case_key(CASE)
    sealed = vault.seal(wrapped, CASE, FIELD, "text")
    with pytest.raises(SealBroken):
        vault.open(wrapped, CASE, field, sealed)


def test_where_the_case_ends_and_the_field_begins_cannot_be_shifted() -> None:
    vault = a_vault()
    wrapped = vault.new_case_key("a")
    sealed = vault.seal(wrapped, "a", "bc", "text")
    with pytest.raises(SealBroken):
        vault.open(vault.rewrap(wrapped, "a"), "ab", "c", sealed)


@given(st.integers(min_value=0, max_value=400))
def test_no_bit_can_be_changed(at: int) -> None:
    vault = a_vault()
    wrapped = vault.new_case_key(CASE)
    sealed = vault.seal(wrapped, CASE, FIELD, "text")
    with pytest.raises(SealBroken):
        vault.open(wrapped, CASE, FIELD, turned(sealed, SEALED, at))
    with pytest.raises((SealBroken, ConfigError)):
        vault.open(turned(wrapped, WRAPPED, at), CASE, FIELD, sealed)


@pytest.mark.parametrize("stored", ["", "text", SEALED, SEALED + "===", SEALED + "AAAA", WRAPPED + "AAAA"])
def test_what_was_never_sealed_does_not_open(stored: str) -> None:
    vault = a_vault()
    with pytest.raises(SealBroken):
        vault.open(vault.new_case_key(CASE), CASE, FIELD, stored)


def test_another_installations_key_is_told_from_a_changed_row() -> None:
    wrapped = a_vault().new_case_key(CASE)
    sealed = a_vault().seal(wrapped, CASE, FIELD, "text")
    with pytest.raises(ConfigError, match="not the one this database"):
        a_vault(OTHER).open(wrapped, CASE, FIELD, sealed)


def test_a_master_key_is_changed_without_touching_a_text() -> None:
    old, both, new = a_vault(), a_vault(OTHER, MASTER), a_vault(OTHER)
    before = old.new_case_key(CASE)
    sealed = old.seal(before, CASE, FIELD, "text")
    after = both.rewrap(before, CASE)
    assert [False, True] == [both.is_current(before), both.is_current(after)]
    assert ["text", "text"] == [both.open(wrapped, CASE, FIELD, sealed) for wrapped in (before, after)]
    assert "text" == new.open(after, CASE, FIELD, sealed)
    with pytest.raises(ConfigError):
        old.open(after, CASE, FIELD, sealed)


def test_the_key_file_holds_the_present_key_first_and_former_ones_after_it() -> None:
    lines = [b64encode(key).decode() for key in (OTHER, MASTER)]
    vault = Vault.from_text("\n".join(lines) + "\n")
    wrapped = a_vault().new_case_key(CASE)
    assert not vault.is_current(wrapped)
    assert vault.is_current(vault.rewrap(wrapped, CASE))


@pytest.mark.parametrize("text", ["", "\n", "not base64!", b64encode(b"short").decode(), b64encode(bytes(33)).decode()])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        Vault.from_text(text)


def test_the_memory_of_unwrapped_keys_is_bounded_and_can_be_dropped() -> None:
    vault = a_vault()
    for number in range(10):
        vault.seal(vault.new_case_key(f"r-{number}"), f"r-{number}", FIELD, "text")
    assert (10, CACHED) == (vault._cipher.cache_info().currsize, vault._cipher.cache_info().maxsize)
    vault.forget()
    assert 0 == vault._cipher.cache_info().currsize


def test_no_key_is_printed() -> None:
    assert MASTER.hex() not in repr(vars(a_vault()))
    assert b64encode(MASTER).decode() not in repr(vars(a_vault()))

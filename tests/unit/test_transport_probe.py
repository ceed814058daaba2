"""连接测试 A partner on the loopback interface: reached, not reached, proven or not; nothing is ever sent to it."""

import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.errors import AddressRefused
from gateway.transport.address import resolve
from gateway.transport.answer import NoAnswer, NoAnswerReason
from gateway.transport.probe import bounded, reach
from tests.unit import test_transport_push as push
from tests.unit.test_transport_push import Partner, SecurePartner, http, says

certificate = push.certificate


@pytest.fixture
def partner() -> Iterator[Partner]:
    made = Partner(says(http()))
    yield made
    made.close()


@pytest.fixture
def secure(certificate: Path) -> Iterator[SecurePartner]:
    made = SecurePartner(certificate, says(http()))
    yield made
    made.close()


def failure(endpoint: push.Endpoint, ca_bundle: str | None = None) -> NoAnswerReason:
    with pytest.raises(NoAnswer) as caught:
        reach(endpoint, ca_bundle=ca_bundle, seconds=1.0)
    assert caught.value.may_have_arrived is False
    return caught.value.reason


def test_a_plain_partner_is_reached_and_hears_nothing(partner: Partner) -> None:
    found = reach(partner.endpoint(), ca_bundle=None, seconds=1.0)
    assert (found.tls, found.expires_at) == (None, None)
    assert partner.heads == []


def test_a_secure_partner_is_proven_by_its_name_and_hears_nothing(secure: SecurePartner, certificate: Path) -> None:
    found = reach(secure.endpoint(scheme="https"), ca_bundle=str(certificate), seconds=2.0)
    assert found.tls in ("TLSv1.2", "TLSv1.3")
    assert found.expires_at is not None
    assert secure.asked_for == [push.NAME]
    assert secure.heads == []


def test_a_certificate_nobody_trusts_or_of_another_name_is_told(secure: SecurePartner, certificate: Path) -> None:
    endpoint = secure.endpoint(scheme="https")
    assert failure(endpoint) is NoAnswerReason.TLS_FAILED
    assert failure(replace(endpoint, host="another.example"), str(certificate)) is NoAnswerReason.TLS_FAILED


def test_a_partner_that_speaks_no_tls_is_told(partner: Partner) -> None:
    assert failure(partner.endpoint(scheme="https")) in (NoAnswerReason.TLS_FAILED, NoAnswerReason.CONNECT_TIMEOUT)


def test_a_port_nobody_listens_at_is_told(partner: Partner) -> None:
    partner.close()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = replace(partner.endpoint(), port=free.getsockname()[1])
        assert failure(endpoint) is NoAnswerReason.NO_CONNECTION


def test_a_name_that_takes_too_long_is_given_up() -> None:
    def slow(host: str, port: int) -> Sequence[str]:
        time.sleep(0.5)
        return ["127.0.0.1"]

    begun = time.monotonic()
    with pytest.raises(NoAnswer) as caught:
        resolve("https://agency.example/", allowed=(), lookup=bounded(0.05, slow))
    assert caught.value.reason is NoAnswerReason.NAME_UNRESOLVED
    assert time.monotonic() - begun < 0.4


def test_a_bounded_look_up_is_judged_like_any_other() -> None:
    look = bounded(1.0, lambda _host, _port: ["127.0.0.1"])
    with pytest.raises(AddressRefused):
        resolve("https://agency.example/", allowed=(), lookup=look)
    allowed = [ip_network("127.0.0.0/8")]
    assert resolve("https://agency.example/", allowed=allowed, lookup=look).address == "127.0.0.1"
    with pytest.raises(NoAnswer):
        resolve("https://agency.example/", allowed=allowed, lookup=bounded(1.0, _nobody))


def _nobody(host: str, port: int) -> Sequence[str]:
    raise OSError(host, port)

"""Where a push may go: the open internet and what the administrator listed, decided once per look-up."""

import socket
from collections.abc import Callable, Sequence
from ipaddress import ip_address, ip_network

import pytest

from gateway.errors import AddressRefused
from gateway.transport.address import Endpoint, Network, Refusal, is_public, resolve, system_lookup
from gateway.transport.answer import NoAnswer, NoAnswerReason

URL = "https://agency.example/receive"
PUBLIC = "93.184.215.14"
PUBLIC_V6 = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
NOTHING: tuple[Network, ...] = ()


def names(*addresses: str) -> Callable[[str, int], Sequence[str]]:
    return lambda *_: addresses


def listed(*networks: str) -> list[Network]:
    return [ip_network(network) for network in networks]


def refusal(url: str = URL, *addresses: str, allowed: Sequence[Network] = NOTHING) -> str:
    with pytest.raises(AddressRefused) as caught:
        resolve(url, allowed=allowed, lookup=names(*(addresses or (PUBLIC,))))
    return caught.value.note


def address_of(*addresses: str, allowed: Sequence[Network] = NOTHING) -> str:
    return resolve(URL, allowed=allowed, lookup=names(*addresses)).address


def test_a_public_name_becomes_an_endpoint() -> None:
    found = resolve("https://Agency.Example:8443/receive?office=1", allowed=(), lookup=names(PUBLIC))
    expected = Endpoint(
        url="https://Agency.Example:8443/receive?office=1",
        host="agency.example",
        port=8443,
        address=PUBLIC,
        scheme="https",
        path="/receive?office=1",
    )
    assert (expected, "agency.example:8443") == (found, found.host_header)


@pytest.mark.parametrize(
    ("url", "port", "path", "host_header"),
    [
        ("https://agency.example", 443, "/", "agency.example"),
        ("https://agency.example:443/a", 443, "/a", "agency.example"),
        ("HTTPS://agency.example:80/", 80, "/", "agency.example:80"),
        ("https://agency.example?x=1", 443, "/?x=1", "agency.example"),
        ("https://[2606:2800::1]:8443/a", 8443, "/a", "[2606:2800::1]:8443"),
        ("https://agency.example./", 443, "/", "agency.example."),
    ],
)
def test_defaults_are_filled_in(url: str, port: int, path: str, host_header: str) -> None:
    found = resolve(url, allowed=(), lookup=names(PUBLIC))
    assert (port, path, host_header) == (found.port, found.path, found.host_header)


def test_the_resolver_is_asked_once_and_its_first_address_is_kept() -> None:
    asked: list[tuple[str, int]] = []

    def lookup(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return [PUBLIC_V6, PUBLIC]

    assert PUBLIC_V6 == resolve(URL, allowed=(), lookup=lookup).address
    assert [("agency.example", 443)] == asked


def test_a_printed_endpoint_does_not_show_its_url() -> None:
    assert "secret" not in repr(resolve(URL + "?secret=1", allowed=(), lookup=names(PUBLIC)))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://agency.example/", Refusal.SCHEME),
        ("file:///etc/hostname", Refusal.SCHEME),
        ("gopher://agency.example/", Refusal.SCHEME),
        ("//agency.example/", Refusal.SCHEME),
        ("agency.example", Refusal.SCHEME),
        ("https://user@agency.example/", Refusal.USER_INFORMATION),
        ("https://user:word@agency.example/", Refusal.USER_INFORMATION),
        ("https://@agency.example/", Refusal.USER_INFORMATION),
        ("https://93.184.215.14@agency.example/", Refusal.USER_INFORMATION),
        ("https://agency.example/#part", Refusal.FRAGMENT),
        ("https://agency.example/#", Refusal.FRAGMENT),
        ("", Refusal.MALFORMED),
        ("https://", Refusal.MALFORMED),
        ("https:///receive", Refusal.MALFORMED),
        ("https://agency.example:0/", Refusal.MALFORMED),
        ("https://agency.example:65536/", Refusal.MALFORMED),
        ("https://agency.example:x/", Refusal.MALFORMED),
        ("https://agency.example\\@other.example/", Refusal.MALFORMED),
        ("https://agency.example/\r\nHost: x", Refusal.MALFORMED),
        ("https://agen\tcy.example/", Refusal.MALFORMED),
        (" https://agency.example/", Refusal.MALFORMED),
        ("https://民政.example/", Refusal.MALFORMED),
        ("https://agency%2eexample/", Refusal.MALFORMED),
        ("https://-agency.example/", Refusal.MALFORMED),
        ("https://[::1/", Refusal.MALFORMED),
        ("https://[::1%25eth0]/", Refusal.MALFORMED),
        ("https://[v1.x]/", Refusal.MALFORMED),
        ("https://agency.example/" + "x" * 2048, Refusal.MALFORMED),
    ],
)
def test_a_url_of_another_form_is_refused_before_any_look_up(url: str, reason: Refusal) -> None:
    def unexpected(host: str, port: int) -> list[str]:
        raise AssertionError(f"{host}:{port} was looked up")

    with pytest.raises(AddressRefused) as caught:
        resolve(url, allowed=listed("0.0.0.0/0", "::/0"), lookup=unexpected)
    assert reason == caught.value.note


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.1.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.9",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::10.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:a00:1::",
        "2002:7f00:1::1",
        "3fff::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%2",
        "2606:2800::1%2",
        "fec0::1",
        "ff02::1",
    ],
)
def test_an_address_that_is_not_of_the_open_internet_is_refused(address: str) -> None:
    assert not is_public(ip_address(address))
    assert Refusal.NOT_PUBLIC == refusal(URL, address)


@pytest.mark.parametrize(
    "address",
    [PUBLIC, "1.1.1.1", "100.63.255.255", "100.128.0.0", "172.32.0.1", "223.255.255.1", PUBLIC_V6, "2400:3200::1"],
)
def test_an_address_of_the_open_internet_is_taken(address: str) -> None:
    assert address == address_of(address)


def test_a_mapped_public_address_is_connected_to_as_what_it_is() -> None:
    assert PUBLIC == address_of(f"::ffff:{PUBLIC}")


def test_a_translated_public_address_is_taken() -> None:
    assert "64:ff9b::5db8:d70e" == address_of(f"64:ff9b::{PUBLIC}")
    assert "2002:5db8:d70e::1" == address_of("2002:5db8:d70e::1")


@pytest.mark.parametrize("addresses", [(PUBLIC, "10.0.0.1"), ("10.0.0.1", PUBLIC), (PUBLIC_V6, PUBLIC, "::1")])
def test_one_inner_address_among_public_ones_refuses_the_name(addresses: tuple[str, ...]) -> None:
    assert Refusal.NOT_PUBLIC == refusal(URL, *addresses)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.1.0.0/16"),
        ("127.0.0.1", "127.0.0.1/32"),
        ("::1", "::1/128"),
        ("fd12::5", "fd12::/64"),
        ("169.254.1.1", "169.254.1.0/24"),
        ("169.254.169.254", "169.254.169.254/32"),
        ("100.100.100.200", "100.100.100.200/32"),
        ("fd00:ec2::254", "fd00:ec2::254/128"),
    ],
)
def test_an_allow_listed_address_is_taken(address: str, network: str) -> None:
    assert address == address_of(address, allowed=listed(network))


def test_a_mapped_address_is_looked_for_on_the_list_by_its_ipv4_address() -> None:
    assert "10.1.2.3" == address_of("::ffff:10.1.2.3", allowed=listed("10.1.0.0/16"))
    assert Refusal.NOT_PUBLIC == refusal(URL, "::ffff:10.1.2.3", allowed=listed("::ffff:0:0/96"))


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.2.0.1", "10.1.0.0/16"),
        ("::1", "127.0.0.0/8"),
        ("169.254.169.254", "169.254.0.0/16"),
        ("169.254.169.254", "0.0.0.0/0"),
        ("::ffff:169.254.169.254", "0.0.0.0/0"),
        ("64:ff9b::169.254.169.254", "64:ff9b::/96"),
        ("100.100.100.200", "100.64.0.0/10"),
        ("fd00:ec2::254", "fd00::/8"),
        ("fe80::1%2", "fe80::/10"),
    ],
)
def test_the_list_opens_no_more_than_it_says(address: str, network: str) -> None:
    assert Refusal.NOT_PUBLIC == refusal(URL, address, allowed=listed(network))


def test_plain_http_is_for_listed_addresses_alone() -> None:
    plain = "http://agency.example/receive"
    assert Refusal.PLAIN_HTTP == refusal(plain, PUBLIC)
    assert Refusal.PLAIN_HTTP == refusal(plain, PUBLIC, "10.0.0.1", allowed=listed("10.0.0.0/8"))
    found = resolve(plain, allowed=listed("10.0.0.0/8"), lookup=names("10.0.0.1"))
    assert ("http", 80, "10.0.0.1") == (found.scheme, found.port, found.address)


@pytest.mark.parametrize(
    "error", [socket.gaierror("unknown"), OSError("no resolver"), UnicodeEncodeError("idna", "a", 0, 1, "long")]
)
def test_a_name_without_an_address_is_certainly_not_sent(error: Exception) -> None:
    def fails(host: str, port: int) -> list[str]:
        raise error

    with pytest.raises(NoAnswer) as caught:
        resolve(URL, allowed=(), lookup=fails)
    assert (NoAnswerReason.NAME_UNRESOLVED, False) == (caught.value.reason, caught.value.may_have_arrived)


def test_a_resolver_that_finds_nothing_is_a_name_without_an_address() -> None:
    with pytest.raises(NoAnswer) as caught:
        resolve(URL, allowed=(), lookup=lambda *_: [])
    assert NoAnswerReason.NAME_UNRESOLVED == caught.value.reason


def test_a_resolver_s_nonsense_is_refused() -> None:
    assert Refusal.NOT_PUBLIC == refusal(URL, "nowhere")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "017700000001", "0", "[::1]", "[::ffff:7f00:1]"]
)
def test_no_spelling_of_the_loopback_address_passes_the_system_s_resolver(host: str) -> None:
    with pytest.raises((AddressRefused, NoAnswer)):
        resolve(f"https://{host}/", allowed=())


def test_the_system_s_resolver_gives_each_address_once() -> None:
    assert ["127.0.0.1"] == system_lookup("127.0.0.1", 80)


def test_the_refusal_tells_nothing_of_the_url() -> None:
    with pytest.raises(AddressRefused) as caught:
        resolve("https://secret.example/secret", allowed=(), lookup=names("10.0.0.1"))
    assert ("not_public", {}) == (str(caught.value), caught.value.ids)

"""地址 Which address a partner's URL leads to, decided once; what is decided here is what is connected to.

Refused: anything but http and https, user information, fragments, and a name of which any one address is neither
public nor on the administrator's allow-list. Plain http is for allow-listed addresses alone. An IPv6 address that
carries an IPv4 address is judged by both. Addresses where clouds hand out credentials need an entry of their own: a
wider network on the list does not open them. The name is looked up a single time, so it cannot change its mind between
the check and the connection.
"""

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from gateway.errors import AddressRefused
from gateway.transport.answer import NoAnswer, NoAnswerReason

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Lookup = Callable[[str, int], Sequence[str]]
"""(host, port) → addresses, best first; raises OSError where the name has none."""

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_URL = 2048

_URL = re.compile(r"[!-\[\]-~]+")  # printable ASCII without space and backslash
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?")

# Not reachable for the public, whatever the standard library of this Python version says of them.
_SPECIAL: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "100.64.0.0/10",  # shared address space of carriers, RFC 6598
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "::/96",
        "64:ff9b:1::/48",  # local-use translation, RFC 8215
        "100::/64",
        "2001::/23",  # Teredo among them: its server may be anywhere
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
    )
)
_METADATA: frozenset[Address] = frozenset(
    ip_address(text) for text in ("169.254.169.254", "100.100.100.200", "fd00:ec2::254")
)
_TRANSLATED = IPv6Network("64:ff9b::/96")


class Refusal(StrEnum):
    """Why an address is refused; the `note` of the error."""

    MALFORMED = "malformed_url"
    SCHEME = "scheme"
    USER_INFORMATION = "user_information"
    FRAGMENT = "fragment"
    PLAIN_HTTP = "plain_http"
    NOT_PUBLIC = "not_public"


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """A URL whose address is settled. host: as in the certificate; address: what is connected to; path: with query."""

    url: str = field(repr=False)
    host: str
    port: int
    address: str
    scheme: str
    path: str = field(repr=False)

    @property
    def host_header(self) -> str:
        """Host and, where it is not the scheme's own, port."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return shown if self.port == DEFAULT_PORTS[self.scheme] else f"{shown}:{self.port}"


def system_lookup(host: str, port: int) -> list[str]:
    """The operating system's resolver; how long it may take is the operating system's setting."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def resolve(url: str, *, allowed: Sequence[Network], lookup: Lookup = system_lookup) -> Endpoint:
    """The endpoint of a URL. Raises `AddressRefused`, or `NoAnswer` when the name has no address now."""
    parts, host, port = _parse(url)
    try:
        found = [_unmapped(ip_address(text)) for text in lookup(host, port)]
    except (OSError, UnicodeError) as error:
        raise NoAnswer(NoAnswerReason.NAME_UNRESOLVED, may_have_arrived=False) from error
    except ValueError as error:
        raise AddressRefused(Refusal.NOT_PUBLIC) from error
    if not found:
        raise NoAnswer(NoAnswerReason.NAME_UNRESOLVED, may_have_arrived=False)
    listed = [is_listed(address, allowed) for address in found]
    if not all(on_list or is_public(address) for address, on_list in zip(found, listed, strict=True)):
        raise AddressRefused(Refusal.NOT_PUBLIC)
    if parts.scheme == "http" and not all(listed):
        raise AddressRefused(Refusal.PLAIN_HTTP)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Endpoint(url=url, host=host, port=port, address=str(found[0]), scheme=parts.scheme, path=path)


def is_public(address: Address) -> bool:
    """True for a unicast address of the open internet, no part of which leads elsewhere."""
    address = _unmapped(address)
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return False
        inner = _carried(address)
        if inner is not None:
            return is_public(inner)
    special = address.is_multicast or address.is_reserved or address.is_link_local or address.is_unspecified
    return address.is_global and not special and not any(address in network for network in _SPECIAL)


def is_listed(address: Address, allowed: Sequence[Network]) -> bool:
    """True where the administrator's list names the address; a credential address only by an entry of its own."""
    address = _unmapped(address)
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return False
    inner = _carried(address) if isinstance(address, IPv6Address) else None
    if address in _METADATA or inner in _METADATA:
        return any(address in network and network.num_addresses == 1 for network in allowed)
    return any(address in network for network in allowed)


def _parse(url: str) -> tuple[SplitResult, str, int]:
    if len(url) > MAX_URL or not _URL.fullmatch(url):
        raise AddressRefused(Refusal.MALFORMED)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise AddressRefused(Refusal.MALFORMED) from error
    if parts.scheme not in DEFAULT_PORTS:
        raise AddressRefused(Refusal.SCHEME)
    if "@" in parts.netloc:
        raise AddressRefused(Refusal.USER_INFORMATION)
    if "#" in url:
        raise AddressRefused(Refusal.FRAGMENT)
    if port == 0 or not _is_host(host, bracketed="[" in parts.netloc):
        raise AddressRefused(Refusal.MALFORMED)
    return parts, host, port or DEFAULT_PORTS[parts.scheme]


def _is_host(host: str, *, bracketed: bool) -> bool:
    if not bracketed:
        return _HOST.fullmatch(host) is not None
    try:
        return IPv6Address(host).scope_id is None
    except ValueError:
        return False


def _unmapped(address: Address) -> Address:
    """::ffff:a.b.c.d is the IPv4 address itself."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _carried(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address a translator (RFC 6052) or a 6to4 relay would send this to."""
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour

"""Which addresses a message may be sent to: those of the public internet, and private networks that the operator allowed."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


# What answers there are secrets of the machine itself, or nobody in particular: no allow-list opens them.
_NEVER = _networks(
    "169.254.169.254/32",  # metadata of most clouds
    "169.254.170.0/24",  # credentials of containers
    "fd00:ec2::/32",
    "168.63.129.16/32",  # Azure's host agent, which has a public address
    "100.100.100.200/32",
    "192.0.0.192/32",
    "0.0.0.0/8",
    "::/128",
    "224.0.0.0/4",
    "ff00::/8",
    "255.255.255.255/32",
)
# `is_global` of the Pythons in use knows different editions of the registry; these hold in all of them.
_SPECIAL = _networks(
    "100.64.0.0/10",
    "192.0.0.0/24",
    "192.88.99.0/24",
    "198.18.0.0/15",
    "240.0.0.0/4",
    "::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a URL may lead: `any` for the operator's own URLs; else public addresses, and those in `networks`."""

    any: bool = False
    networks: Sequence[Network] = ()

    def allows(self, text: str) -> bool:
        """Whether it may be connected to `text`, an address as the resolver gives it (a scope such as %eth0 included)."""
        if self.any:
            return True
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return all(self._allows(face) for face in _faces(address))

    def _allows(self, address: Address) -> bool:
        if _within(address, _NEVER):
            return False
        return _within(address, self.networks) or _public(address)


OPERATOR = Reach(any=True)


def _faces(address: Address) -> Iterator[Address]:
    """The address, and the IPv4 addresses it stands for: what a gateway or the kernel makes of it is checked as well."""
    if isinstance(address, ipaddress.IPv4Address):
        yield address
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
        return
    plain = ipaddress.IPv6Address(int(address))
    if address.teredo is not None:
        yield from address.teredo
    elif address.sixtofour is not None:
        yield address.sixtofour
    elif plain in _NAT64 or (plain in _COMPATIBLE and int(plain) > 0xFFFF):
        yield ipaddress.IPv4Address(int(plain) & 0xFFFFFFFF)
        if plain in _NAT64:
            return
    yield plain


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _public(address: Address) -> bool:
    return address.is_global and not address.is_multicast and not _within(address, _SPECIAL)

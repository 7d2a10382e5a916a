"""Where a URL set by a user may lead, and where not."""

from __future__ import annotations

import ipaddress

import pytest

from dbvigil.channels.addresses import OPERATOR, Reach

PUBLIC = Reach()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "100.127.255.254",
        "100.100.100.200",
        "169.254.0.1",
        "169.254.169.254",
        "169.254.170.2",
        "168.63.129.16",
        "192.0.0.1",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fe80::1%1",
        "fec0::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "2001:db8::1",
        "100::1",
        "3fff::1",
        "5f00::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:7f00:1",
        "::127.0.0.1",
        "::a9fe:a9fe",
        "64:ff9b::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::10.0.0.1",
        "2002:7f00:1::1",
        "2002:a9fe:a9fe::",
        "2002:808:808::1",
        "2001:0:7f00:1:0:0:80ff:fffe",
        "2001:0:4136:e378:8000:63bf:f5ff:fffe",
        "shop.example",
        "",
    ],
)
def test_nothing_but_the_public_internet_is_reached(address: str) -> None:
    assert not PUBLIC.allows(address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "1.1.1.1",
        "172.32.0.1",
        "100.128.0.1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
    ],
)
def test_the_public_internet_is_reached(address: str) -> None:
    assert PUBLIC.allows(address)


def test_an_allowed_network_is_reached_and_no_other() -> None:
    reach = Reach(networks=(ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd12::/16")))
    assert reach.allows("10.1.2.3")
    assert reach.allows("::ffff:10.1.2.3")
    assert reach.allows("64:ff9b::10.1.2.3")
    assert reach.allows("fd12::7")
    assert reach.allows("8.8.8.8")
    for address in ("10.2.0.1", "127.0.0.1", "fd13::7", "::ffff:10.2.0.1"):
        assert not reach.allows(address)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "168.63.129.16",
        "0.0.0.0",
        "224.0.0.1",
        "fd00:ec2::254",
        "::",
    ],
)
def test_no_allow_list_opens_the_machines_own_secrets(address: str) -> None:
    everything = Reach(networks=(ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")))
    assert not everything.allows(address)
    assert everything.allows("127.0.0.1")


def test_the_operators_own_urls_lead_anywhere() -> None:
    assert OPERATOR.allows("127.0.0.1")
    assert OPERATOR.allows("169.254.169.254")

"""Connections to hosts on an allow-list, and to public addresses only.

An address comes from a feed, so it may name a machine inside the network of the shop. The host must be on the list, its
name is resolved once, and the connection goes to an address that was checked, so that a second answer of the name
server changes nothing. Proxies of the environment are not used.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from recsys.errors import DataError

HTTPS, HTTP = "https", "http"
_PORTS = {HTTPS: 443, HTTP: 80}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """Limits of downloads.

    Attributes:
        hosts: Hosts that may be asked: `cdn.example.com`, `*.example.com` for all below it, `host:8443` for a port.
        allow_http: Also connect without TLS.
        allow_loopback: Also connect to this machine; for tests.
        max_bytes: Largest image.
        timeout_s: Longest silence of a server.
        image_s: Longest time for one image.
        per_second: Most requests to one host per second.
        connections: Most connections to one host at a time.
        max_images: Most images of one run.
        longest_wait_s: Longest wait that a server may ask for (Retry-After). Beyond it, its images wait for a later
            run.
        retry_s: First pause before another try; each later one is twice as long.
    """

    hosts: tuple[str, ...]
    allow_http: bool = False
    allow_loopback: bool = False
    max_bytes: int = 32 * 2**20
    timeout_s: float = 20.0
    image_s: float = 120.0
    per_second: float = 4.0
    connections: int = 1
    max_images: int = 1_000_000
    longest_wait_s: float = 60.0
    retry_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Target:
    """Checked address: scheme, host, port, and path with query."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def from_address(cls, address: str, limits: FetchLimits) -> Target:
        """Parse and check an address. Raises DataError if it may not be fetched; the message names the cure."""
        if address.startswith("//"):
            address = f"{HTTPS}:{address}"
        try:
            parts = urlsplit(address)
            port = parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError as error:
            raise DataError(f"{address}: not an address: {error}") from None
        host = (parts.hostname or "").rstrip(".")
        if parts.scheme not in _PORTS or not host:
            raise DataError(f"{address}: only https addresses are fetched")
        if parts.scheme == HTTP and not limits.allow_http:
            raise DataError(f"{address}: not encrypted; write https, or use --allow-http")
        if parts.username is not None or parts.password is not None:
            raise DataError(f"{address.split('@')[-1]}: addresses with a user name are not fetched")
        try:
            name = host if ":" in host else host.encode("idna").decode().lower()
        except UnicodeError:
            raise DataError(f"{address}: {host!r} is not the name of a host") from None
        if not _is_listed(name, port, _PORTS[parts.scheme], limits.hosts):
            raise DataError(f"{address}: {name} is not among the allowed hosts; add --host {name}")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        # What a request line cannot hold is escaped; escapes that are there stay.
        return cls(parts.scheme, name, port, "".join(c if "!" <= c <= "~" else _escape(c) for c in path))

    @property
    def authority(self) -> str:
        """Host, and the port unless it is the usual one."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return shown if self.port == _PORTS[self.scheme] else f"{shown}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def connect(target: Target, limits: FetchLimits) -> http.client.HTTPConnection:
    """Connect to a target, at an address that was checked. Raises DataError, or OSError if the network fails."""
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    allowed = [address for address in addresses if is_public(address, loopback=limits.allow_loopback)]
    if not allowed:
        raise DataError(f"{target.host} is {addresses[0]}, an address inside a network; only public ones are fetched")
    connection = http.client.HTTPConnection(target.host, target.port, timeout=limits.timeout_s)
    plain = socket.create_connection((allowed[0], target.port), timeout=limits.timeout_s)
    try:
        connection.sock = (
            ssl.create_default_context().wrap_socket(plain, server_hostname=target.host)
            if target.scheme == HTTPS
            else plain
        )
    except BaseException:
        plain.close()
        raise
    return connection


def is_public(address: str, *, loopback: bool = False) -> bool:
    """Return whether an IP address is reachable from everywhere: not private, link-local, multicast or reserved."""
    ip: Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        embedded = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if embedded is None and ip in _NAT64:
            embedded = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if embedded is not None:
            return is_public(str(embedded), loopback=loopback)
    if ip.is_loopback:
        return loopback
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _is_listed(host: str, port: int, usual: int, hosts: Collection[str]) -> bool:
    for entry in hosts:
        name, colon, number = entry.strip().lower().rpartition(":")
        if not colon or not number.isdigit():
            name, number = entry.strip().lower(), str(usual)
        below = name.startswith("*.") and host.endswith(name[1:])
        if (host == name.strip("[]") or below) and port == int(number):
            return True
    return False


def _escape(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode(errors="replace"))

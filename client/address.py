"""Where requests go: one endpoint, and nowhere else, whatever a redirect says."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from client.errors import InvalidCallError

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9._-]{1,253}|[0-9a-f:.]{2,45}")
_LONGEST = 4096


@dataclass(frozen=True)
class Address:
    """An endpoint's URL. Without user, password, query and fragment: those are secrets, or not the caller's to set."""

    url: str
    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> Address:
        """Raises `InvalidCallError`; its message never shows the URL."""
        found = _split(url.strip()) if isinstance(url, str) else None
        if found is None:
            raise InvalidCallError("url: must be an http or https URL, such as https://….endpoints.huggingface.cloud")
        parts, address = found
        if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
            raise InvalidCallError("url: must have no user, password, query or fragment; the token is an argument of its own.")
        return address

    @property
    def is_private_line(self) -> bool:
        """Nobody on the way can read along: TLS, or this very machine."""
        return self.scheme == "https" or _is_loopback(self.host)

    def redirected(self, location: str) -> Address | None:
        """Where a redirect leads, if it stays on this host and port or leads from http to https on it; else None."""
        try:
            found = _split(urljoin(self.url, location))
        except ValueError:
            return None
        if found is None or found[0].username is not None or found[0].password is not None:
            return None
        there = found[1]
        same = (there.scheme, there.port) == (self.scheme, self.port)
        upgrade = (self.scheme, self.port, there.scheme, there.port) == ("http", 80, "https", 443)
        return there if there.host == self.host and (same or upgrade) else None


def host_of(location: str) -> str:
    """The host that a redirect names, fit to be shown; empty if it names none."""
    found = _split(location)
    return found[1].host if found else ""


def _split(url: str) -> tuple[SplitResult, Address] | None:
    """None for what two readers of URLs could read in two ways. A host in other letters is to be written in its xn-- form."""
    if len(url) > _LONGEST or not url.isprintable() or " " in url or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:  # a port that is no number, half an IPv6 address
        return None
    if parts.scheme not in _DEFAULT_PORTS or not _HOST.fullmatch(host):
        return None
    return parts, Address(url, parts.scheme, host, _DEFAULT_PORTS[parts.scheme] if port is None else port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

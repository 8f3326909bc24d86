"""One guarded HTTP request to another system: https (http on this machine only), addresses checked before anything is sent, no redirects, a deadline."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from urllib.parse import SplitResult, urlsplit

TIMEOUT = 10.0
MAX_BODY = 64 * 1024
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(Exception):
    """A request that is not made, or an answer that is no success; what it says is shown to administrators."""


def check_url(url: str, allowed: Sequence[str]) -> SplitResult:
    """The parts of an address requests may go to; raises Refused with what is wrong in words."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("アドレスの書き方が崩れています。") from None
    host = parts.hostname or ""
    if not host or len(url) > 500 or not url.isascii() or any(ord(letter) < 33 for letter in url) or port == 0:
        raise Refused("アドレスの書き方が崩れています。")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Refused("アドレスに利用者名・パスワード・#は書けません。")
    if parts.scheme == "http" and _is_loopback(host) and _is_listed(host, None, allowed):
        return parts
    if parts.scheme != "https":
        raise Refused("https:// で始まるアドレスを書いてください。")
    return parts


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_listed(host: str, address: Address | None, allowed: Sequence[str]) -> bool:
    """Whether the installation names a host, by name (`*.lan.example.go.jp`), address or network (`10.1.0.0/16`)."""
    for one in allowed:
        if fnmatch(host.lower(), one.lower()):
            return True
        try:
            network = ipaddress.ip_network(one)
        except ValueError:
            continue
        try:
            at = address if address is not None else ipaddress.ip_address(host)
        except ValueError:
            continue
        if at.version == network.version and at in network:
            return True
    return False


def resolve(host: str, port: int, allowed: Sequence[str]) -> str:
    """The address to connect to. A name that leads to an address inside is refused unless the installation names it; what reaches no
    single machine, or the machine's own link, is refused always."""
    found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for text in found:
        address: Address = ipaddress.ip_address(text.partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if address.is_link_local or address.is_multicast or address.is_unspecified:
            raise Refused(f"{host} のアドレス {text} へは送りません。")
        if not address.is_global and not _is_listed(host, address, allowed):
            raise Refused(f"{host} は内部のアドレス（{text}）です。送ってよければ TADACHI_WEBHOOK_HOSTS に加えてください。")
    if not found:
        raise Refused(f"{host} のアドレスが見つかりません。")
    return found[0]


class _Connection(http.client.HTTPConnection):
    """Connects to the address that was checked, not to what the name may lead to by now."""

    def __init__(self, parts: SplitResult, at: str, port: int) -> None:
        super().__init__(parts.hostname or "", port, timeout=TIMEOUT)
        self._parts, self._at = parts, at

    def connect(self) -> None:
        """Open the connection, with TLS for https."""
        self.sock = socket.create_connection((self._at, self.port), TIMEOUT)
        if self._parts.scheme == "https":
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self._parts.hostname)


def post(url: str, body: bytes, headers: Mapping[str, str], allowed: Sequence[str]) -> None:
    """Send a body; anything but a 2xx answer within the timeout raises Refused or OSError."""
    if len(body) > MAX_BODY:
        raise Refused("本文が64KBを超えています。")
    parts = check_url(url, allowed)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    connection = _Connection(parts, resolve(parts.hostname or "", port, allowed), port)
    late = threading.Event()

    def cut() -> None:  # the timeout of a socket begins anew with each byte: a server that drips would hold us for ever
        late.set()
        if connection.sock is not None:
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    deadline = threading.Timer(TIMEOUT, cut)
    deadline.daemon = True
    deadline.start()
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, dict(headers))
        status = connection.getresponse().status
    except (http.client.HTTPException, OSError) as error:
        if late.is_set():
            raise TimeoutError(f"{TIMEOUT:g}秒以内に応答がありません") from error
        if isinstance(error, http.client.HTTPException):
            raise ConnectionError(f"{type(error).__name__}: 応答を読み取れません") from error
        raise
    finally:
        deadline.cancel()
        connection.close()
    if not 200 <= status < 300:
        raise Refused(f"応答 {status}" + ("（転送には従いません）" if 300 <= status < 400 else ""))

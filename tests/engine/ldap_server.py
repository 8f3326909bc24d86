"""A small LDAP server on loopback, speaking the protocol for real: bind, StartTLS, search with paged results; and it can misbehave."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PAGED, START_TLS = "1.2.840.113556.1.4.319", "1.3.6.1.4.1.1466.20037"
Entry = tuple[str, dict[str, str | bytes]]

# Tags of the messages used here (RFC 4511, BER).
BIND, BOUND, UNBIND, SEARCH, FOUND, DONE, EXTENDED, EXTENDED_ANSWER = 0x60, 0x61, 0x42, 0x63, 0x64, 0x65, 0x77, 0x78
INTEGER, OCTETS, ENUMERATED, SEQUENCE, SET, CONTROLS, REFERRAL = 0x02, 0x04, 0x0A, 0x30, 0x31, 0xA0, 0xA3


def put(tag: int, *content: bytes | str | int) -> bytes:
    """One element; numbers are those of INTEGER and ENUMERATED."""
    data = b"".join(
        part
        if isinstance(part, bytes)
        else part.encode()
        if isinstance(part, str)
        else part.to_bytes(part.bit_length() // 8 + 1, signed=True)
        for part in content
    )
    if len(data) < 128:
        return bytes([tag, len(data)]) + data
    length = len(data).to_bytes((len(data).bit_length() + 7) // 8)
    return bytes([tag, 128 | len(length)]) + length + data


def take(data: bytes) -> list[tuple[int, bytes]]:
    """The elements that stand one after the other in some bytes."""
    found: list[tuple[int, bytes]] = []
    while data:
        tag, length, begin = data[0], data[1], 2
        if length >= 128:
            begin += length & 127
            length = int.from_bytes(data[2:begin])
        found.append((tag, data[begin : begin + length]))
        data = data[begin + length :]
    return found


def make_certificate(folder: Path, name: str = "127.0.0.1") -> tuple[Path, Path]:
    """(certificate, key) files of a self-signed certificate for an address or a host name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    try:
        alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        alternative = x509.DNSName(name)
    built = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key()).serial_number(1)
    built = built.not_valid_before(datetime.datetime(2020, 1, 1)).not_valid_after(datetime.datetime(2120, 1, 1))  # noqa: DTZ001 - as X.509 wants it
    built = built.add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
    built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    certificate, private = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return certificate, private


@dataclass
class LdapServer:
    """What the server has and what it was asked. `fail` is "hang", "drop", "limit", "endless" or where people are sent on to; it
    strikes at the second page."""

    entries: list[Entry] = field(default_factory=list)
    bind_dn: str = "cn=reader,dc=example"
    password: str = "reader-secret"
    tls: ssl.SSLContext | None = None
    tls_at_once: bool = False
    fail: str = ""
    heard: list[tuple[str, str, bool]] = field(default_factory=list)  # what, detail, whether under TLS
    port: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def serve(self, plain: socket.socket) -> None:
        """One client."""
        connection: socket.socket = plain
        try:
            if self.tls_at_once and self.tls:
                connection = self.tls.wrap_socket(plain, server_side=True)
            while data := self._message(connection):
                ((_, inside),) = take(data)
                (_, number), (kind, content), *controls = take(inside)
                secure = isinstance(connection, ssl.SSLSocket)
                if kind == UNBIND:
                    return
                if kind == EXTENDED and take(content)[0][1].decode() == START_TLS and self.tls:
                    self._answer(connection, number, EXTENDED_ANSWER, 0)
                    connection = self.tls.wrap_socket(plain, server_side=True)
                elif kind == BIND:
                    _, (_, name), (_, password) = take(content)
                    self.heard.append(("bind", f"{name.decode()} {password.decode()}", secure))
                    right = (name.decode(), password.decode()) == (self.bind_dn, self.password)
                    self._answer(connection, number, BOUND, 0 if right else 49)
                elif kind == SEARCH:
                    if not self._search(connection, number, content, controls, secure):
                        return
                else:
                    self._answer(connection, number, EXTENDED_ANSWER, 2)
        except OSError:  # the client refused the certificate or went away
            pass
        finally:
            connection.close()

    def _search(self, connection: socket.socket, number: bytes, content: bytes, controls: list[tuple[int, bytes]], secure: bool) -> bool:
        """One page; False when the client gets no answer."""
        size, cookie = 0, b""
        for _, control in take(controls[0][1]) if controls else ():
            (_, type), *_, (_, value) = take(control)
            if type.decode() == PAGED:
                (_, told), (_, cookie) = take(take(value)[0][1])
                size = int.from_bytes(told)
        parts = take(content)
        wanted = {name.decode().lower() for _, name in take(parts[7][1])}
        self.heard.append(("search", f"{parts[0][1].decode()} {size} {cookie.decode()}", secure))
        begin = int(cookie or b"0")
        if begin and self.fail == "hang":
            self.stop.wait(30)
        if begin and self.fail in ("hang", "drop"):
            return False
        for dn, attributes in self.entries[begin : begin + size]:
            listed = [
                put(SEQUENCE, put(OCTETS, name), put(SET, put(OCTETS, told))) for name, told in attributes.items() if name.lower() in wanted
            ]
            connection.sendall(put(SEQUENCE, put(INTEGER, number), put(FOUND, put(OCTETS, dn), put(SEQUENCE, *listed))))
        following = begin + size
        more = str(following) if following < len(self.entries) else ""
        if self.fail == "endless":
            more = "0"
        code = 4 if begin and self.fail == "limit" else 10 if begin and self.fail.startswith("ldap:") else 0
        self._answer(connection, number, DONE, code, more)
        return True

    def _answer(self, connection: socket.socket, number: bytes, kind: int, code: int, cookie: str | None = None) -> None:
        referral = put(REFERRAL, put(OCTETS, self.fail)) if code == 10 else b""
        result = put(kind, put(ENUMERATED, code), put(OCTETS), put(OCTETS), referral)
        paged = b""
        if cookie is not None:
            value = put(SEQUENCE, put(INTEGER, 0), put(OCTETS, cookie))
            paged = put(CONTROLS, put(SEQUENCE, put(OCTETS, PAGED), put(OCTETS, value)))
        connection.sendall(put(SEQUENCE, put(INTEGER, number), result, paged))

    @staticmethod
    def _message(connection: socket.socket) -> bytes:
        """The bytes of one message; none when the client is gone."""

        def receive(count: int) -> bytes:
            taken = b""
            while len(taken) < count:
                part = connection.recv(count - len(taken))
                if not part:
                    return b""
                taken += part
            return taken

        head = receive(2)
        if not head:
            return b""
        if head[1] < 128:
            return head + receive(head[1])
        length = receive(head[1] & 127)
        return head + length + receive(int.from_bytes(length))


@contextmanager
def running(server: LdapServer) -> Iterator[LdapServer]:
    """The server at work on a port of its own, each client in a thread."""
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.port = listener.getsockname()[1]

        def accept() -> None:
            with contextlib.suppress(OSError):  # the listener was closed: the end
                while True:
                    client, _ = listener.accept()
                    threads.append(threading.Thread(target=server.serve, args=(client,)))
                    threads[-1].start()

        threads.append(threading.Thread(target=accept))
        threads[0].start()
        yield server
        server.stop.set()
        listener.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()

"""A directory of people in an LDAP server, Active Directory by default: read page by page, over checked TLS, and only if it comes whole."""

from __future__ import annotations

import logging
import ssl
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from engine.directory import DirectoryPerson
from engine.errors import DirectoryUnavailable, SettingsBroken
from engine.source_settings import LdapSettings

if TYPE_CHECKING:
    import ldap3

log = logging.getLogger(__name__)

PAGED_RESULTS = "1.2.840.113556.1.4.319"
ACCOUNT_DISABLED = 0x2
PAGE = 500
#: More pages than any office has: a server that hands out the same page for ever is not followed.
MOST_PAGES = 1_000


@dataclass(frozen=True)
class LdapDirectory:
    """People in an LDAP server.

    Attributes:
        connect_seconds: how long the connection may take.
        answer_seconds: how long each answer may take.
    """

    settings: LdapSettings
    page: int = PAGE
    connect_seconds: int = 5
    answer_seconds: int = 30

    def people(self) -> Iterator[DirectoryPerson]:
        """Everyone the filter finds; see `Directory.people`."""
        ldap3 = _library()
        try:
            with _open(ldap3, self) as connection:
                found = [entry for page in _pages(connection, self) for entry in page]
        except ldap3.core.exceptions.LDAPException as error:
            log.warning("the directory at %s: %s", self.settings.url, error)
            raise DirectoryUnavailable(
                why=f"{self.settings.url} に接続できないか、応答が正しくありません（{type(error).__name__}）"
            ) from None
        for entry in found:
            yield _person(entry, self.settings)


def _library() -> ModuleType:
    """ldap3, which few commands need: it is loaded when a directory is read."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(tagMap|typeMap) is deprecated", DeprecationWarning)  # names that ldap3 takes from pyasn1
        import ldap3
        import ldap3.core.exceptions
    return ldap3


@contextmanager
def _open(ldap3: ModuleType, directory: LdapDirectory) -> Iterator[ldap3.Connection]:
    """A bound connection; StartTLS comes before anything is told of who asks."""
    settings = directory.settings
    parts = urlsplit(settings.url)
    try:
        port = parts.port or (636 if parts.scheme == "ldaps" else 389)
    except ValueError:
        raise SettingsBroken(name="TADACHI_LDAP_URL", why="ポートの番号を読めません") from None
    server = ldap3.Server(
        parts.hostname,
        port=port,
        use_ssl=parts.scheme == "ldaps",
        tls=_checked_tls(ldap3, settings),
        get_info=ldap3.NONE,
        connect_timeout=directory.connect_seconds,
    )
    connection = ldap3.Connection(
        server,
        user=settings.bind_dn or None,
        password=settings.password.reveal() if settings.bind_dn else None,
        authentication=ldap3.SIMPLE if settings.bind_dn else ldap3.ANONYMOUS,
        auto_referrals=False,  # another server would be told the password
        raise_exceptions=True,
        read_only=True,
        receive_timeout=directory.answer_seconds,
        auto_range=False,
    )
    try:
        connection.open()
        if parts.scheme == "ldap":
            connection.start_tls()
        connection.bind()
        yield connection
    finally:
        connection.unbind()
        if connection.socket is not None:  # the library leaves the socket of a connection that failed to the garbage collector
            connection.socket.close()


def _checked_tls(ldap3: ModuleType, settings: LdapSettings) -> ldap3.Tls:
    """TLS whose certificate and host name Python's own ssl checks."""
    if settings.ca_file is not None and not settings.ca_file.is_file():
        raise SettingsBroken(name="TADACHI_LDAP_CA_FILE", why="ファイルがありません")
    context = ssl.create_default_context(cafile=settings.ca_file)

    class Checked(ldap3.Tls):  # type: ignore[name-defined,misc]
        def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
            connection.socket = context.wrap_socket(connection.socket, server_hostname=connection.server.host)

    return Checked(validate=ssl.CERT_REQUIRED)


def _pages(connection: ldap3.Connection, directory: LdapDirectory) -> Iterator[list[Mapping[str, Any]]]:
    """The entries page by page, until the server says there are no more."""
    settings = directory.settings
    attributes = [name for name in (settings.id, settings.full_name, settings.mail, settings.disabled) if name]
    cookie: bytes | None = None
    for _ in range(MOST_PAGES):
        connection.search(
            settings.base,
            settings.people,
            attributes=attributes,
            paged_size=directory.page,
            paged_criticality=True,
            paged_cookie=cookie,
            time_limit=directory.answer_seconds,
        )
        if connection.result["result"] != 0:  # a referral, or half an answer that the library does not call an error
            raise DirectoryUnavailable(why=f"サーバーの答えが途中までです（{connection.result['description']}）")
        yield [entry for entry in connection.response or () if entry["type"] == "searchResEntry"]
        control = (connection.result.get("controls") or {}).get(PAGED_RESULTS)
        cookie = control["value"]["cookie"] if control else None
        if not cookie:
            return
    raise DirectoryUnavailable(why=f"{MOST_PAGES}ページを超えても終わりません")


def _person(entry: Mapping[str, Any], settings: LdapSettings) -> DirectoryPerson:
    values = {name.lower(): value for name, value in entry["raw_attributes"].items()}

    def first(attribute: str) -> str:
        found = values.get(attribute.lower()) or [b""]
        return str(found[0].decode("utf-8", "replace")).strip()

    flags = first(settings.disabled) if settings.disabled else ""
    active = not (flags.lstrip("-").isdecimal() and int(flags) & ACCOUNT_DISABLED)
    email = first(settings.mail) if settings.mail else None
    return DirectoryPerson(first(settings.id), first(settings.full_name), email, active, str(entry["dn"]))

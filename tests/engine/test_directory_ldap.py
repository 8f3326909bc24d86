"""People read from an LDAP server that speaks the protocol for real: pages, certificates, accounts switched off, answers that break off."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.directory import DirectoryPerson
from engine.directory_ldap import LdapDirectory
from engine.errors import DirectoryUnavailable, SettingsBroken
from engine.source_settings import LdapSettings, Secret
from tests.engine.ldap_server import Entry, LdapServer, make_certificate, running


def account(id: str, name: str, flags: int = 512, mail: str | None = None) -> Entry:
    attributes: dict[str, str | bytes] = {"sAMAccountName": id, "displayName": name.encode(), "userAccountControl": str(flags)}
    return f"CN={id},OU=People,DC=example", attributes | ({"mail": mail} if mail else {})


PEOPLE = [account("a1", "山田　太郎", mail="a1@example.go.jp"), account("a2", "鈴木 花子", 514), account("a3", "佐藤 次郎", 66048)]


@pytest.fixture
def server() -> Iterator[LdapServer]:
    """A server without TLS."""
    with running(LdapServer(list(PEOPLE))) as made:
        yield made


def directory(
    server: LdapServer, scheme: str = "ldap+insecure", host: str = "127.0.0.1", ca: Path | None = None, **other: str
) -> LdapDirectory:
    settings = LdapSettings(
        url=f"{scheme}://{host}:{server.port}",
        base="DC=example",
        bind_dn=server.bind_dn,
        password=Secret(text=other.pop("password", server.password)),
        ca_file=ca,
        **other,
    )
    return LdapDirectory(settings, page=2, connect_seconds=2, answer_seconds=1)


def test_people_come_page_by_page_with_who_is_switched_off(server: LdapServer) -> None:
    found = list(directory(server).people())
    assert found == [
        DirectoryPerson("a1", "山田　太郎", "a1@example.go.jp", True),
        DirectoryPerson("a2", "鈴木 花子", "", False),
        DirectoryPerson("a3", "佐藤 次郎", "", True),
    ]
    assert found[1].where == "CN=a2,OU=People,DC=example"
    assert [detail for what, detail, _ in server.heard if what == "search"] == ["DC=example 2 ", "DC=example 2 2"]


def test_a_thousand_people(server: LdapServer) -> None:
    server.entries = [account(f"p{number:04}", f"職員{number}") for number in range(1_001)]
    found = list(LdapDirectory(directory(server).settings).people())
    assert len(found) == len({one.id for one in found}) == 1_001


def test_other_attributes_and_none_for_mail(server: LdapServer) -> None:
    server.entries = [("uid=b1,dc=example", {"uid": "b1", "cn": "Ｂ", "mail": "b1@example.go.jp", "userAccountControl": "2"})]
    named = directory(server, id="uid", full_name="cn", mail="", disabled="")
    assert list(named.people()) == [DirectoryPerson("b1", "Ｂ", None, True)]


@pytest.mark.parametrize(("scheme", "at_once"), [("ldaps", True), ("ldap", False)])
def test_tls_comes_before_the_password_and_the_certificate_is_checked(scheme: str, at_once: bool, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with running(LdapServer(list(PEOPLE), tls=context, tls_at_once=at_once)) as server:
        assert len(list(directory(server, scheme, ca=certificate).people())) == 3
        assert all(secure for _, _, secure in server.heard)
        server.heard.clear()
        for untrusted in (directory(server, scheme), directory(server, scheme, host="localhost", ca=certificate)):
            with pytest.raises(DirectoryUnavailable):
                list(untrusted.people())
        assert server.heard == [], "neither an unknown certificate nor one of another host is told the password"


def test_without_starttls_there_is_no_plain_way(server: LdapServer) -> None:
    with pytest.raises(DirectoryUnavailable):
        list(directory(server, "ldap").people())
    assert server.heard == []


@pytest.mark.faults
@pytest.mark.parametrize("fail", ["hang", "drop", "limit"])
def test_half_an_answer_is_none(server: LdapServer, fail: str) -> None:
    server.fail = fail
    with pytest.raises(DirectoryUnavailable) as refused:
        list(directory(server).people())
    assert "職員の名簿を受け取れません" in refused.value.text
    assert server.password not in refused.value.text


def test_nobody_is_told_the_password_because_another_server_says_so(server: LdapServer) -> None:
    with running(LdapServer(list(PEOPLE))) as other:
        server.fail = f"ldap://127.0.0.1:{other.port}/DC=example"
        with pytest.raises(DirectoryUnavailable):
            list(directory(server).people())
        assert other.heard == []


@pytest.mark.faults
def test_a_server_that_never_ends(server: LdapServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.fail = "endless"
    monkeypatch.setattr("engine.directory_ldap.MOST_PAGES", 20)
    with pytest.raises(DirectoryUnavailable):
        list(directory(server).people())


def test_a_wrong_password_and_nobody_there(server: LdapServer) -> None:
    for broken in (directory(server, password="wrong"), LdapDirectory(LdapSettings("ldap+insecure://127.0.0.1:1", "DC=example"))):
        with pytest.raises(DirectoryUnavailable):
            list(broken.people())


def test_a_file_of_certificates_or_a_password_that_is_not_there(server: LdapServer, tmp_path: Path) -> None:
    with pytest.raises(SettingsBroken) as refused:
        list(directory(server, "ldaps", ca=tmp_path / "none.pem").people())
    assert "TADACHI_LDAP_CA_FILE" in refused.value.text
    settings = LdapSettings(
        "ldap+insecure://127.0.0.1:1", "DC=example", "cn=x", Secret("TADACHI_LDAP_PASSWORD_FILE", file=tmp_path / "none")
    )
    with pytest.raises(SettingsBroken) as refused:
        list(LdapDirectory(settings).people())
    assert "TADACHI_LDAP_PASSWORD_FILE" in refused.value.text

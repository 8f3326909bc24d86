"""What the environment says of identities kept elsewhere: the sign-in service (OpenID Connect) and the directory of people (LDAP)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from engine.errors import SettingsBroken

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
#: Schemes of a directory's address: TLS from the start, TLS after StartTLS, none. The last has to be asked for by name.
LDAP_SCHEMES = ("ldaps", "ldap", "ldap+insecure")
PEOPLE_FILTER = "(&(objectCategory=person)(objectClass=user))"


@dataclass(frozen=True)
class Secret:
    """A secret, given directly or as a file; the file is read when it is needed, so that only who needs it must be able to."""

    variable: str = ""
    text: str = field(default="", repr=False)
    file: Path | None = None

    def __bool__(self) -> bool:
        """Whether there is one."""
        return bool(self.text) or self.file is not None

    def reveal(self) -> str:
        """The secret itself; raises SettingsBroken when its file cannot be read."""
        if self.file is None:
            return self.text
        try:
            return self.file.read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            why = f"ファイルを読めません（{getattr(error, 'strerror', None) or 'UTF-8 ではありません'}）"
            raise SettingsBroken(name=self.variable, why=why) from None


def secret(found: Mapping[str, str], name: str) -> Secret:
    """A secret of the environment, under its name or in the file that NAME_FILE says."""
    if found.get(f"{name}_FILE"):
        return Secret(f"{name}_FILE", file=Path(found[f"{name}_FILE"]))
    return Secret(name, found.get(name, ""))


@dataclass(frozen=True)
class OpenIdSettings:
    """The sign-in service. `claim` other than `sub` is taken as the person id itself; `name` is what the button says."""

    issuer: str
    client_id: str
    secret: Secret = Secret()
    claim: str = "sub"
    name: str = "職員認証基盤でサインイン"


@dataclass(frozen=True)
class LdapSettings:
    """The directory. `id`, `full_name`, `mail` and `disabled` are attributes; without `mail` addresses are left as they are here.

    `disabled` is a number whose bit 2 says that the account is switched off (Active Directory); without it everyone found is in office.
    """

    url: str
    base: str
    bind_dn: str = ""
    password: Secret = Secret()
    people: str = PEOPLE_FILTER
    id: str = "sAMAccountName"
    full_name: str = "displayName"
    mail: str = "mail"
    disabled: str = "userAccountControl"
    ca_file: Path | None = None


def is_safe_address(address: str) -> bool:
    """Whether a web address keeps what is sent there from others: https, or this very machine."""
    try:
        parts = urlsplit(address)
        return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK))
    except ValueError:
        return False


def open_id(found: Mapping[str, str]) -> OpenIdSettings | None:
    """Read TADACHI_OIDC_ISSUER, _CLIENT_ID, _CLIENT_SECRET or _CLIENT_SECRET_FILE, _CLAIM and _NAME; None without an issuer.

    Raises:
        SettingsBroken: the issuer is no https address, or the client id is missing.
    """
    issuer = found.get("TADACHI_OIDC_ISSUER", "")
    if not issuer:
        return None
    if not is_safe_address(issuer):
        raise SettingsBroken(name="TADACHI_OIDC_ISSUER", why="https: で始まるアドレスを指定してください")
    if not found.get("TADACHI_OIDC_CLIENT_ID"):
        raise SettingsBroken(name="TADACHI_OIDC_CLIENT_ID", why="指定してください")
    claim = found.get("TADACHI_OIDC_CLAIM") or OpenIdSettings.claim
    name = found.get("TADACHI_OIDC_NAME") or OpenIdSettings.name
    return OpenIdSettings(issuer, found["TADACHI_OIDC_CLIENT_ID"], secret(found, "TADACHI_OIDC_CLIENT_SECRET"), claim, name)


def ldap(found: Mapping[str, str]) -> LdapSettings | None:
    """Read TADACHI_LDAP_URL, _BASE, _BIND_DN, _PASSWORD or _PASSWORD_FILE, _FILTER, _ID, _NAME, _MAIL, _DISABLED and _CA_FILE; None without an address.

    Raises:
        SettingsBroken: an address of another kind, no base, or a bind DN without a password, which directories take as nobody at all.
    """
    url = found.get("TADACHI_LDAP_URL", "")
    if not url:
        return None
    scheme, _, rest = url.partition("://")
    if scheme not in LDAP_SCHEMES or not rest.strip("/"):
        raise SettingsBroken(
            name="TADACHI_LDAP_URL", why="ldaps://ホスト、ldap://ホスト（StartTLS）、ldap+insecure://ホスト のどれかにしてください"
        )
    if not found.get("TADACHI_LDAP_BASE"):
        raise SettingsBroken(name="TADACHI_LDAP_BASE", why="指定してください")
    password = secret(found, "TADACHI_LDAP_PASSWORD")
    if found.get("TADACHI_LDAP_BIND_DN") and not password:
        raise SettingsBroken(name="TADACHI_LDAP_PASSWORD_FILE", why="TADACHI_LDAP_BIND_DN のパスワードを指定してください")
    return LdapSettings(
        url=url,
        base=found["TADACHI_LDAP_BASE"],
        bind_dn=found.get("TADACHI_LDAP_BIND_DN", ""),
        password=password,
        people=found.get("TADACHI_LDAP_FILTER") or LdapSettings.people,
        id=found.get("TADACHI_LDAP_ID") or LdapSettings.id,
        full_name=found.get("TADACHI_LDAP_NAME") or LdapSettings.full_name,
        mail=found.get("TADACHI_LDAP_MAIL", LdapSettings.mail),
        disabled=found.get("TADACHI_LDAP_DISABLED", LdapSettings.disabled),
        ca_file=Path(found["TADACHI_LDAP_CA_FILE"]) if found.get("TADACHI_LDAP_CA_FILE") else None,
    )


def local_passwords(found: Mapping[str, str], other: OpenIdSettings | None) -> bool:
    """Read TADACHI_LOCAL_PASSWORDS; raises SettingsBroken when it is neither on nor off, or off with no other way in."""
    told = found.get("TADACHI_LOCAL_PASSWORDS") or "on"
    if told not in ("on", "off"):
        raise SettingsBroken(name="TADACHI_LOCAL_PASSWORDS", why="on か off にしてください")
    if told == "off" and other is None:
        raise SettingsBroken(
            name="TADACHI_LOCAL_PASSWORDS", why="off にするには TADACHI_OIDC_ISSUER も要ります。このままではだれもログインできません"
        )
    return told == "on"

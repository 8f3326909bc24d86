"""What an installation decides outside the database: addresses, folders, secrets; read once from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine import source_settings
from engine.source_settings import LdapSettings, OpenIdSettings, Secret

ROOT = Path(__file__).resolve().parent.parent


def _proofs(found: Mapping[str, str]) -> Path | None:
    """Where proofs are remembered: as told, else in the user's cache (XDG), which commands outside an installation use as well."""
    if "TADACHI_PROOFS" in found:
        return Path(found["TADACHI_PROOFS"]) if found["TADACHI_PROOFS"] else None
    cache = found.get("XDG_CACHE_HOME") or (f"{found['HOME']}/.cache" if found.get("HOME") else "")
    return Path(cache) / "tadachi" / "proofs" if cache.startswith("/") else None


@dataclass(frozen=True)
class Settings:
    """Settings of one installation.

    `database` is a SQLAlchemy URL; `bpmn` the folder of office folders; `mail` an SMTP URL or empty (mails stay in the outbox);
    `base_url` the address officials open, used in mails; `proofs` the folder where proofs of diagrams are remembered, None for nowhere;
    `open_id` a sign-in service, `local_passwords` whether passwords kept here sign in, `ldap` the directory people are taken from;
    `webhook_hosts` names (`*.lan.example.go.jp`), addresses or networks (`10.1.0.0/16`) inside to which events may be sent all the same.
    """

    database: str = "sqlite:///var/tadachi.sqlite"
    bpmn: Path = ROOT / "bpmn"
    mail: str = ""
    mail_from: str = "tadachi@localhost"
    base_url: str = "http://127.0.0.1:8000"
    secret_file: Path = Path("var/secret")
    demo: bool = False
    proofs: Path | None = field(default_factory=lambda: _proofs(os.environ))
    open_id: OpenIdSettings | None = None
    local_passwords: bool = True
    ldap: LdapSettings | None = None
    metrics_token: Secret = field(default_factory=Secret)
    webhook_hosts: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        """Right-hand side of Message-IDs: the mail address's domain."""
        return self.mail_from.rpartition("@")[2] or "localhost"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read TADACHI_DATABASE, _BPMN, _SMTP, _MAIL_FROM, _URL, _SECRET_FILE, _DEMO and _PROOFS (empty: proofs are not remembered), _LOCAL_PASSWORDS, _METRICS_TOKEN,
        _WEBHOOK_HOSTS (separated by commas) and _OIDC_* and _LDAP_* (`engine.source_settings`); raises SettingsBroken."""
        found = os.environ if environment is None else environment
        base = cls()
        open_id = source_settings.open_id(found)
        return cls(
            database=found.get("TADACHI_DATABASE", base.database),
            bpmn=Path(found["TADACHI_BPMN"]) if "TADACHI_BPMN" in found else base.bpmn,
            mail=found.get("TADACHI_SMTP", ""),
            mail_from=found.get("TADACHI_MAIL_FROM", base.mail_from),
            base_url=found.get("TADACHI_URL", base.base_url).rstrip("/"),
            secret_file=Path(found.get("TADACHI_SECRET_FILE", str(base.secret_file))),
            demo=found.get("TADACHI_DEMO", "") == "1",
            proofs=_proofs(found),
            open_id=open_id,
            local_passwords=source_settings.local_passwords(found, open_id),
            ldap=source_settings.ldap(found),
            metrics_token=source_settings.secret(found, "TADACHI_METRICS_TOKEN"),
            webhook_hosts=tuple(one.strip() for one in found.get("TADACHI_WEBHOOK_HOSTS", "").split(",") if one.strip()),
        )

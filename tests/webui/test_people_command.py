"""The commands `tadachi people …`: a directory taken over from a file and from a server, and identities linked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from engine import Engine, hash_password
from tests.engine.ldap_server import LdapServer, running
from webui.cli import main

HASHED = hash_password("a-long-enough-pass")
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs one command on a database of the test's own, with an administrator."""
    monkeypatch.setenv("TADACHI_DATABASE", f"sqlite:///{tmp_path / 'tadachi.sqlite'}")
    engine = Engine.from_environment()
    engine.migrate()
    engine.register("admin", "isa", "管理者", email=None, password_hash=HASHED, seats=["administrator@isa"])
    engine.register("clerk", "isa", "職員", email=None, password_hash=None)
    engine.close()

    def invoke(*words: str) -> Result:
        result = CliRunner().invoke(main, ["people", *words])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return invoke


def written(folder: Path, *rows: str) -> str:
    file = folder / "people.csv"
    file.write_text("職員番号,氏名,メール,在職\r\n" + "".join(f"{row}\r\n" for row in rows), "cp932")
    return str(file)


def ids(result: Result) -> dict[str, Any]:
    told = json.loads(result.stdout)
    return {
        name: [one if isinstance(one, str) else one["id"] for one in told[name]] for name in ("added", "renamed", "ended", "unknown_kept")
    }


def test_a_file_is_taken_over_after_a_look(run: Run, tmp_path: Path) -> None:
    file = written(tmp_path, "n1,髙橋,n1@example.go.jp,はい", "n2,鈴木,,")
    look = run("sync", "--organisation", "isa", "--csv", file, "--dry-run")
    assert look.exit_code == 0 and "まだ何も変えていません" in look.stdout and "登録    n1  髙橋  n1@example.go.jp" in look.stdout
    assert "そのまま）：admin、clerk" in look.stdout
    done = run("sync", "--organisation", "isa", "--csv", file, "--as", "admin", "--json")
    assert done.exit_code == 0 and ids(done) == {"added": ["n1", "n2"], "renamed": [], "ended": [], "unknown_kept": ["admin", "clerk"]}
    again = run("sync", "--organisation", "isa", "--csv", written(tmp_path, "n1,髙橋花子,,はい", "n2,鈴木,,いいえ"))
    assert "氏名    n1  髙橋 → 髙橋花子" in again.stdout and "メール  n1  n1@example.go.jp → なし" in again.stdout
    assert "終了    n2  鈴木（在職でない）" in again.stdout and "終了1人" in again.stdout
    back = run("sync", "--organisation", "isa", "--csv", written(tmp_path, "n1,髙橋花子,,", "n2,鈴木,,"))
    assert "n2 は名簿では在職ですが" in back.stderr


def test_a_file_that_empties_the_office_is_refused(run: Run, tmp_path: Path) -> None:
    everyone = [f"n{number},職員{number},," for number in range(10)]
    run("sync", "--organisation", "isa", "--csv", written(tmp_path, *everyone))
    few = written(tmp_path, *everyone[:2])
    for words in ((), ("--dry-run",)):
        result = run("sync", "--organisation", "isa", "--csv", few, *words)
        assert result.exit_code == 1 and "10人のうち8人" in result.stderr
    assert "終了8人" in run("sync", "--organisation", "isa", "--csv", few, "--dry-run", "--force").stdout
    assert run("sync", "--organisation", "isa", "--csv", few, "--force").exit_code == 0


def test_rows_that_do_not_fit_are_listed(run: Run, tmp_path: Path) -> None:
    result = run("sync", "--organisation", "isa", "--csv", written(tmp_path, "n1,髙橋,,", "n 2,鈴木,,", "n1,佐藤,,"))
    assert result.exit_code == 1 and "3行目　n 2" in result.stderr and "4行目　n1　番号が重なっています（2行目）" in result.stderr


def test_a_server_is_taken_over(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "TADACHI_LDAP_URL" in run("sync", "--organisation", "isa", "--ldap").stderr
    people = [
        (f"CN={id},DC=example", {"sAMAccountName": id, "displayName": f"職員{id}", "userAccountControl": "512"}) for id in ("a1", "a2")
    ]
    with running(LdapServer([(dn, dict(attributes)) for dn, attributes in people])) as server:
        (tmp_path / "password").write_text(f"{server.password}\n")
        for name, value in {"URL": f"ldap+insecure://127.0.0.1:{server.port}", "BASE": "DC=example", "BIND_DN": server.bind_dn}.items():
            monkeypatch.setenv(f"TADACHI_LDAP_{name}", value)
        monkeypatch.setenv("TADACHI_LDAP_PASSWORD_FILE", str(tmp_path / "password"))
        assert ids(run("sync", "--organisation", "isa", "--ldap", "--json"))["added"] == ["a1", "a2"]
    away = run("sync", "--organisation", "isa", "--ldap")
    assert away.exit_code == 1 and "職員の名簿を受け取れません" in away.stderr


def test_one_directory_has_to_be_named(run: Run, tmp_path: Path) -> None:
    assert run("sync", "--organisation", "isa").exit_code == 2
    assert run("sync", "--organisation", "isa", "--ldap", "--csv", written(tmp_path)).exit_code == 2
    assert run("sync", "--organisation", "nowhere", "--csv", written(tmp_path)).exit_code == 1


def test_identities_are_linked_by_administrators(run: Run, tmp_path: Path) -> None:
    linked = run("link", "clerk", "oidc", "sub-1", "--as", "admin")
    assert linked.exit_code == 0 and "「clerk」になります" in linked.stdout
    assert "oidc  sub-1" in run("links", "clerk").stdout
    assert "すでに利用者「clerk」に" in run("link", "admin", "oidc", "sub-1").stderr
    for words in (
        ("link", "clerk", "oidc", "sub-2"),
        ("unlink", "oidc", "sub-1"),
        ("sync", "--organisation", "isa", "--csv", written(tmp_path)),
    ):
        result = run(*words, "--as", "clerk")
        assert result.exit_code == 1 and "権限" in result.stderr
    assert "「clerk」ではなくなりました" in run("unlink", "oidc", "sub-1").stdout
    assert run("unlink", "oidc", "sub-1").exit_code == 1 and run("links", "clerk").stdout == ""

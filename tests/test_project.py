"""What holds the project together: its make targets, its lock file, and the services the tests start."""

from __future__ import annotations

import base64
import gzip
import http.server
import json
import os
import re
import smtplib
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[1]
FRONTEND = ROOT / "webui" / "frontend"
BUILT = ROOT / "webui" / "static" / "built"


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("target", ["help", "setup", "run", "demo-reset", "test", "lint", "bench", "clean"])
def test_make_knows_its_targets(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:.*## \S", makefile, re.MULTILINE), f"make {target} is missing or has no help text"


def test_make_alone_lists_the_targets() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "make setup" in listed and "make test" in listed


def test_continuous_integration_can_start() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    assert "TADACHI_REQUIRE_ALL=1" in script.read_text(encoding="utf-8")


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(item for extra in project["optional-dependencies"].values() for item in extra)]
    assert [item for item in wanted if not re.fullmatch(r"[\w.-]+(\[\w+\])?==[\w.]+", item)] == []


def test_front_end_is_pinned_and_names_no_registry() -> None:
    package = json.loads((FRONTEND / "package.json").read_text(encoding="utf-8"))
    versions = {**package.get("dependencies", {}), **package.get("devDependencies", {})}
    assert [name for name, version in versions.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []
    lock = (FRONTEND / "package-lock.json").read_text(encoding="utf-8")
    assert "http" not in re.sub(r'"(url|funding)": ?"[^"]*"', "", lock)
    assert '"resolved"' not in lock
    assert '"integrity"' in lock


def test_no_third_party_code_is_kept() -> None:
    command = ["git", "ls-files", "webui/static/built", "*node_modules*"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout == ""


# ---------------------------------------------------------------- front end


@pytest.mark.parametrize(("names", "limit"), [(("app.js",), 25), (("app.js", "diagram.js"), 90)])
def test_scripts_stay_within_their_budget(names: tuple[str, ...], limit: int) -> None:
    size = sum(len(gzip.compress((BUILT / name).read_bytes(), 9)) for name in names)
    assert size <= limit * 1024, f"{names}: {size / 1024:.1f} KB gzip, the budget is {limit}"


def test_licences_of_built_code_are_kept() -> None:
    licences = (BUILT / "licences.md").read_text(encoding="utf-8")
    assert all(name in licences for name in ("htmx.org", "bpmn-js", "diagram-js"))


FACTS: dict[str, Any] = {
    "event": "leak", "holds": ["pi", "mynumber"], "mynumber": "unknown", "grave": True, "suspected": False,
    "count": 320, "empty": "", "none": None,
}  # fmt: skip


EXPRESSIONS = r"""
event == "leak"
event != 'leak'
${event == "leak"}
event in ["leak", "loss"]
event not in ("loss", "damage")
has(holds, "mynumber")
"mynumber" in holds
"x" in none
grave
not grave
not none
grave and not suspected
grave or event == "loss"
count > 100
count >= 320 and count < 1000
100 < count <= 320
count > none
absent == null
known(mynumber)
known(count) and known(absent)
count + 1 == 321
count * 2 - 40 == 600
-count < 0
absent + 1 == null
over(count, 100) == "yes"
over(absent, 100) == "unknown"
either(mynumber, grave) == "yes"
every(mynumber, grave) == "unknown"
opposite(suspected) == "yes"
size(holds) == 2
greatest(count, none, 400) == 400
smallest([count, 5]) == 5
(grave if count > 1000 else suspected) == false
grave or mynumber > 3
mynumber and grave
count > "3"
grave == 1
event.upper()
due('x')
event ==
[1, 2] == [1, 2]
not (event == "leak" and grave) or suspected
true == 1
either(holds) == "unknown"
size(event) == 4
empty == ""
""".strip().splitlines()


def test_a_page_shows_the_fields_the_engine_would(page_at: Callable[..., Page]) -> None:
    """Where the script understands a condition it agrees with the engine; where it does not, it says so and the field stays."""
    from engine.errors import ExpressionError
    from engine.expressions import compile_expression

    def of_engine(text: str) -> bool | None:
        try:
            return compile_expression(text).evaluate(FACTS) is True
        except ExpressionError:
            return None

    source = base64.b64encode((FRONTEND / "src" / "expression.js").read_bytes()).decode()
    script = f"""async ([texts, facts]) => {{
        const {{ evaluate }} = await import("data:text/javascript;base64,{source}");
        return texts.map((text) => {{ try {{ return evaluate(text, facts) === true; }} catch {{ return null; }} }});
    }}"""
    of_page = page_at().evaluate(script, [EXPRESSIONS, FACTS])
    assert dict(zip(EXPRESSIONS, of_page, strict=True)) == {text: of_engine(text) for text in EXPRESSIONS}


@pytest.fixture
def sample_page() -> Iterator[str]:
    """The sample page of the front end, served on loopback; its content security policy is the strict one."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, directory=str(ROOT / "webui"), **options)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/frontend/sample.html"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_scripts_at_work(page_at: Callable[..., Page], sample_page: str, width: int) -> None:
    page = page_at(width, sample_page)
    page.wait_for_selector(".diagram[data-ready=yes]")
    assert page.evaluate("document.documentElement.scrollWidth") == width, "the page scrolls sideways"

    # the diagram says its states in words, and leads into what a step calls
    assert page.locator(".diagram-stage .diagram-badge").all_text_contents() == ["済", "超過", "処理中 2"]
    assert page.locator(".diagram-inside").get_attribute("href") == "#diagram=statutory"
    assert page.locator(".bjs-powered-by").is_visible()
    page.get_by_role("button", name="拡大").click()

    # a field appears when its condition holds
    depending = page.locator("[data-field=mn_system]")
    assert depending.is_hidden()
    assert depending.locator("input").is_disabled()
    page.get_by_label("個人番号", exact=False).first.check()
    assert depending.is_visible()

    # characters are counted near the limit
    page.fill("#t", "あ" * 41)
    assert page.locator("#t-count").text_content() == "1文字超えています"

    # a question comes before what cannot be undone; the answer no changes nothing, yes sends this very button
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.post_data or "") if request.method == "POST" else None)
    page.get_by_role("button", name="差し戻す").click()
    page.get_by_role("dialog").get_by_role("button", name="やめる").click()
    assert page.get_by_role("dialog").count() == 0
    assert sent == []
    page.get_by_role("button", name="差し戻す").click()
    with page.expect_request(lambda request: request.method == "POST"):
        page.get_by_role("dialog").get_by_role("button", name="差し戻す").click()
    assert "decision=back" in sent[0]


def test_keys_can_be_used_and_switched_off(page_at: Callable[..., Page], sample_page: str) -> None:
    page = page_at(1280, sample_page)
    page.wait_for_selector(".diagram[data-ready=yes]")
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.textContent") == "個人情報保護委員会への速報を確かめる"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "f2"
    page.get_by_role("button", name="キー操作").click()
    page.get_by_label("1文字のキー操作を使う").uncheck()
    page.get_by_role("button", name="閉じる").click()
    page.keyboard.press("?")
    assert page.get_by_role("dialog").count() == 0


# ---------------------------------------------------------------- services


def test_postgresql_of_our_own(postgresql_url: str) -> None:
    engine = sa.create_engine(postgresql_url)
    with engine.connect() as connection:
        assert int(connection.execute(sa.text("SHOW server_version_num")).scalar_one()) >= 150000
        assert connection.execute(sa.text("SHOW listen_addresses")).scalar_one() == "127.0.0.1"
    engine.dispose()


@pytest.mark.parametrize("time", [1, 2])
def test_a_fresh_database_is_empty(fresh_postgresql: str, time: int) -> None:
    engine = sa.create_engine(fresh_postgresql)
    with engine.begin() as connection:
        assert sa.inspect(connection).get_table_names() == []
        connection.execute(sa.text("CREATE TABLE left_behind (name text)"))
        connection.execute(sa.text("INSERT INTO left_behind VALUES ('個人情報')"))
    engine.dispose()


def mail(to: str = "kakari@example.lg.jp") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "tadachi@example.lg.jp", to, "直ちに報告してください"
    message.set_content("漏えいの疑いがあります。")
    return message


def test_smtp_server_collects_mail(smtp_server: Any) -> None:
    with smtplib.SMTP(smtp_server.host, smtp_server.port, timeout=5) as client:
        client.send_message(mail())
    (delivered,) = smtp_server.wait_for(1)
    assert delivered.recipients == ["kakari@example.lg.jp"]
    assert delivered.message["Subject"] == "直ちに報告してください"
    assert delivered.message.get_content().strip() == "漏えいの疑いがあります。"


@pytest.mark.faults
def test_smtp_server_can_refuse(smtp_server: Any) -> None:
    smtp_server.refuse("450 4.2.1 try again", "a@example.lg.jp")
    with smtplib.SMTP(smtp_server.host, smtp_server.port, timeout=5) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refusal:
            client.send_message(mail("a@example.lg.jp"))
        assert refusal.value.recipients["a@example.lg.jp"][0] == 450
        client.send_message(mail("b@example.lg.jp"))
    assert len(smtp_server.messages) == 1


@pytest.mark.faults
def test_smtp_server_can_go_down_and_come_back(smtp_server: Any) -> None:
    smtp_server.down()
    with pytest.raises(ConnectionRefusedError):
        smtplib.SMTP(smtp_server.host, smtp_server.port, timeout=5)
    smtp_server.up()
    with smtplib.SMTP(smtp_server.host, smtp_server.port, timeout=5) as client:
        client.send_message(mail())
    assert len(smtp_server.messages) == 1


@pytest.mark.faults
@pytest.mark.parametrize(("at", "taken"), [("EHLO", 0), ("RCPT", 0), ("DATA", 1)])
def test_smtp_server_can_hang(smtp_server: Any, at: str, taken: int) -> None:
    smtp_server.hang(at)
    client = smtplib.SMTP(smtp_server.host, smtp_server.port, timeout=0.3)
    with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)):
        client.send_message(mail())
    client.close()
    assert len(smtp_server.messages) == taken, "a mail can be taken although its sender was never told"


@pytest.mark.parametrize("width", [1280, 390])
def test_pages_open_at_both_widths(page_at: Callable[..., Page], width: int) -> None:
    page = page_at(width)
    page.set_content("<p lang=ja>直ちに</p>")
    assert page.evaluate("innerWidth") == width
    assert page.evaluate("navigator.language") == "ja-JP"
    assert page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone") == "Asia/Tokyo"


def test_problems_a_page_has_are_not_lost(page_at: Any) -> None:
    page = page_at()
    page.set_content("<script>throw new Error('だめ')</script>")
    assert page_at.problems == ["script error: だめ"]
    page_at.problems.clear()


# ---------------------------------------------------------------- missing services

MISSING_SERVICE = "def test_needs_a_browser(chromium):\n    pass\n"


@pytest.mark.parametrize(("require_all", "code", "said"), [("", 0, "(1 tests did not run)"), ("1", 1, "1 error")])
def test_a_missing_service_is_said_or_fails(tmp_path: Path, require_all: str, code: int, said: str) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "test_it.py").write_text(MISSING_SERVICE, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    browser: x\n", encoding="utf-8")
    environment = {**os.environ, "PATH": "/nowhere", "TADACHI_REQUIRE_ALL": require_all, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs"]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == code, run.stdout
    assert said in run.stdout
    assert "chromium: not found" in run.stdout

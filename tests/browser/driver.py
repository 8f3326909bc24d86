"""Plays scenarios through a real browser: every official signs in, finds the step in the inbox, fills in the form and presses the button.

`Site` is the application behind waitress on a clock that can be moved; `Officials` keeps a browser profile for each person;
`BrowserPlayer` is the scenario player whose hands are the browser's.
"""

from __future__ import annotations

import dataclasses
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect
from waitress import create_server

from engine import Engine, Player, SetClock, Settings, civil_day, hash_password, load_scenario
from webui import create_app

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = ROOT / "bpmn" / "isa" / "scenarios"
PASSWORD = "a-long-and-quiet-password"
SINCE = date(2022, 4, 1)
MONDAY = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)  # 10:00 in Japan
#: The button that sends a form; what is on it is the diagram's word.
SEND = ".button-row button[type=submit]:not([formaction])"

# ---------------------------------------------------------------- the site


def account(seat: str) -> str:
    """The id of the account that holds a seat."""
    return seat.replace("@", ".")


def make_office(file: Path) -> None:
    """An SQLite file with the agency's diagrams in force and one account for every seat."""
    clock = SetClock(datetime(2022, 4, 1, tzinfo=UTC))
    engine = Engine(dataclasses.replace(Settings(), database=f"sqlite:///{file}"), clock=clock, prove=Engine.unproven)
    try:
        engine.migrate()
        office = engine.organisation("isa")
        hashed = hash_password(PASSWORD)
        for seat in office.seats(civil_day(MONDAY)):
            engine.register(account(seat), "isa", office.seat_name(seat), email=None, password_hash=hashed)
            engine.appoint(account(seat), seat, since=SINCE)
        engine.deploy("isa", account("general_protection_manager@isa"))
    finally:
        engine.close()


@dataclasses.dataclass(frozen=True)
class Site:
    """The application as it is served, and the clock it lives by."""

    engine: Engine
    clock: SetClock
    address: str


@contextmanager
def serve(office: Path, folder: Path, starts: datetime = MONDAY) -> Iterator[Site]:
    """Serve a copy of the office on a free loopback port."""
    file = folder / "browser.sqlite"
    shutil.copy(office, file)
    clock = SetClock(starts)
    engine = Engine(dataclasses.replace(Settings(), database=f"sqlite:///{file}"), clock=clock, prove=Engine.unproven)
    server = create_server(create_app(engine, secret_key="test"), host="127.0.0.1", port=0, threads=4, ident="")
    thread = threading.Thread(target=server.run, name="web", daemon=True)
    thread.start()
    try:
        yield Site(engine, clock, f"http://127.0.0.1:{server.effective_port}")
    finally:
        server.close()
        thread.join(10)
        engine.close()


@dataclasses.dataclass(frozen=True)
class BusyOffice:
    """A database with a case under way (and one closed), and the instant at which it stands."""

    file: Path
    at: datetime
    case: int


def make_busy(office: Path, folder: Path) -> BusyOffice:
    """Play one case to its end and R5-6 to the notices, without a browser."""
    with serve(office, folder) as site:
        Player(site.engine, site.clock, "isa").play(load_scenario(SCENARIOS / "incident_r4-1.yaml"))
        case = Player(site.engine, site.clock, "isa").play(load_scenario(SCENARIOS / "incident_r5-6.yaml"), until="notice")
        at = site.clock.now()
    return BusyOffice(folder / "browser.sqlite", at, case)


# ---------------------------------------------------------------- people


class Officials:
    """A browser profile for each person, opened when first needed."""

    def __init__(self, site: Site, page_at: Callable[..., Page], width: int = 1280, **options: Any) -> None:
        self.site = site
        self._page_at = page_at
        self._options = {"width": width, **options}
        self._pages: dict[str, Page] = {}

    def page(self, person: str) -> Page:
        """The person's page, wherever it stands."""
        if person not in self._pages:
            self._pages[person] = self._page_at(**self._options)
        return self._pages[person]

    def at(self, person: str, path: str = "/inbox") -> Page:
        """The person's page at a path of the site, signed in."""
        page = self.page(person)
        page.goto(self.site.address + path, wait_until="commit")
        sign_in(page, person)
        return page


def sign_in(page: Page, person: str, password: str = PASSWORD) -> None:
    """Sign in where the page asks for it; a session that still runs is not asked again."""
    heading = page.locator("h1").first
    heading.wait_for()
    if heading.inner_text() == "ログイン":
        page.get_by_label("利用者ID").fill(person)
        page.get_by_label("パスワード").fill(password)
        page.get_by_role("button", name="ログイン", exact=True).click()
        expect(page.get_by_role("navigation", name="主なメニュー")).to_be_visible()


# ---------------------------------------------------------------- forms


def fill_in(form: Locator, answers: Mapping[str, Any]) -> None:
    """Enter the answers into the fields; a field that only appears by another's answer is entered after it."""
    form.wait_for()
    form.page.wait_for_load_state("domcontentloaded")  # the page's script has seen the form by then
    left = dict(answers)
    while left:
        ready = [name for name in left if _reachable(field_of(form, name))]
        assert ready, f"the form does not show {sorted(left)}"
        for name in ready:
            _enter(field_of(form, name), left.pop(name))


def field_of(form: Locator, name: str) -> Locator:
    """The part of the form that asks for a field."""
    return form.locator(f'[data-field="{name}"]')


def _reachable(field: Locator) -> bool:
    if field.count() == 0 or field.get_attribute("hidden") is not None:
        return False
    folded = field.locator("xpath=ancestor::details[not(@open)]")
    if folded.count():
        folded.locator("> summary").click()
    return True


def _enter(field: Locator, value: Any) -> None:
    kind = field.get_attribute("data-type")
    if kind == "rows":
        _enter_rows(field, value)
    elif kind == "set":
        for box in field.locator("input[type=checkbox]").all():
            box.set_checked(box.get_attribute("value") in value)
    elif kind == "boolean" or (kind == "enum" and field.locator("input[type=radio]").count()):
        text = str(value).lower() if isinstance(value, bool) else value
        field.locator(f'input[type=radio][value="{text}"]').check()
    elif kind in ("enum", "unit"):
        field.locator("select").select_option(value)
    elif kind == "datetime":
        field.locator("input").fill(value[:16])  # Japanese civil time, as the player hands it over
    else:
        field.locator("input, textarea").fill("" if value is None else str(value))


def _enter_rows(field: Locator, rows: list[Mapping[str, Any]]) -> None:
    lines = field.locator("[data-row]")
    while lines.count() > len(rows):
        lines.last.get_by_role("button", name="消す").click()
    while lines.count() < len(rows):
        field.get_by_role("button", name="行を追加").click()
    for number, row in enumerate(rows):
        for column, text in row.items():
            lines.nth(number).locator(f'input[name$=".{column}"]').fill(str(text))


def press(form: Locator, answers: Mapping[str, Any]) -> None:
    """Press the button that is the answer, or the only one there is."""
    buttons = form.locator(".decision button")
    if buttons.count() > 1:
        name = buttons.first.get_attribute("name") or ""
        value = answers[name]
        text = str(value).lower() if isinstance(value, bool) else value
        buttons = form.locator(f'.decision button[value="{text}"]')
    buttons.click()


def answers_by_button(form: Locator) -> set[str]:
    """The ids of the fields that the buttons answer."""
    names = (button.get_attribute("name") for button in form.locator(".decision button").all())
    return {name for name in names if name}


# ---------------------------------------------------------------- the player


class BrowserPlayer(Player):
    """Plays a scenario by the officials' browsers. `seen` is called with the case's page wherever the scenario expects something."""

    def __init__(self, officials: Officials, seen: Callable[[Page, Mapping[str, Any]], None] | None = None) -> None:
        super().__init__(officials.site.engine, officials.site.clock, "isa")
        self.officials = officials
        self.reporter = ""
        self.completed: list[str] = []
        self._seen = seen

    def run(self, name: str, until: str | None = None) -> int:
        """Play the scenario of a file; returns the case's id."""
        return self.play(load_scenario(SCENARIOS / f"{name}.yaml"), until=until)

    def begin(self, seat: str, process: str, answers: Mapping[str, Any]) -> int:
        """Report through the form."""
        self.reporter = self.person(seat)
        page = self.officials.at(self.reporter)
        page.get_by_role("link", name="報告・申請", exact=True).click()
        if not page.url.endswith(f"/{process}"):  # the way in leads to what is reported 直ちに
            if page.get_by_role("link", name="ほかの手続を始める").count():
                page.get_by_role("link", name="ほかの手続を始める").click()
            page.locator(f'a[href="/report/{process}"]').click()
        form = page.locator("form[data-draft]")
        fill_in(form, answers)
        form.locator(SEND).click()
        expect(page.get_by_role("heading", name="受け付けました")).to_be_visible()
        found = re.search(r"/cases/(\d+)/started$", page.url)
        assert found is not None, page.url
        return int(found[1])

    def handle(self, verb: str, seat: str, row: Any, answers: Mapping[str, Any], step: Mapping[str, Any]) -> None:
        """Open the step from the inbox, and complete it, take it, or send it back."""
        page = self.officials.at(self.person(seat))
        page.locator(f'.inbox-title[href="/tasks/{row["id"]}"]', has_text=row["name"]).click()
        expect(page.locator("h1")).to_have_text(row["name"])
        if verb == "claim":
            page.get_by_role("button", name="引き受ける").click()
            expect(page.locator(".alert-success")).to_contain_text("引き受けました")
        elif verb == "send_back":
            page.get_by_text("前の段階へ差し戻す").click()
            form = page.locator("#send-back form")
            if "to" in step:
                form.locator(f'input[value="{step["to"]}"], input[value$="/{step["to"]}"]').check()
            form.get_by_label("理由").fill(step["reason"])
            form.get_by_role("button", name="差し戻す").click()
            expect(page.locator(".alert-success")).to_contain_text("差し戻しました")
        else:
            form = page.locator("#task-form")
            pressed = answers_by_button(form)
            fill_in(form, {name: value for name, value in answers.items() if name not in pressed})
            press(form, answers)
            expect(page.locator(".alert-success")).to_contain_text("処理を完了しました")
            self.completed.append(row["name"])

    def do(self, verb: str, seat: str, case_id: int, answers: Mapping[str, Any], step: Mapping[str, Any]) -> None:
        """Do what the case's page offers at any time."""
        page = self.officials.at(self.person(seat), f"/cases/{case_id}")
        if verb == "act":
            page.locator(f'a[href="/cases/{case_id}/actions/{step["act"]}"]').click()
            form = page.locator("main form")
            fill_in(form, answers)
            form.locator(".button-row button").click()
            if page.locator("dialog[open]").count():
                page.locator("dialog[open] .button-danger").click()
            expect(page.locator(".alert-success")).to_contain_text("操作を記録しました")
        elif verb == "note":
            page.get_by_role("link", name="メモを残す").first.click()
            page.get_by_role("textbox", name="メモ").fill(step["note"])
            page.get_by_role("button", name="経過に追加する").click()
            expect(page.locator(".alert-success")).to_contain_text("メモを経過に追加しました")
        else:
            page.get_by_role("link", name="取り下げる").click()
            page.get_by_label("取り下げる理由").fill(step["withdraw"])
            page.locator("main form").get_by_role("button", name="取り下げる").click()
            page.locator("dialog[open] .button-danger").click()
            expect(page.locator(".alert-success")).to_contain_text("案件を取り下げました")

    def check(self, case_id: int, wanted: Mapping[str, Any]) -> None:
        """What the engine knows must be as told, and so must what the reporter's page of the case says."""
        super().check(case_id, wanted)
        if self._seen is not None:
            self._seen(self.officials.at(self.reporter, f"/cases/{case_id}"), wanted)

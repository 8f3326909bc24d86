"""The pages in a real browser: keyboard, no script, telephone, paper, drafts, double clicks, stale pages, accessibility, language, rights."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Locator, Page, expect

from engine import UnitChange, civil_day
from engine.model import task
from tests.browser.driver import (
    PASSWORD,
    ROOT,
    SCENARIOS,
    SEND,
    BrowserPlayer,
    BusyOffice,
    Officials,
    Player,
    Site,
    account,
    field_of,
    fill_in,
    load_scenario,
    sign_in,
)
from tests.conftest import missing

PageAt = Callable[..., Page]
AXE = ROOT / "webui" / "frontend" / "node_modules" / "axe-core" / "axe.min.js"

STAFF = account("staff@tokyo_enforcement")
MANAGER = account("protection_manager@tokyo_enforcement")
STRANGER = account("protection_manager@osaka_inspection")
GENERAL = account("general_protection_manager@isa")
DESK = account("commission_desk@isa")
ADMIN = account("administrator@isa")
REPORT = {"item_summary": "封筒の宛名を取り違えて送った。", "known_at": "2026-11-16T09:30", "owning_unit": "tokyo_enforcement"}
CONTAINED = {"containment_done": ["recall"], "containment_note": "送り先に電話し、封を開けずに返すよう頼んだ。"}


# ---------------------------------------------------------------- ways to go on


def report(officials: Officials, person: str = STAFF, **answers: Any) -> int:
    """Report an incident through the form; returns the case's id."""
    page = officials.at(person, "/report")
    form = page.locator("form[data-draft]")
    fill_in(form, {**REPORT, **answers})
    form.locator(SEND).click()
    expect(page.get_by_role("heading", name="受け付けました")).to_be_visible()
    return int(page.url.rsplit("/", 2)[1])


def task_of(site: Site, case: int, element: str) -> int:
    """The id of the first open task of a step."""
    with site.engine.reading() as connection:
        query = sa.select(task.c.id, task.c.node).where(task.c.case_id == case, task.c.state == "open").order_by(task.c.id)
        return next(int(row.id) for row in connection.execute(query) if row.node.rsplit("/", 1)[-1] == element)


def cases_of(site: Site, person: str) -> int:
    """How many cases the person reported."""
    return len(site.engine.cases(site.engine.viewer(person), mine=True)[0])


def second_manager(site: Site) -> str:
    """Another person in the manager's seat."""
    site.engine.register("second.manager", "isa", "保護管理者の代理", email=None, password_hash=None)
    with site.engine.writing() as connection:  # the same password, without making its hash again
        connection.execute(
            sa.text("UPDATE person SET password_hash = (SELECT password_hash FROM person WHERE id = :as) WHERE id = 'second.manager'"),
            {"as": MANAGER},
        )
    site.engine.appoint("second.manager", "protection_manager@tokyo_enforcement", since=civil_day(site.clock.now()))
    return "second.manager"


def tab_to(page: Page, target: Locator, most: int = 120) -> None:
    """Press Tab until the target has the focus, and see that the focus can be seen."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"Tab never came to {target}")


# ---------------------------------------------------------------- every page


def pages_of(site: Site, case: int) -> list[tuple[str, str]]:
    """(person, path) of every kind of page."""
    with site.engine.reading() as connection:
        query = sa.select(task.c.id, task.c.seat, task.c.state).where(task.c.case_id == case).order_by(task.c.id)
        tasks = [(row.id, account(row.seat), row.state) for row in connection.execute(query) if not row.seat.startswith("person:")]
    steps = [(person, f"/tasks/{id}") for id, person, state in tasks if state == "open"]
    steps += [(person, f"/tasks/{id}") for id, person, state in tasks if state != "open"][:1]
    steps += [(STAFF, f"/tasks/{tasks[0][0]}/why"), (MANAGER, "/referrals")]
    manager = site.engine.case(site.engine.viewer(MANAGER), case)
    actions = [(MANAGER, f"/cases/{case}/actions/{action.name}") for action in manager.actions]
    papers = [(GENERAL, f"/cases/{case}/papers/{paper.id}") for paper in site.engine.case(site.engine.viewer(GENERAL), case).papers]
    diagrams = [(GENERAL, f"/cases/{case}/diagram?path={path}") for path, _ in manager.diagrams]
    forms = [(MANAGER, f"/cases/{case}/{name}") for name in ("notes", "attachments", "merge", "consult", "circulate")]
    rest = (
        "/inbox",
        "/inbox?show=overdue",
        "/inbox?text=ない",
        "/register",
        "/notices",
        "/account",
        "/account/notices",
        "/help",
        f"/cases/{case}",
        "/nowhere",
    )
    return [
        ("", "/login"),
        (STAFF, "/report/isa_incident"),
        (STAFF, f"/cases/{case}/started"),
        (STAFF, "/my-reports"),
        (STAFF, f"/cases/{case}/withdraw"),
        *((MANAGER, path) for path in rest),
        (GENERAL, f"/cases/{case}"),
        (GENERAL, "/register"),
        *steps, *actions, *forms, *papers, *diagrams,
        (GENERAL, f"/cases/{case}/papers/notice_letter?index=0"),
        *((MANAGER, path) for path in ("/account/absences", "/account/absences/new", "/account/deputies/new", "/handovers")),
        *((ADMIN, path) for path in administration(site)),
    ]  # fmt: skip


def administration(site: Site) -> list[str]:
    """Every page about people and posts, one order among them."""
    orders, viewer = site.engine.orders, site.engine.viewer(ADMIN)
    later = civil_day(viewer.at) + timedelta(days=30)
    made = orders.reorganise(viewer, "名称の変更", later, [UnitChange("rename", ("tokyo_enforcement",), ("執行第一部門",))])
    people = [f"/admin/people/{MANAGER}{rest}" for rest in ("", "/change", "/end")]
    posts = ["/admin/units", "/admin/units/seat?seat=protection_manager@tokyo_enforcement", "/admin/vacancies", "/admin/stuck"]
    forms = ["/admin/people/new", "/admin/appoint", "/admin/absences/new", "/admin/deputies/new", "/admin/orders/new", "/admin/reorganise"]
    lists = ["/admin", "/admin/people?text=東京", "/admin/absences", "/admin/orders", "/admin/handovers", f"/admin/orders/{made}"]
    return [*people, *posts, *forms, *lists]


def each_page(site: Site, case: int, page_at: PageAt, width: int, **options: Any) -> Any:
    """Open every kind of page in turn, with what is folded unfolded; yields (path, page)."""
    officials = Officials(site, page_at, width, **options)
    for person, path in pages_of(site, case):
        if person:
            page = officials.at(person, path)
        else:
            page = officials.page("nobody")
            page.goto(site.address + path, wait_until="commit")
        page.locator("main h1").first.wait_for()
        if page.locator("[data-diagram]").count():
            page.locator("[data-diagram][data-ready=yes]").first.wait_for()
        page.locator("main").evaluate("main => main.querySelectorAll('details').forEach(one => { one.open = true })")
        yield path, page


#: What may be written in Latin letters on a page: the product, file formats, keys, units of size, and what the office's own data says.
LATIN = re.compile(
    r"Tadachi|iCalendar|Powered by bpmn.io|DV|PDF|JSON|CSV|UTF-8|シフトJIS|Excel|\.xlsx|SHA-256|\b[0-9a-f]{64}\b|利用者ID|部署のid|[KMG]B|R\d+-\d+|Tab|Shift|Enter|Ctrl|"
    r"[a-z0-9_.-]+\.(?:staff|protection_manager|[a-z_]+)\b"
)


#: All that is read on a page or read aloud.
WORDS = """() => [document.title, document.body.innerText,
    ...[...document.querySelectorAll('[aria-label], [title], [alt], [placeholder]')]
    .flatMap(one => ['aria-label', 'title', 'alt', 'placeholder'].map(name => one.getAttribute(name) ?? ''))].join('\\n')"""


@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_is_accessible_fits_and_speaks_japanese(busy: Site, busy_office: BusyOffice, page_at: PageAt, width: int) -> None:
    """どの画面も、axe-coreの違反が無く、横に動かさずに読め、見える文字・題名・読み上げの名前に英語や内部の名前が残っていない。"""
    if not AXE.is_file():
        missing("axe-core", "not in webui/frontend/node_modules (a development dependency of the front end)")
    program = AXE.read_text("utf-8")
    found: dict[str, list[Any]] = {}
    for path, page in each_page(busy, busy_office.case, page_at, width):
        page.evaluate(program)
        told = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        wrong: list[Any] = [(one["id"], [node["target"] for node in one["nodes"]][:4]) for one in told["violations"]]
        if (wide := page.evaluate("document.documentElement.scrollWidth")) > width:
            wrong.append(("wide", wide))
        wrong += sorted(set(re.findall(r"[A-Za-z][A-Za-z_]+", LATIN.sub("", page.evaluate(WORDS)))))
        if wrong:
            found[path] = wrong
    assert found == {}, found


def test_paper_shows_the_matter_only(busy: Site, busy_office: BusyOffice, page_at: PageAt) -> None:
    """印刷では、メニューもボタンも出ない。"""
    officials = Officials(busy, page_at)
    for path in (f"/cases/{busy_office.case}", f"/cases/{busy_office.case}/papers/commission_report", "/inbox"):
        page = officials.at(GENERAL, path)
        page.emulate_media(media="print")
        expect(page.locator("h1").first).to_be_visible()
        for hidden in ("header", "footer", ".skip-link", "main .button-row"):
            for place in page.locator(hidden).all():
                expect(place).to_be_hidden()
        assert len(page.pdf()) > 1_000
        page.emulate_media(media="screen")


# ---------------------------------------------------------------- the main path by other means


def test_the_main_path_by_keyboard_alone(site: Site, page_at: PageAt) -> None:
    """マウスに触れずに、ログインから完了まで進む。"""
    case = report(Officials(site, page_at))
    page = page_at(1280, site.address + "/login")
    page.keyboard.press("Tab")
    expect(page.locator(".skip-link")).to_be_focused()
    tab_to(page, page.get_by_label("利用者ID"))
    page.keyboard.type(MANAGER)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("受信箱")
    row = page.locator(f'a[href="/tasks/{task_of(site, case, "contain_at_once")}"]')
    tab_to(page, row)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("直ちにできる拡大防止")
    form = page.locator("#task-form")
    tab_to(page, field_of(form, "containment_done").locator("input[value=recall]"))
    page.keyboard.press("Space")
    tab_to(page, field_of(form, "containment_note").locator("textarea"))
    page.keyboard.type(CONTAINED["containment_note"])
    tab_to(page, form.locator(".decision button"))
    page.keyboard.press("Enter")
    expect(page.locator(".alert-success")).to_contain_text("処理を完了しました")
    # j and k walk the rows of a list, n opens the report
    page.goto(site.address + "/inbox")
    expect(page.locator("[data-item]").first).to_be_visible()
    page.keyboard.press("j")
    expect(page.locator("[data-item]").first).to_be_focused()
    page.keyboard.press("n")
    expect(page.locator("form[data-draft]")).to_be_visible()


def test_without_script(site: Site, page_at: PageAt) -> None:
    """スクリプトが動かない端末でも、報告、完了、いつでもできる操作ができる。"""
    player = BrowserPlayer(Officials(site, page_at, java_script_enabled=False))
    case = player.run("incident_r6-8", until="division")
    page = player.officials.at(player.reporter, f"/cases/{case}")
    expect(page.locator(".timeline-text", has_text="部課等へ重大な第一報").first).to_be_visible()


def test_rows_are_added_without_script(site: Site, page_at: PageAt) -> None:
    """表の行も、スクリプト無しで足せる。"""
    case = Player(site.engine, site.clock, "isa").play(load_scenario(SCENARIOS / "incident_r6-8.yaml"), until="prevention")
    manager = account("protection_manager@saitama")
    page = Officials(site, page_at, java_script_enabled=False).at(manager, f"/tasks/{task_of(site, case, 'analyse_by_manager')}")
    form = page.locator("#task-form")
    fill_in(form, {"item_cause": "手順が無かった。", "item_prevention": "手順を作る。"})
    field_of(form, "measures").get_by_role("button", name="行を追加").click()
    expect(form.locator("[data-row]")).not_to_have_count(1)
    expect(field_of(form, "item_cause").locator("textarea")).to_have_value("手順が無かった。")
    lines = form.locator("[data-row]")
    for number, text in enumerate(("受領簿", "保管箱")):
        lines.nth(number).locator('input[name$=".measure"]').fill(text)
    form.locator(".decision button").click()
    expect(page.locator(".alert-success")).to_contain_text("処理を完了しました")
    assert [row["measure"] for row in site.engine.case(site.engine.viewer(manager), case).raw_facts["measures"]] == ["受領簿", "保管箱"]


def test_wrong_entries_come_back_with_what_was_typed(site: Site, page_at: PageAt) -> None:
    """足りないところを名指しし、入力したものは消えない。"""
    page = Officials(site, page_at).at(STAFF, "/report")
    form = page.locator("form[data-draft]")
    fill_in(form, {**REPORT, "item_summary": "", "count": "何人か"})
    form.locator(SEND).click()
    summary = page.locator(".error-summary")
    expect(summary).to_be_focused()
    expect(summary).to_contain_text("「概要」")
    expect(field_of(form, "count").locator("input")).to_have_value("何人か")
    summary.get_by_role("link").first.click()
    expect(field_of(form, "item_summary").locator("textarea")).to_be_focused()
    assert cases_of(site, STAFF) == 0


# ---------------------------------------------------------------- what must not be lost, doubled or mixed up


def test_a_draft_survives_a_closed_browser(site: Site, page_at: PageAt) -> None:
    """ブラウザを閉じても、書きかけの報告が次に続けられる。ほかの人には見えない。"""
    page = Officials(site, page_at).at(STAFF, "/report")
    page.get_by_label("概要").fill("書きかけの報告")
    expect(page.locator("[data-draft-status]")).to_contain_text("下書きを保存しました")
    page.context.close()
    again = Officials(site, page_at).at(STAFF, "/report")
    expect(again.get_by_label("概要")).to_have_value("書きかけの報告")
    expect(again.locator(".alert-info")).to_contain_text("まだ報告されていません")
    other = Officials(site, page_at).at(STRANGER, "/report")
    expect(other.get_by_label("概要")).to_have_value("")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_a_double_click_makes_one_case(site: Site, page_at: PageAt, script: bool) -> None:
    """二度押しても、案件は一つ。"""
    page = Officials(site, page_at, java_script_enabled=script).at(STAFF, "/report")
    form = page.locator("form[data-draft]")
    fill_in(form, REPORT)
    form.locator(SEND).dblclick()
    expect(page.get_by_role("heading", name="受け付けました")).to_be_visible()
    assert cases_of(site, STAFF) == 1


def test_going_back_and_sending_again_makes_one_case(site: Site, page_at: PageAt) -> None:
    """受け付けた画面から戻って、もう一度送っても、案件は一つ。"""
    officials = Officials(site, page_at)
    page = officials.at(STAFF, "/report")
    form = page.locator("form[data-draft]")
    fill_in(form, REPORT)
    once = form.locator("input[name=_once]").input_value()
    form.locator(SEND).click()
    expect(page.get_by_role("heading", name="受け付けました")).to_be_visible()
    page.goto(site.address + "/report")
    fill_in(form, REPORT)
    form.locator("input[name=_once]").evaluate("(input, once) => { input.value = once }", once)
    form.locator(SEND).click()
    page.wait_for_load_state()
    assert cases_of(site, STAFF) == 1


def test_who_was_faster_is_told_and_nothing_typed_is_lost(site: Site, page_at: PageAt) -> None:
    """同じ処理を二人が開き、遅れた人には、誰がいつ行ったかと自分の入力が示される。"""
    second = second_manager(site)
    case = report(Officials(site, page_at))
    path = f"/tasks/{task_of(site, case, 'contain_at_once')}"
    slow, fast = Officials(site, page_at).at(second, path), Officials(site, page_at).at(MANAGER, path)
    fill_in(slow.locator("#task-form"), {**CONTAINED, "containment_note": "遅れた人の入力"})
    fill_in(fast.locator("#task-form"), CONTAINED)
    site.clock.advance(minutes=7)
    fast.locator("#task-form .decision button").click()
    expect(fast.locator(".alert-success")).to_be_visible()
    with slow.expect_response(lambda answer: answer.request.method == "POST" and answer.url.endswith(path)) as told:
        slow.locator("#task-form .decision button").click()
    assert told.value.status == 409
    expect(slow.locator("h1")).to_have_text("ほかの操作と重なりました")
    for text in ("東京出入国在留管理局警備部門 保護管理者", "10:07", "遅れた人の入力", "あなたの操作は記録されていません"):
        expect(slow.locator("main")).to_contain_text(text)


def test_a_case_that_went_on_does_not_stop_another_step(site: Site, page_at: PageAt) -> None:
    """開いている間に同じ案件の別の処理が進んでも、そのまま完了できる。"""
    second = second_manager(site)
    case = report(Officials(site, page_at))
    slow = Officials(site, page_at).at(second, f"/tasks/{task_of(site, case, 'assess_gravity')}")
    fill_in(slow.locator("#task-form"), {"grave": False, "grave_reason": "先に開いていた人の入力"})
    fast = Officials(site, page_at).at(MANAGER, f"/tasks/{task_of(site, case, 'contain_at_once')}")
    fill_in(fast.locator("#task-form"), CONTAINED)
    fast.locator("#task-form .decision button").click()
    expect(fast.locator(".alert-success")).to_be_visible()
    slow.locator("#task-form .decision button").click()
    expect(slow.locator(".alert-success")).to_contain_text("処理を完了しました")


# ---------------------------------------------------------------- rights


def test_the_wrong_seat_finds_nothing(busy: Site, busy_office: BusyOffice, page_at: PageAt) -> None:
    """ほかの部署の人には、案件も処理も書類も「見つかりません」。一覧の数にも入らない。"""
    page = Officials(busy, page_at).at(STRANGER)
    expect(page.locator(".inbox-row")).to_have_count(0)
    case = busy_office.case
    for path in (
        f"/tasks/{task_of(busy, case, 'investigate')}",
        f"/cases/{case}",
        f"/cases/{case}/diagram",
        f"/cases/{case}/papers/commission_report",
        f"/cases/{case}/notes",
    ):
        answer = page.goto(busy.address + path)
        assert answer is not None
        assert answer.status == 404
        expect(page.locator("h1")).to_have_text("見つかりません")
    page.goto(busy.address + "/register")
    expect(page.locator("main")).not_to_contain_text("外国公館")


def test_a_session_ends_with_the_logout(site: Site, page_at: PageAt) -> None:
    """ログアウトの後に戻っても、前の画面は見えない。"""
    case = report(Officials(site, page_at))
    page = Officials(site, page_at).at(STAFF, f"/cases/{case}")
    expect(page.locator("h1")).to_have_text(re.compile("封筒"))
    page.locator(".menu summary").click()
    page.get_by_role("button", name="ログアウト").click()
    expect(page.locator("h1")).to_have_text("ログイン")
    page.go_back()
    expect(page.locator("h1")).to_have_text("ログイン")
    expect(page.locator("body")).not_to_contain_text("封筒")


def test_what_was_typed_is_never_run(site: Site, page_at: PageAt, tmp_path: Path) -> None:
    """文字の欄に書かれた命令は、どの画面でも文字として出る。"""
    evil = """<script>window.hacked=1</script><img src=x onerror="window.hacked=2">'"</textarea>{{7*7}}"""
    officials = Officials(site, page_at)
    case = report(officials, item_summary=evil)
    page = officials.at(MANAGER, f"/tasks/{task_of(site, case, 'contain_at_once')}")
    form = page.locator("#task-form")
    form.get_by_text("ファイルを添付する").click()
    form.locator("input[type=file]").set_input_files(
        {"name": "<img src=x onerror=alert(1)>.txt", "mimeType": "text/plain", "buffer": b"evil"}
    )
    fill_in(form, {**CONTAINED, "containment_note": evil})
    form.locator(".decision button").click()
    expect(page.locator(".alert-success, .error-summary")).to_be_visible()
    if page.locator(".error-summary").count():  # the office does not take such a file: without it, then
        page.locator("#task-form .decision button").click()
        expect(page.locator(".alert-success")).to_be_visible()
    officials.at(MANAGER, f"/cases/{case}/notes").get_by_role("textbox", name="メモ").fill(evil)
    page.get_by_role("button", name="経過に追加する").click()
    expect(page.locator(".timeline-note", has_text="<script>")).to_be_visible()
    gravity = officials.at(MANAGER, f"/tasks/{task_of(site, case, 'assess_gravity')}")
    fill_in(gravity.locator("#task-form"), {"grave": False, "grave_reason": evil})
    gravity.locator("#task-form .decision button").first.click()
    expect(gravity.locator(".alert-success")).to_be_visible()
    paths = ["/inbox", "/register", "/notices", f"/cases/{case}", f"/cases/{case}/diagram", f"/cases/{case}/papers/division_report"]
    paths += [f"/tasks/{task_of(site, case, 'investigate')}", f"/inbox?text={evil}", f"/register?text={evil}", f"/inbox?show={evil}"]
    for path in paths:
        page = officials.at(MANAGER, path)
        page.locator("main h1").first.wait_for()
        assert page.evaluate("window.hacked") is None, path
        assert page.locator("main img[src=x]").count() == 0, path
    officials.at(STAFF, f"/cases/{case}")
    stranger = page_at(1280, site.address + "/login")
    sign_in_with = stranger.get_by_label("利用者ID")
    sign_in_with.fill(evil)
    stranger.get_by_label("パスワード").fill(evil)
    stranger.get_by_role("button", name="ログイン", exact=True).click()
    expect(stranger.locator(".error-summary")).to_be_visible()
    assert stranger.evaluate("window.hacked") is None
    sign_in(stranger, STAFF)

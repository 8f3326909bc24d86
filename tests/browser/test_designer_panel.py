"""What the designer's panel and tools do, each on a small drawing: properties, forms, reminders, calls, services, copying, colours, searching, paper."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.designer_page import PageAt, clean, control, findings, import_diagram, saved, shape
from tests.designing import Studio, make_studio, served
from tests.engine.drawing import boundary, catch, diagram, element, end, event_sub, exclusive, flows, message, start, sub, throw, timer
from tests.support import field, said, step


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """The small office served to a browser; every test begins a draft of its own."""
    with served(make_studio(tmp_path_factory.mktemp("panel"))) as made:
        yield made


ASKED = (field("ok", "よいか", "boolean", required=True), field("sort", "種類", "enum", "a=甲", "b=乙"))
SMALL = diagram(
    start("apply", said(*ASKED), name="申請"), step("check", "確認", "protection_manager@owning_unit"), end("done", name="済み"),
    flows("apply > check > done"), id="office_lending",
).decode()  # fmt: skip


def opened(studio: Studio, page_at: PageAt, text: str = SMALL, chosen: str = "") -> Page:
    """A diagram taken in, with an element chosen."""
    page = import_diagram(studio, page_at, text)
    clean(page)
    if chosen:
        choose(page, chosen)
    return page


def choose(page: Page, id: str) -> None:
    """Choose an element and look at its properties."""
    page.evaluate("(id) => designer.show(id)", id)
    page.locator("#tab-properties").click()


# ---------------------------------------------------------------- properties


def test_a_step_is_told_who_under_what_and_how_soon(studio: Studio, page_at: PageAt) -> None:
    """役と部署、条項とその文、緊急度とその催促、法定の期限、ボタンの文字、同じ人の制限が、選ぶだけで決まる。"""
    page = opened(studio, page_at, chosen="check")
    control(page, "seat-role").select_option(label="部課等保護管理者")
    control(page, "seat-where").select_option(label="報告した部署")
    control(page, "not_same_person_as").select_option(label="申請（apply）")
    control(page, "not_same_person_as-go").click()
    clause = control(page, "clause").locator("option", has_text="C-1")
    control(page, "clause").select_option(value=clause.get_attribute("value") or "")
    control(page, "clause-go").click()
    expect(page.locator("[data-key=clause] .pane-chosen")).to_contain_text("知らせてください。")
    control(page, "urgency").select_option(label="直ちに")
    expect(page.locator("[data-key=urgency]")).to_contain_text("1時間後に担当、3時間後に担当・一つ上の段へ催促します。")
    control(page, "deadline").select_option(label="報告")
    control(page, "button").fill("確かめた")
    text = saved(page, studio)["office/lending.bpmn"]
    assert 'camunda:candidateGroups="division_protection_manager@reporting_unit"' in text
    for name, value in (
        ("clause", "C-1"),
        ("urgency", "at_once"),
        ("deadline", "report"),
        ("button", "確かめた"),
        ("not_same_person_as", "apply"),
    ):
        assert f'name="{name}" value="{value}"' in text


def test_a_form_is_made_ordered_and_previewed(studio: Studio, page_at: PageAt) -> None:
    """入力項目を足し、並べ、種類・必須・選択肢・条件を決めると、本物の部品の見本にすぐ出る。見本の中でも条件が働く。"""
    page = opened(studio, page_at, chosen="check")
    for label in ("はい・いいえ", "選択（1つ）"):
        control(page, "form-add").select_option(label=label)
        control(page, "form-add-go").click()
    control(page, "field-0-label").fill("壊れているか")
    control(page, "field-0-id").fill("broken")
    control(page, "field-1-label").fill("どこが")
    control(page, "field-1-id").fill("part")
    control(page, "field-1-choice-0-name").fill("画面")
    control(page, "field-1-choice-add").click()
    control(page, "field-1-choice-2-name").fill("電源")
    control(page, "field-1-shown_when").fill("broken == true")
    control(page, "field-1-required").select_option(label="条件により必須")
    control(page, "field-1-required_when").fill("broken == true")
    control(page, "field-1-up").click()
    expect(control(page, "field-0-label")).to_have_value("どこが")
    page.locator(".pane-more summary", has_text="画面の見本").click()
    preview = page.locator(".pane-preview")
    hidden, asked = preview.locator("[data-field=part]"), preview.locator("[data-field=broken]")
    expect(hidden).to_be_hidden()
    asked.get_by_label("はい").check()
    expect(hidden).to_be_visible()
    expect(hidden).to_contain_text("電源")
    clean(page)
    text = saved(page, studio)["office/lending.bpmn"]
    assert text.index('id="part"') < text.index('id="broken"') and 'name="required_when" config="broken == true"' in text


def test_a_reminder_is_written_as_a_sentence(studio: Studio, page_at: PageAt) -> None:
    """「3開庁日後に催促」と書くと、処理の縁に時間が付き、担当への催促が描かれる。一度で元に戻る。"""
    page = opened(studio, page_at, chosen="check")
    control(page, "reminder").fill("3開庁日後")
    says = page.locator("[data-key=reminder] .pane-says")
    expect(says).to_contain_text("いつ・何をするか")
    control(page, "reminder").fill("３開庁日後に催促")
    expect(says).to_have_text("3開庁日後に、担当の部署の保護管理者へ催促します。")
    control(page, "reminder").press("Enter")
    expect(page.locator(".pane-chosen")).to_contain_text("3開庁日後：催促")
    clean(page)
    text = saved(page, studio)["office/lending.bpmn"]
    assert ">working_days(3)</bpmn:timeDuration>" in text and 'cancelActivity="false"' in text
    assert 'name="to" value="protection_manager@owning_unit"' in text and 'name="template" value="remind"' in text
    page.locator("[data-tool=undo]").click()
    expect(page.locator(".djs-shape[data-element-id=event_1]")).to_have_count(0)


def test_a_reminder_finds_room_on_the_page(studio: Studio, page_at: PageAt) -> None:
    """下に別の処理があれば、催促の分だけ下へずれる。元に戻せば元の位置に戻る。"""
    text = diagram(
        start("apply", said(*ASKED), name="申請"), exclusive("which", default="which_other"), step("check", "確認", "protection_manager@owning_unit"),
        step("other", "別の確認", "protection_manager@owning_unit"), end("done", name="済み"), end("over", name="別に済み"),
        flows("apply > which", "which > check : ok == true", "check > done", "which > other > over"), id="office_lending",
    ).decode()  # fmt: skip
    page = import_diagram(studio, page_at, text)
    places = "['check', 'other', 'done', 'over'].map((id) => designer.element(id)).map(({ x, y }) => [x, y])"
    before = page.evaluate(places)
    upper = "check" if before[0][1] < before[1][1] else "other"
    choose(page, upper)
    control(page, "reminder").fill("3開庁日後に催促")
    control(page, "reminder").press("Enter")
    expect(page.locator(".pane-chosen")).to_contain_text("3開庁日後：催促")
    over = """(() => {
      const all = designer.get('elementRegistry').filter((one) => /Task|Gateway|(Start|End)Event/.test(one.type) && one.type !== 'label');
      const over = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
      return all.flatMap((one, at) => all.slice(at + 1).filter((other) => over(one, other)).map((other) => [one.id, other.id]));
    })()"""
    assert page.evaluate(over) == []
    page.locator("[data-tool=undo]").click()
    assert page.evaluate(places) == before


def test_what_runs_by_itself_is_given_its_parameters(studio: Studio, page_at: PageAt) -> None:
    """自動処理は機能を選ぶと要るものが尋ねられ、呼び出す図は選ぶと下書きに入り、中を開ける。決定表も選べる。"""
    parts = [element("serviceTask", "do", name="自動処理"), element("callActivity", "called", name="呼出し", calledElement="")]
    text = diagram(
        start("apply", said(*ASKED, field("item_summary", "概要", "text", required=True)), name="申請"), *parts, end("done", name="済み"),
        flows("apply > do > called > done"), id="office_lending",
    )  # fmt: skip
    page = import_diagram(studio, page_at, text.decode().replace(' calledElement=""', ""))
    choose(page, "do")
    control(page, "topic").select_option(label="台帳に記入する")
    control(page, "ledger").select_option(index=1)
    expect(control(page, "state").locator("option")).not_to_have_count(1)
    control(page, "topic").select_option(label="知らせる（通知）")
    control(page, "to-add").click()
    control(page, "to-0-role").select_option(label="保護管理者")
    control(page, "template").select_option(label="お知らせがあります")
    choose(page, "called")
    control(page, "called").select_option(value="office_turns")
    expect(control(page, "call-open")).to_be_visible(timeout=30_000)
    files = saved(page, studio)
    assert (
        'name="to" value="protection_manager@owning_unit"' in files["office/lending.bpmn"] and "ledger" not in files["office/lending.bpmn"]
    )
    assert 'calledElement="office_turns"' in files["office/lending.bpmn"] and any(
        "office_turns" in name or "turns" in name for name in files
    )
    control(page, "call-open").click()
    expect(page.locator(".designer-files")).to_have_value(re.compile("turns"))
    expect(page.locator(".djs-shape[data-element-id=ask]")).to_be_visible()


def test_a_step_that_becomes_another_keeps_nothing_hidden(studio: Studio, page_at: PageAt) -> None:
    """種類を変えた処理に前の入力項目が残れば、そう示され、消せる。"""
    page = opened(studio, page_at, chosen="check")
    control(page, "form-add").select_option(label="数")
    control(page, "form-add-go").click()
    control(page, "change").click()
    page.locator(".djs-popup .entry", has_text="手作業").first.wait_for()
    page.locator(".djs-popup .entry", has_text="自動処理").click()
    control(page, "form-clear").click()
    expect(control(page, "form-clear")).to_have_count(0)
    assert "camunda:formData" not in page.evaluate("designer.written()").split("userTask")[-1].split("serviceTask")[-1]


# ---------------------------------------------------------------- tools


def test_a_step_is_copied_with_all_it_says(studio: Studio, page_at: PageAt) -> None:
    """コピーして貼り付けると、担当も入力項目も条項も写り、別の要素になる。キーでも、構成からでもできる。"""
    page = opened(studio, page_at, chosen="check")
    control(page, "form-add").select_option(label="数")
    control(page, "form-add-go").click()
    page.locator("[data-tool=copy]").click()
    page.locator("[data-tool=paste]").click()
    box = page.locator(".designer-stage").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 300, box["y"] + 300, steps=3)
    page.mouse.click(box["x"] + 300, box["y"] + 300)
    drawn = page.locator(".djs-shape[data-element-id^=step_]")
    expect(drawn).to_have_count(1)
    told = page.evaluate("(({ businessObject: one }) => [one.name, one.get('camunda:candidateGroups')])(designer.selected)")
    assert told == ["確認", "protection_manager@owning_unit"]
    assert page.evaluate("[designer.element('check'), designer.selected].map((one) => designer.model.form(one).length)") == [1, 1]
    page.locator("[data-tool=undo]").click()
    expect(drawn).to_have_count(0)
    shape(page, "check").click()
    page.keyboard.press("Control+c")
    page.keyboard.press("Control+v")
    page.mouse.move(box["x"] + 320, box["y"] + 300, steps=3)
    page.mouse.click(box["x"] + 320, box["y"] + 300)
    expect(drawn).to_have_count(1)
    page.keyboard.press("Control+z")
    expect(drawn).to_have_count(0)
    page.locator("#tab-outline").click()
    page.locator("[data-line=check]").click()
    control(page, "copy-check").click()
    control(page, "add-check").select_option(label="コピーした「確認」")
    control(page, "add-check-go").click()
    expect(page.locator("[data-line^=step_]")).to_be_focused()
    copy = page.evaluate("document.activeElement.dataset.line")
    assert page.evaluate("(ids) => ids.map((id) => designer.element(id).outgoing[0].target.id)", ["check", copy]) == [copy, "done"]
    clean(page)


def test_colours_search_and_the_small_map(studio: Studio, page_at: PageAt) -> None:
    """色はファイルに残り、名前で探して選べ、全体の縮図が開く。"""
    page = opened(studio, page_at)
    shape(page, "check").click()
    page.locator(".djs-context-pad [data-action=set-color]").click()
    page.locator(".djs-popup .entry[title=青], .djs-popup .entry[data-id=blue-color]").first.click()
    assert re.search(r'bpmnElement="check"[^>]*(bioc|color):', saved(page, studio)["office/lending.bpmn"])
    page.locator("[data-tool=search]").click()
    page.locator(".djs-search-input input").fill("済み")
    expect(page.locator(".djs-search-result")).to_have_count(1)
    page.keyboard.press("Enter")
    assert page.evaluate("designer.selected.id") == "done"
    page.locator("[data-tool=minimap]").click()
    expect(page.locator(".djs-minimap.open")).to_be_visible()


def test_the_drawing_is_printed_alone(studio: Studio, page_at: PageAt) -> None:
    """印刷すると、図だけが紙に入る大きさで出る。"""
    page = opened(studio, page_at)
    page.evaluate(
        """(() => { window.print = () => {
          window.printed = [document.querySelector('.designer-print').naturalWidth > 100, document.documentElement.className];
        }; })()"""
    )
    page.locator(".designer-out summary").click()
    page.get_by_role("button", name="印刷").click()
    page.wait_for_function("() => window.printed")
    assert page.evaluate("window.printed[0] && window.printed[1].includes('prints-drawing')")
    expect(page.locator(".designer-print")).to_have_count(0)


# ---------------------------------------------------------------- only what runs

#: What says that an element is of a kind that does not run; whatever else is missing, people fill in.
REFUSED = {
    "schema", "unsupported_element", "unsupported_event", "script_refused", "complex_gateway", "transaction", "ad_hoc", "compensation", "standard_loop",
    "multiple_event", "event_start", "data_store", "error_interrupts", "receive_instantiate", "element_unknown", "ignored_element", "ignored_extension",
}  # fmt: skip
OFFERED = """(() => {
  const menu = designer.get('popupMenu'), stack = designer.get('commandStack'), tried = [];
  const kind = ({ businessObject: one }) => [one.$type, one.eventDefinitions?.[0]?.$type, one.$parent?.triggeredByEvent, one.$parent?.$type].join();
  const all = designer.get('elementRegistry').filter((one) => one.type !== 'label' && one.parent);
  const elements = Object.values(Object.fromEntries(all.map((one) => [kind(one), one.id])));
  return (async () => {
    for (const id of elements) {
      const context = () => { try { return menu._getContext(designer.element(id), 'bpmn-replace'); } catch { return null; } };
      for (const name of Object.keys(context()?.entries ?? {}).concat(Object.keys(context()?.headerEntries ?? {}).map((one) => '*' + one))) {
        const { entries, headerEntries } = context();
        const entry = name.startsWith('*') ? headerEntries[name.slice(1)] : entries[name];
        const depth = stack._stackIdx;
        entry.action({ target: document.body }, entry);
        tried.push([`${id}: ${name}`, (await designer.drawing.saveXML({ format: true })).xml]);
        while (stack._stackIdx > depth) stack.undo();
      }
    }
    return tried;
  })();
})()"""


def test_nothing_is_offered_that_does_not_run(studio: Studio, page_at: PageAt) -> None:
    """道具箱と「種類を変える」に並ぶものは、どれも動く種類だけ。どれに変えても、動かない種類という指摘は出ない。"""
    kinds = [
        step("check", "確認", "protection_manager@owning_unit"),
        boundary("late", "check", timer("P1D")),
        exclusive("which", default="which_wait"),
    ]
    kinds += [
        catch("wait", timer("P1D")),
        throw("passed"),
        sub("part", start("in"), end("out"), flows("in > out")),
        element("callActivity", "call", calledElement="office_turns"),
    ]
    kinds += [event_sub("any", start("order", message("go")), end("did"), flows("order > did")), end("done"), end("over"), end("stopped")]
    text = diagram(
        start("apply"),
        *kinds,
        flows("apply > check > which > wait > passed > part > call > done", "which > over : true", "late > stopped"),
        id="office_lending",
    )
    page = import_diagram(studio, page_at, text.decode())
    page.locator(".djs-palette").wait_for()
    draft = int(page.url.rstrip("/").rpartition("/")[2])
    tried = page.evaluate(OFFERED)
    assert len(tried) > 60, [name for name, _ in tried]
    wrong = []
    for xml, name in {xml: name for name, xml in tried}.items():
        found = studio.engine.drafts.inspect(studio.viewer(), draft, {"office/lending.bpmn": xml})
        wrong += [(name, one.rule, one.element, one.message) for one in found.findings if one.rule in REFUSED]
    assert sorted({one[:2] for one in wrong}) == []


def test_a_drawing_opens_in_other_modellers(studio: Studio, page_at: PageAt) -> None:
    """書き出した図は、標準とcamundaの語彙だけで読め、読めない箇所も参照切れもない（Camunda Modelerと同じ読取り）。"""
    page = opened(studio, page_at, chosen="check")
    control(page, "reminder").fill("24時間後に知らせる")
    control(page, "reminder").press("Enter")
    control(page, "form-add").select_option(label="表（行を増やせる）")
    control(page, "form-add-go").click()
    page.locator("[data-tool=tidy]").click()
    read = (
        "designer.written().then((text) => designer.get('moddle').fromXML(text))"
        ".then(({ warnings, elementsById: all }) => [warnings.length, all.check.$type, all.check_di.bounds.width])"
    )
    assert page.evaluate(read) == [0, "bpmn:UserTask", 100]
    findings(page)


def test_what_another_tool_left_stays_until_it_is_taken_away(studio: Studio, page_at: PageAt) -> None:
    """ほかの道具の拡張は、要素の名前を変えても1バイトも変わらず、1つずつ消せる。"""
    odd = """<zeebe:formDefinition   formKey='k'/><acme:more a = "1"/><!-- kept -->"""
    text = SMALL.replace("xmlns:xsi=", 'xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" xmlns:acme="urn:acme" xmlns:xsi=', 1)
    page = import_diagram(studio, page_at, re.sub(r'(<bpmn:userTask id="check".*?)(</bpmn:extensionElements>)', rf"\1{odd}\2", text))
    expect(findings(page)).to_have_text("直すところが1件あります。", timeout=60_000)
    expect(page.locator(".finding.is-error")).to_contain_text("「formDefinition」は使えません")
    page.locator(".finding.is-error .finding-go").click()
    page.locator("#tab-properties").click()
    control(page, "name").fill("確かめる")
    assert odd in saved(page, studio)["office/lending.bpmn"]
    page.locator(".pane-group summary", has_text="そのほか").click()
    control(page, "foreign-0").click()
    expect(findings(page)).to_have_text(re.compile("^直すところはありません"), timeout=60_000)
    written = saved(page, studio)["office/lending.bpmn"]
    assert "formDefinition" not in written and '<acme:more a = "1"/>' in written


def test_what_cannot_be_read_is_named(studio: Studio, page_at: PageAt) -> None:
    """参照先のない要素は、1つずつ名指しされ、日本語で示される。"""
    page = import_diagram(studio, page_at, SMALL.replace('<bpmn:userTask id="check"', '<bpmn:userTask id="check" default="nowhere"'))
    expect(page.locator(".finding", has_text="「nowhere」を指していますが")).to_contain_text("確認")

"""The designer in a real browser: drawn with the mouse, with the keyboard alone, wrong on purpose; every shipped diagram opened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.designer_page import (
    PageAt,
    aside,
    clean,
    control,
    designing,
    findings,
    import_diagram,
    middle_of,
    new_procedure,
    pad,
    ready,
    shape,
    until,
)
from tests.designing import TWO, Studio, make_studio, served
from tests.engine.drawing import diagram, end, exclusive, flows, start
from tests.support import field, said, step


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """The small office served to a browser."""
    with served(make_studio(tmp_path)) as made:
        yield made


# ---------------------------------------------------------------- mouse


def test_a_small_process_is_drawn_from_nothing_with_the_mouse(studio: Studio, page_at: PageAt) -> None:
    """空の図から、マウスで処理・分かれ道・終了を描き、指摘がなくなるまで直す。保存され、すべての進み方が調べられる。"""
    page = new_procedure(studio, page_at)
    shape(page, "started").click()
    pad(page, "append.user-task").click()
    page.keyboard.type("貸出しの確認")
    aside(page)
    shape(page, "step_1").click()
    expect(control(page, "name")).to_have_value("貸出しの確認")
    control(page, "seat-role").select_option(label="保護管理者")
    control(page, "form-add").select_option(label="はい・いいえ")
    control(page, "form-add-go").click()
    control(page, "field-0-label").fill("貸せるか")
    control(page, "field-0-id").fill("lendable")
    control(page, "field-0-required").select_option(label="いつも必須")

    # From the palette onto the canvas, and connected by the arrow of the context pad.
    begin = page.locator('[data-action="create.exclusive-gateway"]').bounding_box()
    step_box = shape(page, "step_1").bounding_box()
    assert begin is not None
    assert step_box is not None
    x, y = step_box["x"] + step_box["width"] + 90, step_box["y"] + step_box["height"] / 2
    page.mouse.move(begin["x"] + 8, begin["y"] + 8)
    page.mouse.down()
    page.mouse.move(x - 60, y - 30, steps=5)
    page.mouse.move(x, y, steps=5)
    page.mouse.up()
    aside(page)
    shape(page, "step_1").click()
    pad(page, "connect").click()
    page.mouse.move(x - 4, y, steps=5)
    page.mouse.click(x, y)
    aside(page)
    shape(page, "gateway_1").click()
    control(page, "name").fill("貸せるか")
    pad(page, "append.end-event").click()
    page.keyboard.type("貸出し済み")
    aside(page)
    shape(page, "gateway_1").click()
    pad(page, "append.end-event").click()
    page.keyboard.type("断り")
    aside(page)
    shape(page, "gateway_1").click()
    control(page, "way-0-name").fill("はい")
    control(page, "way-0-condition").fill("lendable == true")
    control(page, "way-1-name").fill("いいえ")
    control(page, "way-1-default").check()
    clean(page)

    # Something dropped on a flow finds room there.
    task = page.locator('[data-action="create.user-task"]').bounding_box()
    assert task is not None
    x, y = middle_of(page, "flow_1")
    page.mouse.move(task["x"] + 8, task["y"] + 8)
    page.mouse.down()
    page.mouse.move(x - 40, y - 30, steps=5)
    page.mouse.move(x, y, steps=8)
    page.mouse.up()
    expect(page.locator(".djs-shape[data-element-id=step_2]")).to_be_visible()
    apart = "(() => { const [a, b] = ['step_1', 'step_2'].map((id) => designer.element(id)); return b.x + b.width < a.x || a.x + a.width < b.x; })()"
    assert page.evaluate(apart)
    page.locator("[data-tool=undo]").click()
    expect(page.locator(".djs-shape[data-element-id=step_2]")).to_have_count(0)
    clean(page)
    page.get_by_role("button", name="すべての進み方を調べる").click()
    expect(page.locator(".finding-progress")).to_contain_text("どの進み方でも終わりに達します", timeout=60_000)
    (draft,) = studio.engine.drafts.all(studio.viewer())
    saved = studio.engine.drafts.show(studio.viewer(), draft.id)
    assert "lendable == true" in saved.files["office/lending.bpmn"] and saved.draft.revision > 1
    assert studio.engine.drafts.inspect(studio.viewer(), draft.id).findings == ()


# ---------------------------------------------------------------- keyboard


def tab_to(page: Page, name: str, *, back: bool = False) -> None:
    """Press Tab until the input or button of this name has the focus."""
    for _ in range(120):
        if page.evaluate("document.activeElement?.dataset?.control ?? document.activeElement?.id") == name:
            return
        page.keyboard.press("Shift+Tab" if back else "Tab")
    raise AssertionError(f"{name} cannot be reached by keyboard")


def choose(page: Page, label: str) -> None:
    """Choose an option of the select that has the focus, with the arrow keys alone."""
    page.keyboard.press("Home")
    for _ in range(40):
        if page.evaluate("document.activeElement.selectedOptions[0].textContent") == label:
            return
        page.keyboard.press("ArrowDown")
    raise AssertionError(label)


def test_a_small_process_is_drawn_with_the_keyboard_alone(studio: Studio, page_at: PageAt) -> None:
    """構成の画面だけで、キーボードだけを使い、処理と分かれ道と終了を描いて、指摘をなくす。"""
    page = new_procedure(studio, page_at)
    page.locator(".skip-link").focus()
    page.keyboard.press("Enter")
    tab_to(page, "tab-properties")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="構成")).to_be_focused()
    tab_to(page, "line-started")
    page.keyboard.press("Enter")
    tab_to(page, "add-started")
    choose(page, "人の処理")
    tab_to(page, "add-started-go")
    page.keyboard.press("Enter")
    expect(page.locator("[data-control=line-step_1]")).to_be_focused()
    tab_to(page, "name")
    page.keyboard.type("貸出しの確認")
    tab_to(page, "seat-role")
    choose(page, "保護管理者")
    tab_to(page, "form-add")
    choose(page, "選択（1つ）")
    tab_to(page, "form-add-go")
    page.keyboard.press("Enter")
    tab_to(page, "field-0-label")
    page.keyboard.press("Control+a")
    page.keyboard.type("決定")
    tab_to(page, "field-0-id")
    page.keyboard.press("Control+a")
    page.keyboard.type("verdict")
    tab_to(page, "field-0-required")
    choose(page, "いつも必須")
    tab_to(page, "line-step_1", back=True)
    expect(page.locator("[data-control=line-step_1] .outline-name")).to_have_text("貸出しの確認")
    for kind, made in (("どれか1つに分ける", "gateway_1"), ("終了", "end_1")):
        tab_to(page, f"add-{'step_1' if made == 'gateway_1' else 'gateway_1'}")
        choose(page, kind)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator(f"[data-control=line-{made}]")).to_be_focused()
        tab_to(page, "name")
        page.keyboard.type({"gateway_1": "貸すか", "end_1": "貸出し済み"}[made])
        tab_to(page, f"line-{made}", back=True)
        if made == "end_1":
            page.keyboard.press("Enter")  # closes it
            tab_to(page, "line-gateway_1", back=True)
            page.keyboard.press("Enter")
    tab_to(page, "add-gateway_1")
    choose(page, "終了")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("[data-control=line-end_2]")).to_be_focused()
    tab_to(page, "name")
    page.keyboard.type("断り")
    tab_to(page, "line-end_2", back=True)
    page.keyboard.press("Enter")
    tab_to(page, "line-gateway_1", back=True)
    page.keyboard.press("Enter")
    tab_to(page, "way-0-name")
    page.keyboard.type("貸す")
    tab_to(page, "way-0-condition")
    page.keyboard.type("ver")
    expect(page.locator(".pane-completions:visible li").first).to_contain_text("verdict")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.type(" == ")
    expect(page.locator(".pane-completions:visible li").first).to_contain_text("選択肢1")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("[data-control=way-0-condition]")).to_have_value('verdict == "a"')
    tab_to(page, "way-1-name")
    page.keyboard.type("貸さない")
    tab_to(page, "way-1-default")
    page.keyboard.press("Space")
    # Moved, taken away, brought back.
    tab_to(page, "line-step_1", back=True)
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-control=line-gateway_1]")).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.press("Delete")
    expect(page.locator("[data-line=end_2]")).to_have_count(0)
    page.keyboard.press("Control+z")
    expect(page.locator("[data-line=end_2]")).to_have_count(1)
    tab_to(page, "tab-outline", back=True)
    page.keyboard.press("ArrowRight")
    expect(page.locator(".finding-state")).to_have_text("直すところはありません。", timeout=60_000)
    inside = """(() => {
      const lane = designer.element('lane_1'), steps = ['started', 'step_1', 'gateway_1', 'end_1', 'end_2'].map((id) => designer.element(id));
      const over = (a, b) => a !== b && a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
      return steps.every((one) => one.x >= lane.x && one.x + one.width <= lane.x + lane.width && one.y >= lane.y && one.y + one.height <= lane.y + lane.height
        && !steps.some((other) => over(one, other)));
    })()"""
    assert page.evaluate(inside), "the layout holds without the mouse"


def test_steps_are_reordered_and_led_elsewhere_in_the_outline(studio: Studio, page_at: PageAt) -> None:
    """順番の入れ替え、行き先の変更、途中の期限の追加も、構成の画面から、図の配置を保って行える。"""
    parts = [start("s", name="開始")]
    parts += [step(one, name, "protection_manager@owning_unit") for one, name in (("a", "甲"), ("b", "乙"), ("c", "丙"))]
    page = import_diagram(studio, page_at, diagram(*parts, end("e", name="完了"), flows("s > a > b > c > e"), id="office_lending").decode())
    page.get_by_role("tab", name="構成").click()
    order = "[...document.querySelectorAll('.outline-line.is-node > [data-line]')].map((one) => one.dataset.line).join(' ')"
    assert page.evaluate(order) == "s a b c e"
    page.locator("[data-line=b]").focus()
    page.keyboard.press("Alt+ArrowDown")
    expect(page.locator("[data-line=b]")).to_be_focused()
    assert page.evaluate(order) == "s a c b e"
    assert page.evaluate("designer.element('c').x < designer.element('b').x")
    control(page, "boundary-b").select_option(label="時間がたったとき（続ける）")
    control(page, "boundary-b-go").click()
    control(page, "timer-sentence").fill("3日後")
    expect(page.locator(".pane-says code").first).to_have_text("P3D")
    control(page, "add-event_1").select_option(label="終了")
    control(page, "add-event_1-go").click()
    control(page, "name").fill("知らせた")
    clean(page)
    written = page.evaluate("designer.written()")
    assert ">P3D</bpmn:timeDuration>" in written and 'cancelActivity="false"' in written
    while page.locator("[data-tool=undo]").is_enabled():
        page.locator("[data-tool=undo]").click()
    page.get_by_role("tab", name="構成").click()
    assert page.evaluate(order) == "s a b c e"


# ---------------------------------------------------------------- wrong on purpose


SOUND = diagram(
    start("apply", said(field("ok", "よいか", "boolean", required=True)), name="申請"), exclusive("which", default="which_b"),
    step("a", "甲", "protection_manager@owning_unit"), step("b", "乙", "protection_manager@owning_unit"), exclusive("join"), end("done", name="済み"),
    flows("apply > which > b > join > done", "which > a : ok == true", "a > join"), id="office_lending",
).decode()  # fmt: skip


def test_a_deadlock_drawn_on_purpose_is_found_and_its_run_played(studio: Studio, page_at: PageAt) -> None:
    """合流の種類を取り違えると、5秒後に自動で見つかり、そこへ至る動きが図の上で再生できる。直すと消える。"""
    page = import_diagram(studio, page_at, SOUND)
    clean(page)
    page.evaluate("designer.show('join')")
    page.get_by_role("tab", name="内容").click()
    control(page, "change").click()
    page.locator(".djs-popup .entry", has_text="並列").click()
    findings(page)
    found = page.locator(".finding", has_text="進まなくなります")
    expect(found).to_be_visible(timeout=60_000)
    expect(page.locator(".djs-shape[data-element-id=join].has-error")).to_be_visible()
    found.get_by_role("button", name="この動きを再生").click()
    told = page.locator(".replay-text")
    expect(told).to_contain_text("1／2")
    expect(page.locator(".djs-shape.is-resting")).to_have_count(1)
    page.locator("[data-replay=next]").click()
    expect(told).to_contain_text("いまは「join」で待っています")
    expect(page.locator(".djs-shape[data-element-id=join].is-resting")).to_be_visible()
    page.locator("[data-replay=close]").click()
    expect(page.locator(".djs-shape.is-resting, .djs-shape.is-passed")).to_have_count(0)
    found.get_by_role("button", name=re.compile("の説明")).first.click()
    expect(page.locator(".finding-rule")).to_contain_text("なぜ")
    page.locator("[data-tool=undo]").click()
    expect(found).to_have_count(0)
    page.get_by_role("button", name="すべての進み方を調べる").click()
    expect(page.locator(".finding-progress")).to_contain_text("どの進み方でも終わりに達します", timeout=60_000)


def test_a_proof_is_cancelled_and_stops_when_the_drawing_goes_on(studio: Studio, page_at: PageAt) -> None:
    """調べている間も描け、描くと検査は止まる。"""
    page = import_diagram(studio, page_at, SOUND)
    clean(page)
    page.get_by_role("button", name="すべての進み方を調べる").click()
    page.evaluate("designer.model.set(designer.element('a'), { name: '甲の二' })")
    expect(page.locator(".finding-progress")).not_to_contain_text("調べています")

    def stopped() -> bool:
        newest = studio.engine.proofs.newest(studio.viewer(), 1)
        return newest is None or newest.state in ("cancelled", "done")

    until(page, stopped)


def test_a_condition_with_a_typo_is_marked_while_typing(studio: Studio, page_at: PageAt) -> None:
    """条件の書き間違いは、打っている間に、場所と、近い名前とともに示される。"""
    page = import_diagram(
        studio, page_at, SOUND.replace('id="ok"', 'id="approved_by_head"').replace("ok == true", "approved_by_head == true")
    )
    page.evaluate("designer.show('which')")
    place = control(page, "way-1-condition")
    expect(place).to_have_value("approved_by_head == true")
    place.press("Control+a")
    place.press_sequentially("aproved_by_head == true")
    says = page.locator("[data-key=way-1-condition] .pane-says")
    expect(says).to_contain_text("「approved_by_head」の間違いですか")
    expect(says.locator("mark")).to_have_text("aproved_by_head")
    expect(place).to_have_attribute("aria-invalid", "true")
    place.press("Control+a")
    place.press_sequentially("approved_by_head == ")
    expect(says).to_contain_text("読めません")
    place.press("Control+a")
    place.press_sequentially("approved_by_head == true")
    expect(says).to_contain_text("読む項目：よいか（approved_by_head）")
    expect(place).not_to_have_attribute("aria-invalid", "true")
    clean(page)


# ---------------------------------------------------------------- nothing is lost


def test_two_windows_lose_nothing(studio: Studio, page_at: PageAt) -> None:
    """同じ下書きを2つの画面で描くと、遅れた方に両方が示され、自分の図を別の下書きに残せる。"""
    first = import_diagram(studio, page_at, SOUND)
    expect(first.locator("[data-saved]")).to_contain_text("保存しました")  # with the shapes it was given
    second = designing(studio, page_at, first.url.removeprefix(studio.address))
    ready(second)
    for page, name in ((first, "先に変えた名前"), (second, "後から変えた名前")):
        page.evaluate("(name) => designer.model.set(designer.element('a'), { name })", name)
        if page is first:
            expect(page.locator("[data-saved]")).to_contain_text("保存しました")
    dialog = second.get_by_role("dialog")
    expect(dialog).to_contain_text("設計の担当")
    dialog.get_by_role("button", name="別の下書きに残す").click()
    second.wait_for_url(lambda url: url != first.url)
    ready(second)
    assert "後から変えた名前" in second.evaluate("designer.written()")
    mine, theirs = studio.engine.drafts.all(studio.viewer())[:2]
    texts = {one.id: "".join(studio.engine.drafts.show(studio.viewer(), one.id).files.values()) for one in (mine, theirs)}
    assert sum("後から変えた名前" in text for text in texts.values()) == 1 and sum("先に変えた名前" in text for text in texts.values()) == 1


def test_one_draws_and_the_other_looks(studio: Studio, page_at: PageAt) -> None:
    """ほかの人が開いている図は、見るだけ。選ぶと内容は読めるが、変えられない。"""
    import_diagram(studio, page_at, SOUND)
    page = designing(studio, page_at, "/designer/1", TWO)
    ready(page)
    expect(page.locator("[data-held]")).to_contain_text("設計の担当")
    expect(page.locator(".djs-palette")).to_have_count(0)
    page.route("**/files.json", lambda route: route.fulfill(json={**route.fetch().json(), "files": {"office/lending.bpmn": SOUND}}))
    page.reload()
    ready(page)  # as it was before anybody had given it shapes: it has some here, and nothing is written
    assert page.evaluate("designer.written()") == SOUND
    shape(page, "a").click()
    expect(control(page, "name")).to_be_disabled()
    page.get_by_role("tab", name="構成").click()  # open at what was chosen
    expect(control(page, "remove-a")).to_be_disabled()


def test_what_was_not_touched_stays_byte_for_byte(studio: Studio, page_at: PageAt) -> None:
    """ほかの道具の拡張・注釈・空白は、触れていない要素ではそのまま残る。"""
    odd = """<acme:thing  a = "1"   b='2'><![CDATA[ some <raw> ]]><!-- kept --></acme:thing>"""
    text = SOUND.replace('<bpmn:process id="office_lending"', '<!-- by hand -->\n\n<bpmn:process  id="office_lending"')
    text = text.replace("xmlns:xsi=", "xmlns:acme='urn:acme'\n   xmlns:xsi=", 1)
    text = re.sub(r'(<bpmn:userTask id="b"[^>]*>)(<bpmn:extensionElements>)', rf"\1\2{odd}", text)
    assert odd in text
    page = import_diagram(studio, page_at, text)
    page.evaluate("designer.model.set(designer.element('a'), { name: '甲の二' })")
    expect(page.locator("[data-saved]")).to_contain_text("保存しました")
    (draft,) = studio.engine.drafts.all(studio.viewer())
    saved = studio.engine.drafts.show(studio.viewer(), draft.id).files["office/lending.bpmn"]
    assert odd in saved and "<!-- by hand -->\n\n<bpmn:process  id=" in saved and 'name="甲の二"' in saved
    before = re.search(r'<bpmn:userTask id="b".*?</bpmn:userTask>', text, re.DOTALL)
    assert before is not None and before[0] in saved
    drawing = saved.index("<bpmndi:BPMNDiagram")
    assert saved[:drawing].count("\n") <= text.count("\n") + 2, "nothing was written anew but what was changed"

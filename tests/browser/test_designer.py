"""The designer in a real browser: drawn with the mouse, with the keyboard alone, wrong on purpose; every shipped diagram opened."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.driver import sign_in
from tests.browser.test_pages import AXE
from tests.conftest import missing
from tests.designing import ONE, PASSWORD, TWO, Studio, make_studio, served
from tests.engine.drawing import diagram, end, exclusive, flows, start
from tests.support import ROOT, field, said, step

PageAt = Callable[..., Page]


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """The small office served to a browser."""
    with served(make_studio(tmp_path)) as made:
        yield made


def designing(studio: Studio, page_at: PageAt, path: str = "/designer", person: str = ONE, **options: Any) -> Page:
    """A page of the designer, signed in."""
    page = page_at(1280, studio.address + "/login", **options)
    sign_in(page, person, PASSWORD)
    page.goto(studio.address + path)
    return page


def ready(page: Page) -> Page:
    """The editor, once it is there."""
    expect(page.locator("#designer")).to_have_attribute("data-ready", "yes", timeout=60_000)
    return page


def new_procedure(studio: Studio, page_at: PageAt, title: str = "備品の貸出し", name: str = "lending") -> Page:
    """An empty diagram, begun through the page."""
    page = designing(studio, page_at)
    page.get_by_label("手続の名前").fill(title)
    page.get_by_label("図の名前（英字）").fill(name)
    page.get_by_role("button", name="空の図から始める").click()
    return ready(page)


def shape(page: Page, id: str) -> Locator:
    """The drawing of an element."""
    return page.locator(f'.djs-shape[data-element-id="{id}"]').first


def pad(page: Page, action: str) -> Locator:
    """A button of the context pad."""
    return page.locator(f'.djs-context-pad [data-action="{action}"]')


def control(page: Page, name: str) -> Locator:
    """An input of the panel that is open."""
    return page.locator(f'.designer-panel:not([hidden]) [data-control="{name}"]')


def findings(page: Page) -> Locator:
    """The state of the findings."""
    page.get_by_role("tab", name=re.compile("指摘")).click()
    return page.locator(".finding-state")


def clean(page: Page) -> None:
    """No finding is left."""
    expect(findings(page)).to_have_text("直すところはありません。", timeout=60_000)


def aside(page: Page) -> None:
    """Click where nothing is drawn, until nothing is selected: what was typed into a name is taken. (The click that ends a drag is trapped.)"""
    for _ in range(10):
        page.locator(".designer-stage").click(position={"x": 600, "y": 8})
        if page.evaluate("designer.get('selection').get().length === 0 && !designer.get('directEditing').isActive()"):
            return
    raise AssertionError("something stays selected")


def middle_of(page: Page, flow: str) -> tuple[float, float]:
    """The middle of a flow's first line, on the screen."""
    script = """(id) => {
      const flow = designer.element(id), canvas = designer.get('canvas'), box = canvas.viewbox(), frame = canvas.getContainer().getBoundingClientRect();
      const [a, b] = flow.waypoints;
      return [frame.left + ((a.x + b.x) / 2 - box.x) * box.scale, frame.top + ((a.y + b.y) / 2 - box.y) * box.scale];
    }"""
    x, y = page.evaluate(script, flow)
    return x, y


def import_diagram(studio: Studio, page_at: PageAt, text: str, name: str = "lending.bpmn") -> Page:
    """A diagram of another tool, taken in through the page."""
    page = designing(studio, page_at)
    page.locator("input[type=file]").set_input_files({"name": name, "mimeType": "application/xml", "buffer": text.encode()})
    page.get_by_role("button", name="取り込む").click()
    return ready(page)


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
    page.locator(".djs-popup-search input").fill("並列")
    page.locator(".djs-popup .entry", has_text="並列").click()
    findings(page)
    found = page.locator(".finding", has_text="進まなくなります")
    expect(found).to_be_visible(timeout=60_000)
    expect(page.locator(".djs-shape[data-element-id=join].has-error")).to_be_visible()
    found.get_by_role("button", name="この動きを再生").click()
    told = page.locator(".replay-text")
    expect(told).to_contain_text("1／3")
    expect(page.locator(".djs-shape.is-resting")).to_have_count(1)
    page.locator("[data-replay=next]").click()
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
    assert studio.engine.proofs.newest(studio.viewer(), studio.engine.drafts.all(studio.viewer())[0].id).state in ("cancelled", "done")  # type: ignore[union-attr]


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
    shape(page, "a").click()
    expect(control(page, "name")).to_be_disabled()
    page.get_by_role("tab", name="構成").click()
    page.locator("[data-line=a]").click()
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


# ---------------------------------------------------------------- shipped diagrams


@pytest.fixture(scope="module")
def agency(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """The agency's own diagrams."""
    with served(make_studio(tmp_path_factory.mktemp("agency"), isa=True)) as made:
        yield made


def test_every_shipped_diagram_opens_and_is_saved_as_it_was(agency: Studio, page_at: PageAt) -> None:
    """出荷の図は、すべて警告なく開き、触らなければ1バイトも変わらない。整列しても元に戻せる。"""
    seen = set()
    for procedure in agency.engine.drafts.procedures(agency.viewer()):
        made = agency.engine.drafts.begin(agency.viewer(), procedure.process_id)
        page = designing(agency, page_at, f"/designer/{made}")
        ready(page)
        clean(page)
        for file in page.evaluate("designer.diagrams"):
            if file in seen:
                continue
            seen.add(file)
            page.locator(".designer-files").select_option(file)
            page.wait_for_function("(file) => designer.file === file && !designer.opening", arg=file)
            assert page.evaluate("[designer.broken, designer.warnings.length, designer.completed]") == [None, 0, 0], file
            assert page.evaluate("designer.written().then((text) => text === designer.original)"), file
            page.locator("[data-tool=tidy]").click()
            assert page.evaluate(OVERLAPS) == [], file
            page.locator("[data-tool=undo]").click()
            assert page.evaluate("designer.written().then((text) => text === designer.original)"), file
        page.context.close()
    shipped = {f"{path.parent.name}/{path.name}" for path in (ROOT / "bpmn").glob("*/*.bpmn") if path.parent.name in ("isa", "common")}
    assert shipped - seen == set()


#: After 整列: pairs of shapes, or of labels, that lie over each other, and shapes outside their lane.
OVERLAPS = """(() => {
  const all = designer.get('elementRegistry').getAll();
  const shapes = all.filter((one) => !one.waypoints && one.type !== 'label' && !/Participant|Lane|Collaboration|Process|SubProcess|Boundary|Group/.test(one.type));
  const labels = all.filter((one) => one.type === 'label' && one.width);
  const over = (a, b) => a.x < b.x + b.width - 1 && b.x < a.x + a.width - 1 && a.y < b.y + b.height - 1 && b.y < a.y + a.height - 1;
  const found = [];
  for (const list of [shapes, labels]) list.forEach((one, at) => list.slice(at + 1).forEach((other) => over(one, other) && found.push([one.id, other.id])));
  for (const lane of all.filter((one) => one.type === 'bpmn:Lane'))
    for (const node of lane.businessObject.flowNodeRef ?? []) {
      const shape = designer.element(node.id);
      if (shape && (shape.y < lane.y || shape.y + shape.height > lane.y + lane.height)) found.push([lane.id, node.id]);
    }
  return found;
})()"""


def test_every_shipped_table_opens_and_is_saved_as_it_was(agency: Studio, page_at: PageAt) -> None:
    """出荷の決定表も、すべて開き、触らなければ変わらない。セルを変えると保存される。"""
    made = agency.engine.drafts.begin(agency.viewer(), "isa_incident")
    files = agency.engine.drafts.show(agency.viewer(), made).files
    for file in (name for name in files if name.endswith(".dmn")):
        page = designing(agency, page_at, f"/designer/{made}/tables/{file}")
        expect(page.locator("#designer-tables")).to_have_attribute("data-ready", "yes", timeout=60_000)
        assert page.evaluate("designer.written().then((text) => text === designer.original)"), file
        expect(page.locator(".tables-findings")).to_contain_text("直すところはありません。")
        for place in range(page.locator(".designer-files option").count()):
            page.locator(".designer-files").select_option(index=place)
            page.wait_for_timeout(50)
            assert english(page, "#designer-tables") == []
        page.locator(".designer-files").select_option(index=1)
        cell = page.locator("td.input-cell .content-editable, td.input-cell [contenteditable]").first
        if file.endswith("gravity.dmn"):
            cell.click()
            page.keyboard.press("Control+a")
            page.keyboard.type('"no"')
            expect(page.locator("[data-saved]")).to_contain_text("保存しました")
            assert '"no"' in agency.engine.drafts.show(agency.viewer(), made).files[file]
        page.context.close()


# ---------------------------------------------------------------- words


#: What may stand in Latin letters: names of formats and keys, and what people wrote themselves.
LATIN = re.compile(
    r"BPMN(?:\.iO)?|SVG|PNG|PDF|ISO|Ctrl|Alt|Delete|Tadachi|ID|rules\.toml|COLLECT|UNIQUE|FIRST|ANY|RULE ORDER|now|PT?\d+[DHM]|AND|isa|ISA-[\w-]+|[A-Z]+(?:-[\w]+)+"
)
TEXTS = """(where) => {
  const found = [];
  const root = document.querySelector(where);
  const skip = 'code, script, style, textarea, input, .designer-files, [contenteditable], .content-editable, .djs-element text, .outline-words code, .small.muted code, .definitions, .bjs-powered-by, .dmn-definitions';
  const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node; (node = walk.nextNode()); ) if (!node.parentElement.closest(skip) && node.data.trim()) found.push(node.data.trim());
  for (const one of root.querySelectorAll('[title], [aria-label], [placeholder]')) {
    if (one.closest('.djs-element, .bjs-powered-by')) continue;
    for (const name of ['title', 'aria-label', 'placeholder']) if (one.getAttribute(name)) found.push(one.getAttribute(name));
  }
  return found;
}"""


def english(page: Page, where: str = "body") -> list[str]:
    """Words in Latin letters that no table of ours made Japanese; ids and expressions are what people wrote."""
    ids = (
        set(page.evaluate("window.designer?.get ? designer.get('elementRegistry').getAll().map((one) => one.id) : []"))
        if where == "body"
        else set()
    )
    found = []
    for text in page.evaluate(TEXTS, where):
        rest = LATIN.sub("", text)
        for word in re.findall(r"[A-Za-z][A-Za-z_'.]{2,}", rest):
            if word not in ids and "_" not in word and "/" not in text and not re.search(rf"（[^）]*{re.escape(word)}[^）]*）", text):
                found.append(f"{word}: {text[:80]}")
    return found


def test_every_word_is_japanese(agency: Studio, page_at: PageAt) -> None:
    """どの道具・一覧・欄を開いても、英語の言葉が出ない。"""
    made = agency.engine.drafts.begin(agency.viewer(), "isa_incident")
    page = designing(agency, page_at, f"/designer/{made}")
    ready(page)
    assert english(page) == []
    kinds = "Object.values(Object.fromEntries(designer.get('elementRegistry').filter((one) => one.type !== 'label').map((one) => [one.type + (one.businessObject.eventDefinitions?.[0]?.$type ?? ''), one.id])))"
    for id in page.evaluate(kinds):
        page.evaluate("(id) => designer.get('selection').select(designer.element(id))", id)
        for tab in ("内容", "構成"):
            page.get_by_role("tab", name=tab).click()
            page.wait_for_timeout(30)
            assert english(page) == [], id
        for kind in ("bpmn-replace", "color-picker"):
            opened = page.evaluate(
                "([id, kind]) => { const one = designer.element(id), menu = designer.get('popupMenu'); if (menu.isEmpty(one, kind)) return false; menu.open(one, kind, { x: 300, y: 200, cursor: { x: 300, y: 200 } }, { title: '種類を変える', search: true }); return true; }",
                [id, kind],
            )
            if opened:
                page.wait_for_timeout(30)
                assert english(page) == [], (id, kind)
                page.evaluate("designer.get('popupMenu').close()")
    page.evaluate(
        "designer.get('selection').select(['investigate', 'assess_gravity', 'contain_further'].map((id) => designer.element(id)))"
    )
    page.wait_for_timeout(100)
    assert english(page) == []
    page.locator(".djs-context-pad [data-action=align-elements], .djs-context-pad [data-action]").first.click()
    page.wait_for_timeout(100)
    assert english(page) == []
    page.keyboard.press("Escape")
    for tool in ("search", "minimap"):
        page.locator(f"[data-tool={tool}]").click()
        page.wait_for_timeout(50)
        assert english(page) == [], tool
    page.locator(".designer-out summary").click()
    page.locator(".designer-about summary").click()
    assert english(page) == []
    assert page.evaluate("[...designer.missed]") == []


# ---------------------------------------------------------------- out of the house, and for everybody


def test_the_drawing_is_taken_out(agency: Studio, page_at: PageAt) -> None:
    """図は、BPMN・SVG・PNGとして取り出せる。"""
    made = agency.engine.drafts.begin(agency.viewer(), "isa_incident")
    page = designing(agency, page_at, f"/designer/{made}", accept_downloads=True)
    ready(page)
    for label, begins in (("BPMN（この図）", b"<?xml"), ("SVG（絵）", b"<?xml"), ("PNG（絵）", b"\x89PNG")):
        page.locator(".designer-out summary").click()
        with page.expect_download() as taken:
            page.get_by_role("button", name=label).click()
        data = Path(taken.value.path()).read_bytes()
        assert data.startswith(begins) and len(data) > 10_000
        if label.startswith("BPMN"):
            assert data == (ROOT / "bpmn" / "isa" / "incident.bpmn").read_bytes()


def test_axe_finds_nothing_in_the_designer(agency: Studio, page_at: PageAt) -> None:
    """axe-coreの検査で、一覧・図・構成・指摘・決定表のどの画面にも違反が無い。"""
    if not AXE.is_file():
        missing("axe-core", "not in webui/frontend/node_modules (a development dependency of the front end)")
    made = agency.engine.drafts.begin(agency.viewer(), "isa_account_inventory")
    page = designing(agency, page_at, bypass_csp=True)

    def judged(where: str) -> None:
        page.add_script_tag(path=AXE)
        told = page.evaluate("axe.run({ exclude: ['.designer-stage', '.tables-stage'] }, {resultTypes: ['violations']})")
        assert [(where, one["id"], one["nodes"][0]["html"][:200]) for one in told["violations"]] == []

    judged("hub")
    page.goto(f"{agency.address}/designer/{made}")
    ready(page)
    page.evaluate("designer.get('selection').select(designer.get('elementRegistry').filter((one) => one.type === 'bpmn:UserTask')[0])")
    for tab in ("内容", "構成", "指摘"):
        page.get_by_role("tab", name=re.compile(tab)).click()
        page.wait_for_timeout(100)
        judged(tab)
    page.goto(f"{agency.address}/designer/{made}/tables/isa/gravity.dmn")
    expect(page.locator("#designer-tables")).to_have_attribute("data-ready", "yes", timeout=60_000)
    judged("tables")


@pytest.mark.parametrize("width", [1280, 390])
def test_the_pages_fit_the_screen(agency: Studio, page_at: PageAt, width: int) -> None:
    """一覧も編集の画面も、横にはみ出さない。"""
    made = agency.engine.drafts.begin(agency.viewer(), "isa_incident")
    page = page_at(width, agency.address + "/login")
    sign_in(page, ONE, PASSWORD)
    for path in ("/designer", f"/designer/{made}", f"/designer/{made}/tables/isa/gravity.dmn", "/designer/rules/deadlock"):
        page.goto(agency.address + path)
        if "tables" not in path and path != "/designer" and "rules" not in path:
            ready(page)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path


def test_the_page_is_readable_without_script(agency: Studio, page_at: PageAt) -> None:
    """スクリプトが動かない端末でも、構成が読める。"""
    made = agency.engine.drafts.begin(agency.viewer(), "isa_account_inventory")
    page = designing(agency, page_at, f"/designer/{made}", java_script_enabled=False)
    expect(page.locator(".outline-read li").first).to_be_visible()
    expect(page.locator("main")).to_contain_text("ファイルの取出し")

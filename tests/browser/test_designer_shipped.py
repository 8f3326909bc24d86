"""The designer over everything that is shipped: every diagram and table opened, every word Japanese, taken out, for everybody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.designer_page import PageAt, clean, designing, english, ready, settled
from tests.browser.driver import sign_in
from tests.browser.test_pages import AXE
from tests.conftest import missing
from tests.designing import ONE, PASSWORD, Studio, make_studio, served
from tests.support import ROOT

# ---------------------------------------------------------------- shipped diagrams


@pytest.fixture(scope="module")
def agency(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """The agency's own diagrams."""
    with served(make_studio(tmp_path_factory.mktemp("agency"), isa=True)) as made:
        yield made


def test_every_shipped_diagram_opens_and_is_saved_as_it_was(agency: Studio, page_at: PageAt) -> None:
    """出荷の図は、すべて警告なく開き、触らなければ1バイトも変わらない。整列しても元に戻せる。"""
    seen = set()
    page = designing(agency, page_at)
    for procedure in agency.engine.drafts.procedures(agency.viewer()):
        made = agency.engine.drafts.begin(agency.viewer(), procedure.process_id)
        page.goto(f"{agency.address}/designer/{made}")
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
    page = designing(agency, page_at)
    for file in (name for name in files if name.endswith(".dmn")):
        page.goto(f"{agency.address}/designer/{made}/tables/{file}")
        expect(page.locator("#designer-tables")).to_have_attribute("data-ready", "yes", timeout=60_000)
        assert page.evaluate("designer.written().then((text) => text === designer.original)"), file
        expect(page.locator(".tables-findings")).to_contain_text("直すところはありません。")
        for place in range(page.locator(".designer-files option").count()):
            page.locator(".designer-files").select_option(index=place)
            settled(page)
            assert english(page, "#designer-tables") == []
        page.locator(".designer-files").select_option(index=1)
        cell = page.locator("td.input-cell .content-editable, td.input-cell [contenteditable]").first
        if file.endswith("gravity.dmn"):
            cell.click()
            page.keyboard.press("Control+a")
            page.keyboard.type('"no"')
            expect(page.locator("[data-saved]")).to_contain_text("保存しました")
            assert '"no"' in agency.engine.drafts.show(agency.viewer(), made).files[file]


# ---------------------------------------------------------------- words


def test_every_word_is_japanese(agency: Studio, page_at: PageAt) -> None:
    """どの道具・一覧・欄を開いても、英語の言葉が出ない。"""
    made = agency.engine.drafts.begin(agency.viewer(), "isa_incident")
    page = designing(agency, page_at, f"/designer/{made}")
    ready(page)
    clean(page)  # what the examination tells is there
    assert english(page) == []
    kinds = """Object.values(Object.fromEntries(designer.get('elementRegistry').filter((one) => one.type !== 'label')
      .map((one) => [one.type + (one.businessObject.eventDefinitions?.[0]?.$type ?? ''), one.id])))"""
    menu = """([id, kind]) => {
      const one = designer.element(id), menu = designer.get('popupMenu');
      if (menu.isEmpty(one, kind)) return false;
      menu.open(one, kind, { x: 300, y: 200, cursor: { x: 300, y: 200 } }, { title: '種類を変える', search: true });
      return true;
    }"""
    for id in page.evaluate(kinds):
        page.evaluate("(id) => designer.get('selection').select(designer.element(id))", id)
        for tab in ("内容", "構成"):
            page.get_by_role("tab", name=tab).click()
            settled(page)
            assert english(page) == [], id
        for kind in ("bpmn-replace", "color-picker"):
            opened = page.evaluate(menu, [id, kind])
            if opened:
                settled(page)
                assert english(page) == [], (id, kind)
                page.evaluate("designer.get('popupMenu').close()")
    page.evaluate(
        "designer.get('selection').select(['investigate', 'assess_gravity', 'contain_further'].map((id) => designer.element(id)))"
    )
    settled(page)
    assert english(page) == []
    page.locator(".djs-context-pad [data-action=align-elements], .djs-context-pad [data-action]").first.click()
    settled(page)
    assert english(page) == []
    page.keyboard.press("Escape")
    for tool in ("search", "minimap"):
        page.locator(f"[data-tool={tool}]").click()
        settled(page)
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
        settled(page)
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

"""The designer's page as tests use it: opened, drawn on, and asked what it says."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.driver import sign_in
from tests.designing import ONE, PASSWORD, Studio

PageAt = Callable[..., Page]


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
    """Nothing is left to be put right; that shapes were given to what had none may still be told."""
    state = findings(page)
    expect(state).to_have_text(re.compile("^直すところはありません"), timeout=60_000)
    told = page.locator(".finding-text").all_inner_texts()
    assert [one for one in told if "形を付けました" not in one] == []


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


def settled(page: Page) -> None:
    """Let the page draw what it was told."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")


def until(page: Page, happened: Callable[[], bool]) -> None:
    """Wait for something that only the engine can tell."""
    for _ in range(600):
        if happened():
            return
        page.wait_for_timeout(100)  # the page lives on meanwhile
    raise AssertionError("it does not happen")


def saved(page: Page, studio: Studio) -> dict[str, str]:
    """The draft's files, once everything is saved."""
    page.evaluate("designer.saving.save()")
    draft = int(page.url.rpartition("/")[2])
    return dict(studio.engine.drafts.show(studio.viewer(), draft).files)


# ---------------------------------------------------------------- words

#: What may stand in Latin letters: names of formats and keys, and what people wrote themselves.
LATIN = re.compile(
    r"BPMN(?:\.iO)?|SVG|PNG|PDF|ISO|Ctrl|Alt|Delete|Tadachi|ID|rules\.toml|COLLECT|UNIQUE|FIRST|ANY|RULE ORDER|now|PT?\d+[DHM]|AND|isa|none|"
    r"ISA-[\w-]+|[A-Z]+(?:-[\w]+)+"
)
TEXTS = """(where) => {
  const found = [];
  const root = document.querySelector(where);
  const skip = ['code', 'script', 'style', 'textarea', 'input', '.designer-files', '[contenteditable]', '.content-editable', '.djs-element text',
    '.definitions', '.dmn-definitions', '.bjs-powered-by'].join(', ');
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

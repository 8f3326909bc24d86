"""`python -m tests.browser.screenshots`: takes the pictures of docs/images anew, from the demonstration as it is on one fixed morning.

Everything is made here and thrown away: a temporary SQLite file, the demonstration's cases, the application on a free loopback port, a real
Chromium. The clock stands at WEDNESDAY, so pictures differ from the last ones only where the pages do.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, sync_playwright
from waitress import create_server

from engine import JST, Engine, SetClock, Settings
from tests.browser.driver import SEND, fill_in, sign_in
from tests.conftest import CHROMIUM_FLAGS
from webui import create_app
from webui.demo import ORGANISATION, PASSWORD, prepare

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
WEDNESDAY = datetime(2026, 11, 18, 11, 10, tzinfo=JST)
DESK, TELEPHONE = 1280, 390
LARGEST = 150_000  # bytes of one picture
COLOURS = (256, 128, 64, 32)
MARGIN = 16

# ---------------------------------------------------------------- the site


@contextmanager
def demonstration(folder: Path) -> Iterator[tuple[Engine, str]]:
    """The demonstration served from a database of its own; its engine and its address."""
    settings = dataclasses.replace(Settings(), database=f"sqlite:///{folder}/demo.sqlite", secret_file=folder / "secret", demo=True)
    engine = Engine(settings, clock=SetClock(WEDNESDAY))
    engine.migrate()
    prepare(engine)
    app = create_app(engine, secret_key="screenshots", demo=True, demo_password=PASSWORD)
    server = create_server(app, host="127.0.0.1", port=0, threads=4, ident="")
    thread = threading.Thread(target=server.run, name="web", daemon=True)
    thread.start()
    try:
        yield engine, f"http://127.0.0.1:{server.effective_port}"
    finally:
        server.close()
        thread.join(10)
        engine.close()


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium; it writes dates in its inputs the Japanese way where its language files are installed (chromium-l10n)."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        sys.exit("chromium was not found (Debian: apt-get install chromium)")
    flags = [*CHROMIUM_FLAGS, "--lang=ja-JP", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    language = {**os.environ, "LANG": "ja_JP.UTF-8", "LANGUAGE": "ja"}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=flags, env=language)
        yield browser
        browser.close()


# ---------------------------------------------------------------- the camera


class Camera:
    """Opens pages as officials of the demonstration and keeps what they show."""

    def __init__(self, browser: Browser, engine: Engine, address: str, folder: Path) -> None:
        self._browser = browser
        self.engine = engine
        self._address = address
        self._folder = folder
        self._pages: dict[tuple[str, int], Page] = {}

    def at(self, person: str, path: str, width: int = DESK) -> Page:
        """A page of the site as one person sees it; an empty person is nobody signed in."""
        page = self._pages.get((person, width))
        if page is None:
            context = self._browser.new_context(
                viewport={"width": width, "height": 844 if width == TELEPHONE else 900},
                locale="ja-JP", timezone_id="Asia/Tokyo", reduced_motion="reduce",
            )  # fmt: skip
            context.set_default_timeout(10_000)
            page = self._pages[person, width] = context.new_page()
        page.goto(self._address + path)
        if person:
            sign_in(page, person, PASSWORD)
        page.wait_for_load_state("networkidle")
        return page

    def take(self, name: str, page: Page, *, top: Locator | None = None, bottom: Locator | None = None, height: int = 0) -> None:
        """Keep the whole width of a page from the top of one element to the bottom of another, or to a height."""
        wide = page.viewport_size["width"] if page.viewport_size else DESK
        page.evaluate("document.activeElement && document.activeElement.blur(); scrollTo(0, 0)")
        full = int(page.evaluate("document.documentElement.scrollHeight"))
        start = max(0, int(_box(top)["y"]) - MARGIN) if top is not None else 0
        end = int(_box(bottom)["y"] + _box(bottom)["height"]) + MARGIN if bottom is not None else start + (height or full)
        clip = {"x": 0, "y": start, "width": wide, "height": min(end, full) - start}
        self._keep(name, Image.open(io.BytesIO(page.screenshot(clip=clip, full_page=True))))  # type: ignore[arg-type]

    def take_part(self, name: str, part: Locator, height: int = 0) -> None:
        """Keep one element alone, or its upper part."""
        picture = Image.open(io.BytesIO(part.screenshot()))
        self._keep(name, picture.crop((0, 0, picture.width, min(height or picture.height, picture.height))))

    def _keep(self, name: str, picture: Image.Image) -> None:
        """Store a picture with as many colours as fit under the limit."""
        picture = picture.convert("RGB")
        for colours in COLOURS:
            small = io.BytesIO()
            picture.quantize(colours, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
            if small.tell() <= LARGEST:
                break
        else:
            sys.exit(f"{name}: {small.tell()} bytes even with {COLOURS[-1]} colours; show less of the page")
        (self._folder / f"{name}.png").write_bytes(small.getvalue())
        print(f"{name}.png  {picture.width}x{picture.height}  {small.tell() // 1000} KB", flush=True)

    # What the pictures are of.

    def task_path(self, person: str, step: str) -> str:
        """The address of a step that waits in somebody's inbox."""
        rows = self.engine.inbox(self.engine.viewer(person), limit=200).rows
        found = [row.task_id for row in rows if row.step.startswith(step)]
        if not found:
            sys.exit(f"「{step}」 does not wait for {person}; there: {'、'.join(row.step for row in rows)}")
        return f"/tasks/{found[0]}"

    def case_path(self, person: str, part: str) -> str:
        """The address of a case by words of its title."""
        heads, _ = self.engine.cases(self.engine.viewer(person), text=part)
        if not heads:
            sys.exit(f"{person} sees no case 「{part}」")
        return f"/cases/{heads[0].id}"


def _box(part: Locator) -> dict[str, float]:
    box = part.bounding_box()
    if box is None:
        raise ValueError(f"not on the page: {part}")
    return dict(box)


# ---------------------------------------------------------------- the pictures

GENERAL = f"{ORGANISATION}.general-protection-manager"
DESK_OFFICER = f"{ORGANISATION}.commission-desk"
DIVISION = "tokyo.division-protection-manager"
STAFF = "adjudication.staff"
ADMINISTRATOR = f"{ORGANISATION}.administrator"
INCIDENT = "外国公館"


def login(camera: Camera) -> None:
    """Signing in to the demonstration."""
    camera.take("login", camera.at("", "/login"), height=760)


def task(camera: Camera) -> None:
    """One step: what to do and why, the form, and what its button causes; then the way back from another."""
    page = camera.at(DIVISION, camera.task_path(DIVISION, "総括へ重大な第一報"))
    form = page.locator("#task-form")
    camera.take("task", page, bottom=form)
    form.locator(".decision button").click()
    page.locator(".alert-success").wait_for()
    page = camera.at(GENERAL, camera.task_path(GENERAL, "受領・評価"))
    page.locator("#send-back summary").click()
    page.mouse.move(0, 0)
    camera.take_part("send-back", page.locator("#send-back"))


def inbox(camera: Camera) -> None:
    """What waits for the 総括保護管理者, one step taken."""
    page = camera.at(GENERAL, camera.task_path(GENERAL, "終結確認"))
    page.get_by_role("button", name="引き受ける").click()
    page.locator(".alert-success").wait_for()
    page = camera.at(GENERAL, "/inbox")
    camera.take("inbox", page, bottom=page.locator(".inbox-row").last)
    page = camera.at(GENERAL, "/inbox", TELEPHONE)
    camera.take("inbox-390", page, bottom=page.locator(".inbox-row").nth(1))


SUMMARY = "窓口で、別の申請人の在留カードの写しを渡した\n渡された方からの電話で分かった。写しは窓口へ持ってきてもらう約束をした。"


def report(camera: Camera) -> None:
    """Reporting in under a minute, at the desk and on a telephone, and what the reporter is told."""
    answers = {"item_summary": SUMMARY, "known_at": "2026-11-18T11:00", "owning_unit": "adjudication"}
    page = camera.at(STAFF, "/report/isa_incident")
    form = page.locator("form[data-draft]")
    fill_in(form, answers)
    camera.take("report", page, bottom=form)
    form.locator(SEND).click()
    page.locator("h1", has_text="受け付けました").wait_for()
    camera.take("started", page, bottom=page.locator("main .button-row"))
    page = camera.at(STAFF, "/report/isa_incident", TELEPHONE)
    fill_in(page.locator("form[data-draft]"), answers)
    camera.take("report-390", page, bottom=page.locator('[data-field="owning_unit"]'))


def case(camera: Camera) -> None:
    """A case as a whole, then its clocks, its duties and the diagram alone."""
    path = camera.case_path(GENERAL, INCIDENT)
    page = camera.at(GENERAL, path)
    page.locator(".diagram svg").first.wait_for()
    camera.take("case", page, bottom=page.locator(".diagram").first)
    camera.take_part("duties", page.locator("section[aria-labelledby=duties-title]"), height=980)
    page = camera.at(GENERAL, f"{path}/diagram")
    page.locator(".diagram svg").first.wait_for()
    camera.take("diagram", page, bottom=page.locator(".diagram"))


def paper(camera: Camera) -> None:
    """The report to the Commission, made from the case."""
    page = camera.at(DESK_OFFICER, camera.task_path(DESK_OFFICER, "速報の作成"))
    page.locator('a[href$="/papers/commission_report"]').first.click()
    page.locator("article.paper").wait_for()
    camera.take("paper", page, height=1000)


def outbox(camera: Camera) -> None:
    """Notices in the application, and the mails of the demonstration."""
    camera.take("notices", camera.at(GENERAL, "/notices"), height=620)
    camera.take("outbox", camera.at(ADMINISTRATOR, "/outbox"), height=620)


def designer(camera: Camera) -> None:
    """The incident's diagram as a draft, one step chosen."""
    page = camera.at(ADMINISTRATOR, "/designer")
    page.locator("tr", has_text="isa_incident").get_by_role("button", name="この版から下書きする").click()
    page.locator(".designer-stage [data-element-id=assess_gravity]").wait_for()
    page.evaluate("designer.show('assess_gravity')")
    page.locator("#tab-properties").click()
    page.locator("#panel-properties .pane-field").first.wait_for()
    camera.take("designer", page, height=900)


#: In this order: a picture may show what an earlier one did.
PICTURES: tuple[Callable[[Camera], None], ...] = (login, task, inbox, case, paper, outbox, report, designer)


def main() -> None:
    """Make all pictures, or those named."""
    names = {picture.__name__: picture for picture in PICTURES}
    parser = argparse.ArgumentParser(prog="python -m tests.browser.screenshots", description=__doc__)
    parser.add_argument("pictures", nargs="*", metavar="picture", help=f"which to take: {', '.join(names)} (all when left out)")
    parser.add_argument("--into", type=Path, default=IMAGES, help="the folder to write to (docs/images)")
    options = parser.parse_args()
    unknown = sorted(set(options.pictures) - set(names))
    if unknown:
        parser.error(f"no such picture: {', '.join(unknown)} (there are {', '.join(names)})")
    options.into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, demonstration(Path(folder)) as (engine, address), chromium() as browser:
        camera = Camera(browser, engine, address, options.into)
        for name in options.pictures or names:
            names[name](camera)


if __name__ == "__main__":
    main()

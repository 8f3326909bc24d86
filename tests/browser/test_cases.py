"""Three real incidents from the first report to closing, through a real browser by all officials in turn."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pypdf import PdfReader

from engine import JST
from tests.browser.driver import BrowserPlayer, Officials, Site, account

GENERAL = account("general_protection_manager@isa")

#: Steps as the pages name them, and the role that has to be holding them.
STEPS = {
    "contain_at_once": ("直ちにできる拡大防止", "保護管理者"),
    "contain_further": ("拡大防止・復旧", "保護管理者"),
    "assess_gravity": ("重大性の判断", "保護管理者"),
    "confirm_unknown": ("未確定事項の確認", "保護管理者"),
    "investigate": ("経緯・被害状況の調査", "保護管理者"),
    "report_to_division": ("部課等へ調査報告", "保護管理者"),
    "report_grave": ("部課等へ重大な第一報", "保護管理者"),
    "report_to_commissioner": ("長官へ報告", "総括保護管理者"),
    "receive_by_commissioner": ("受領・指示", "長官"),
    "decide_publication": ("公表の要否・内容", "総括保護管理者"),
    "check_article_78": ("法第78条第1項各号の確認", "総括保護管理者"),
    "prepare_preliminary": ("速報の作成", "委員会対応係"),
    "prepare_final": ("確報の作成", "委員会対応係"),
    "supplement": ("追完", "委員会対応係"),
    "notify_person": ("本人への通知", "保護管理者"),
    "analyse_by_manager": ("原因分析・再発防止", "保護管理者"),
    "analyse_by_division": ("原因分析・再発防止（部課等）", "部課等保護管理者"),
    "confirm_closing": ("終結確認", "総括保護管理者"),
}
CLOCKS = {"preliminary_report": "速報", "final_report": "確報"}
NINE = (
    "概要",
    "漏えい等した保有個人情報の項目",
    "本人の数",
    "原因",
    "二次被害又はそのおそれの有無とその内容",
    "本人への対応の実施状況",
    "公表の実施状況",
    "再発防止のための措置",
    "その他参考となる事項",
)


class Case:
    """A case played by browsers, and what its page said wherever the scenario expects something."""

    def __init__(self, site: Site, page_at: Callable[..., Page], width: int = 1280) -> None:
        self.officials = Officials(site, page_at, width)
        self.player = BrowserPlayer(self.officials, self._look)
        self.site = site
        self.looks = 0
        self.id = 0

    def play(self, name: str) -> Case:
        """From the first report to the end."""
        self.id = self.player.run(name)
        return self

    def _look(self, page: Page, wanted: Mapping[str, Any]) -> None:
        self.looks += 1
        if "outcome" in wanted:
            expect(page.locator(".page-head .badge", has_text="終結")).to_be_visible()
        if "waits_at" in wanted:
            assert held(page) == Counter(STEPS[step] for step in wanted["waits_at"])
            drawn = page.locator(".diagram[data-ready=yes]")
            drawn.wait_for()
            assert (drawn.locator(".djs-element.is-done").count() > 0) == bool(self.player.completed)
            assert (drawn.locator(".djs-element:is(.is-current, .is-overdue)").count() > 0) == bool(wanted["waits_at"])
        for clock, day in wanted.get("clocks", {}).items():
            due = date.fromisoformat(str(day))
            shown = page.locator(".clock", has=page.locator(".clock-name", has_text=CLOCKS[clock])).inner_text()
            assert f"{due.month}月{due.day}日" in shown
            assert "24:00" in shown
            started = re.search(r"(\d+)月(\d+)日（.）が1日目", shown)
            day_shown = re.search(r"(\d+)\s*日目\s*／", shown)
            assert started is not None
            if "期限内に済" in shown:
                assert day_shown is None
            else:
                assert day_shown is not None
                today = self.site.clock.now().astimezone(JST).date()
                first = today.replace(month=int(started[1]), day=int(started[2]))
                assert today == first + timedelta(days=int(day_shown[1]) - 1)

    def paper(self, paper: str) -> Page:
        """A paper of the case as 総括保護管理者 sees it."""
        return self.officials.at(GENERAL, f"/cases/{self.id}/papers/{paper}")

    def closed(self, clocks: Mapping[str, str]) -> None:
        """At the end every duty has its record, every clock was met on the day told, and the timeline names every act."""
        page = self.officials.at(GENERAL, f"/cases/{self.id}")
        expect(page.get_by_text("待っている処理はありません。")).to_be_visible()
        duties = page.locator("section", has=page.locator("#duties-title"))
        assert duties.locator("li.is-done").count() >= 9
        assert duties.locator("li.is-open").count() == 0
        for name, day in clocks.items():
            shown = page.locator(".clock", has=page.locator(".clock-name", has_text=name))
            expect(shown).to_contain_text("期限内に済")
            expect(shown).to_contain_text(f"提出 {day}")
        told = [text.strip() for text in page.locator(".timeline-text, .timeline .changes li").all_text_contents()]
        done = Counter(found[1] for text in told if (found := re.match(r"「(.*)」を完了しました", text)))
        assert done == Counter(self.player.completed)
        assert not any("認められませんでした" in text for text in told)


def held(page: Page) -> Counter[tuple[str, str]]:
    """The steps that wait by the page of a case, each with the role that holds it."""
    rows = page.locator("section", has=page.locator("#steps-title")).locator(".steps > li")
    found: Counter[tuple[str, str]] = Counter()
    for row in rows.all():
        step, seat = (row.locator("p").nth(number).inner_text() for number in (0, 1))
        name = re.sub(r"（\d+）$", "", step.replace("あなたの役", "").strip())
        found[name, seat.split()[-1]] += 1 + row.locator("details li").count()  # several alike are one line, the others folded below
    return found


def pdf_of(page: Page) -> str:
    """The text of the PDF that the paper's page offers."""
    with page.expect_download() as offered:
        page.get_by_role("link", name="PDFで保存").click()
    data = offered.value.path().read_bytes()
    assert data.startswith(b"%PDF-")
    return "".join(page.extract_text() for page in PdfReader(io.BytesIO(data)).pages)


def squeezed(text: str) -> str:
    """Without blanks and line ends: a PDF breaks lines where it likes."""
    return re.sub(r"\s", "", text)


def test_r5_6_mail_to_a_foreign_mission_grave_at_once(site: Site, page_at: Callable[..., Page]) -> None:
    """先に知らせても調査は続き、委員会への報告は長官を待たない。追完まで行って終わる。"""
    case = Case(site, page_at).play("incident_r5-6")
    assert case.looks >= 8
    case.closed({"速報": "9月11日（月）15:10"})
    page = case.paper("commission_report")
    for number, item in enumerate(NINE, 1):
        expect(page.get_by_role("heading", name=f"{number}　{item}")).to_be_visible()
    for text in (
        "個情委速報第2023-1162号",
        "個情委確報第2023-1162号",
        "個情委追完第2023-1162号",
        "本人と家族に危険は及んでいない。",
        "2人",
    ):
        expect(page.locator(".paper")).to_contain_text(text)
    expect(page.locator(".alert-warning")).to_have_count(0)  # nothing is missing
    pdf = squeezed(pdf_of(page))
    for text in (*NINE, "個情委追完第2023-1162号", "公表しない。"):
        assert squeezed(text) in pdf
    letter = case.officials.at(GENERAL, f"/cases/{case.id}/papers/notice_letter?index=1")
    expect(letter.locator(".paper").get_by_text("申請人E 様", exact=True)).to_be_visible()
    assert "申請人D" not in letter.locator(".paper").inner_text()
    assert squeezed("申請人E 様") in squeezed(pdf_of(letter))


def test_r5_5_twelve_persons_are_told_one_by_one(site: Site, page_at: Callable[..., Page]) -> None:
    """12人に一人ずつ知らせ、宛先不明で戻ったものは次の方法に進む。"""
    case = Case(site, page_at).play("incident_r5-5")
    case.closed({"速報": "8月14日（月）16:20", "確報": "9月4日（月）11:00"})
    assert Counter(case.player.completed)["本人への通知"] + sum(name.startswith("本人への通知（") for name in case.player.completed) >= 12
    page = case.paper("commission_report")
    for text in ("12人", "個情委速報第2023-1033号", "個情委確報第2023-1033号", "2023年8月14日"):
        expect(page.locator(".paper")).to_contain_text(text)
    for index in (0, 11):
        letter = case.officials.at(GENERAL, f"/cases/{case.id}/papers/notice_letter?index={index}")
        expect(letter.locator(".paper").get_by_text(f"被送還者{index + 1} 様", exact=True)).to_be_visible()


@pytest.mark.parametrize("width", [390])
def test_r6_8_raised_to_grave_late(site: Site, page_at: Callable[..., Page], width: int) -> None:
    """調査の途中で特に重大に改め、第一報が加わっても調査は続く。電話の幅の画面だけで終わりまで進む。"""
    case = Case(site, page_at, width).play("incident_r6-8")
    case.closed({"速報": "11月21日（木）13:30", "確報": "12月11日（水）13:00"})
    page = case.officials.at(GENERAL, f"/cases/{case.id}")
    expect(page.locator(".timeline-text", has_text="「重大へ変更」を行いました")).not_to_have_count(0)
    page = case.paper("commission_report")
    for text in ("滅失（発生したおそれ）", "個情委確報第2024-1571号", "1人", "公表しない。"):
        expect(page.locator(".paper")).to_contain_text(text)
    assert "個情委確報第2024-1571号" in squeezed(pdf_of(page))

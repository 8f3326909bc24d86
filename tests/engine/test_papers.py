"""What the papers of a case say, which ones make sense, and what they name as missing."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine import paper_parts, paper_templates, papers
from engine.errors import NotFound, OrganisationBroken
from engine.views import CaseHead, ClockShown, Event

AT = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)  # 0:30 of Saturday 21 November in Japan
KNOWN = datetime(2026, 11, 18, 14, 50, tzinfo=UTC)  # 23:50 of the 18th
OFFICE = SimpleNamespace(name="出入国在留管理庁", head_title="出入国在留管理庁長官", folder=None)
HEAD = CaseHead(
    id=7, number="漏R8-0007", title="書類の誤交付", process_id="isa_incident", process_name="漏えい等事案への対応", version=1, state="open",
    state_text="調査中", outcome="", unit="adjudication", unit_name="審判課", reporter="p1", reporter_name="職員", known_at=KNOWN,
    started_at=KNOWN, changed_at=KNOWN, ended_at=None, merged_into=None, overdue=False,
)  # fmt: skip
NINE = (
    "概要", "漏えい等した保有個人情報の項目", "本人の数", "原因", "二次被害又はそのおそれの有無とその内容",
    "本人への対応の実施状況", "公表の実施状況", "再発防止のための措置", "その他参考となる事項",
)  # fmt: skip
LEAK: dict[str, Any] = {
    "event": "leak", "holds": ["pi"], "sensitive": "yes", "appi68": "yes", "mn294": "no", "mn_guideline": "no", "isa25_6": "yes", "isa25_8": "no",
    "isa26_2": "no", "rule43": [1], "unknown": [], "mn_rule2": [], "kakuho_days": 30, "notify": "check_78_then_notify",
}  # fmt: skip
WHOLE: dict[str, Any] = {
    **LEAK, "count": 12, "item_summary": "航空機内に書類を置き忘れた。", "item_data": "氏名、国籍", "item_cause": "座席に残した。",
    "item_secondary_harm": "確認されていない。", "item_response": "全員に知らせた。", "item_publication": "公表した。",
    "item_prevention": "携行する者を改めた。", "item_other": "特になし",
}  # fmt: skip
SENT = {"preliminary_submitted": True, "submitted_on": "2026-11-20", "preliminary_receipt": "受-001"}


def clock(id: str, due: date, days: int, state: str = "running") -> ClockShown:
    return ClockShown(id, "速報", "施行規則第44条", date(2026, 11, 18), 4, days, due, AT, state, None)


CLOCKS = (clock("preliminary_report", date(2026, 11, 22), 5), clock("final_report", date(2026, 12, 17), 30))


def make(paper_id: str = "commission_report", facts: dict[str, Any] | None = None, **more: Any) -> papers.Paper:
    return papers.gather(
        paper_id, facts if facts is not None else WHOLE, **{"head": HEAD, "organisation": OFFICE, "at": AT, "clocks": CLOCKS, **more}
    )


def text(paper: papers.Paper) -> str:
    parts = [paper.title, paper.addressee, paper.sender]
    for section in paper.sections:
        parts += [section.heading, *section.lines, *(cell for row in section.rows for cell in row)]
    return "\n".join(parts)


def part(paper: papers.Paper, id: str) -> papers.Section:
    return next(section for section in paper.sections if section.id == id)


def row(paper: papers.Paper, label: str) -> str:
    return next(cells[1] for section in paper.sections for cells in section.rows if cells[0] == label)


# ---------------------------------------------------------------- the report to the Commission


def test_the_nine_items_stand_in_the_order_of_the_form() -> None:
    numbered = [(section.number, section.heading) for section in make().sections if section.number]
    assert numbered == [(str(n), heading) for n, heading in enumerate(NINE, 1)]


def test_the_header_says_who_reports_what_and_when_in_japanese_time() -> None:
    paper = make(facts={**WHOLE, **SENT, "occurred_at": "2026-11-17T15:10:00+00:00", "discovered_at": "2026-11-18T09:00:00+09:00"})
    assert (paper.addressee, paper.number, paper.made_on) == ("個人情報保護委員会 御中", "漏R8-0007", date(2026, 11, 21))
    assert row(paper, "報告元の機関") == "出入国在留管理庁"
    assert row(paper, "発生日時") == "2026年11月18日（水）0時10分"
    assert row(paper, "発覚日時") == "2026年11月18日（水）9時00分"
    assert row(paper, "把握日時") == "2026年11月18日（水）23時50分"
    assert "要配慮個人情報" in row(paper, "個人情報保護法第68条第1項")
    assert row(paper, "速報の受付番号") == "受-001"
    assert row(paper, "速報の提出日") == "2026年11月20日（金）"
    assert row(paper, "確報の期限").startswith("2026年12月17日（木）まで（知った日を1日目として30日")


def test_a_preliminary_report_may_leave_open_what_it_says_is_open() -> None:
    """速報は、その時に判明している事項で足りる。"""
    paper = make(facts={**WHOLE, "item_cause": "現在調査中です。", "item_publication": "（検討中）"})
    assert (paper.kind, paper.title) == ("preliminary", "漏えい等報告書（速報）")
    assert paper.complete and paper.missing == ()


def test_the_final_report_may_not() -> None:
    paper = make(facts={**WHOLE, **SENT, "item_cause": "現在調査中です。", "item_publication": "（検討中）", "item_other": None})
    assert paper.kind == "final"
    assert paper.missing == ("原因", "公表の実施状況", "その他参考となる事項")
    assert not paper.complete
    assert not part(paper, "cause").complete and "判明していない" in part(paper, "cause").missing
    assert part(paper, "cause").lines == ("現在調査中です。",)
    assert part(paper, "other").missing == "記入がありません。"


def test_everything_missing_is_named() -> None:
    paper = make(facts={**LEAK, "event": None}, head=SimpleNamespace(**{**HEAD.__dict__, "known_at": None}))
    assert paper.missing == ("事態の別", "把握日時", *NINE)
    assert [section.heading for section in paper.sections if section.number] == list(NINE)
    assert part(paper, "summary").lines == ("現時点では判明していない（判明し次第報告する）",)


@pytest.mark.parametrize(
    ("said", "open_"),
    [
        ("不明", True), ("不明。", True), ("原因は不明である", True), ("調査中", True), ("【調査中】", True), ("二次被害の有無は確認中です。", True), ("未定", True),
        ("追って報告する", True), ("（現在、調査中）", True), ("原因は、現在、調査中", False), ("原因は、調査中", True),
        ("盗難、犯人は不明", False), ("不明な点はない", False), ("盗難。犯人は不明", False), ("調査の結果、誤りと判明した", False),
        ("特になし", False), ("なし", False), ("調査中だが、封筒の取り違えとみられる", False),
    ],
)  # fmt: skip
def test_what_only_says_that_nothing_is_known_is_not_an_answer(said: str, open_: bool) -> None:
    assert papers.missing_items({**WHOLE, "item_cause": said}) == (("原因",) if open_ else ())


@pytest.mark.parametrize(
    ("count", "most", "shown", "open_"),
    [
        (0, None, "0人", False), (1200, None, "1,200人", False), (None, 150, "最大150人（人数を確認中）", True), (12, 15, "12人（最大15人。確認中）", True),
        (12, 12, "12人", False), (True, None, None, True), (-1, None, None, True), ("12", None, None, True), (None, None, None, True),
    ],
)  # fmt: skip
def test_the_number_of_persons(count: Any, most: Any, shown: str | None, open_: bool) -> None:
    paper = make(facts={**WHOLE, **SENT, "count": count, "count_max": most})
    assert part(paper, "persons").lines == (shown or "現時点では判明していない（判明し次第報告する）",)
    assert paper.missing == (("本人の数",) if open_ else ())


def test_a_number_not_yet_exact_does_not_hold_up_the_preliminary_report() -> None:
    assert make(facts={**WHOLE, "count": None, "count_max": 150}).missing == ()


BOTH = {**SENT, "report_is_final": True, "final_submitted_on": "2026-11-20", "final_receipt": "受-001"}
FINAL = {**SENT, "report_is_final": False, "final_submitted_on": "2026-12-01", "final_receipt": "受-002", "items_missing": False}


@pytest.mark.parametrize(
    ("facts", "kind", "title"),
    [
        ({}, "preliminary_final", "漏えい等報告書（速報（確報を兼ねる））"),
        ({"item_cause": None}, "preliminary", "漏えい等報告書（速報）"),
        ({"item_cause": "調査中"}, "preliminary", "漏えい等報告書（速報）"),
        (SENT, "final", "漏えい等報告書（確報）"),
        ({"preliminary_receipt": "1"}, "final", "漏えい等報告書（確報）"),
        (BOTH, "preliminary_final", "漏えい等報告書（速報（確報を兼ねる））"),
        (FINAL, "final", "漏えい等報告書（確報）"),
        ({"final_submitted_on": "2026-12-01"}, "final", "漏えい等報告書（確報）"),
        ({**FINAL, "item_prevention": "検討中"}, "supplement", "漏えい等報告書（追完）"),
        ({**FINAL, "items_missing": True}, "supplement", "漏えい等報告書（追完）"),
        ({**FINAL, "supplemented_on": "2026-12-10"}, "supplement", "漏えい等報告書（追完）"),
        ({**FINAL, "preliminary_submitted": False}, "preliminary_final", "漏えい等報告書（速報（確報を兼ねる））"),  # withdrawn, and owed again
    ],
)  # fmt: skip
def test_which_report_stands_next(facts: dict[str, Any], kind: str, title: str) -> None:
    paper = make(facts={**WHOLE, **facts})
    assert (paper.kind, paper.title) == (kind, title)


@pytest.mark.parametrize(
    ("facts", "shown"),
    [
        ({"holds": ["pi"]}, None),
        ({"holds": ["pi"], "mynumber": "no"}, None),
        ({"holds": ["pi"], "mynumber": "unknown"}, "不明（確認中）"),
        ({"holds": ["pi"], "mynumber": "yes"}, "あり"),
        ({"holds": ["pi", "mynumber"], "mynumber": "no"}, "あり"),
        ({"holds": ["mynumber"]}, "あり"),
        ({"holds": []}, "不明（確認中）"),
        ({"holds": None}, "不明（確認中）"),
    ],
)
def test_the_my_number_form_is_used_unless_it_is_known_not_to_be_in_it(facts: dict[str, Any], shown: str | None) -> None:
    """委員会の入力画面は、不明なときも「含む」として報告させる。"""
    paper = make(facts={**WHOLE, **facts})
    assert ("mynumber" in [section.id for section in paper.sections]) == (shown is not None)
    if shown:
        assert row(paper, "特定個人情報の有無") == shown


def test_my_number_grounds_and_system_are_in_words() -> None:
    paper = make(facts={**WHOLE, "holds": ["pi", "mynumber"], "mn294": "yes", "rule43": [], "mn_rule2": [1, 2], "mn_system": "ロ"})
    assert row(paper, "システムの区分").startswith("ロ　個人番号利用事務")
    assert row(paper, "番号法第29条の4第1項等").count("\n") == 1 and "第2条第2号" in row(paper, "番号法第29条の4第1項等")
    assert "ガイドライン" in row(make(facts={**WHOLE, "mynumber": "yes", "mn_guideline": "yes"}), "番号法第29条の4第1項等")


def test_the_event_and_the_system_in_words() -> None:
    paper = make(facts={**WHOLE, "suspected": True, "mynumber": "yes", "mn_system": "none"})
    assert row(paper, "事態の別") == "漏えい（発生したおそれ）"
    assert row(paper, "システムの区分") == "イ・ロ・ハのいずれにも当たらない"


def test_a_ground_still_under_review_is_said_to_be_so() -> None:
    paper = make(facts={**WHOLE, "appi68": "review", "rule43": [], "unknown": [1, 3]})
    assert "第43条第1号" in row(paper, "該当するか確認中の事態") and "第43条第3号" in row(paper, "該当するか確認中の事態")
    assert any("判断の終わっていない" in note for note in paper.notes)


def test_an_unknown_my_number_is_open_in_the_final_report() -> None:
    assert make(facts={**WHOLE, **SENT, "mynumber": "unknown"}).missing == ("特定個人情報の有無",)


def test_a_stopped_clock_is_not_a_deadline() -> None:
    assert "確報の期限" not in text(make(clocks=(clock("final_report", date(2026, 12, 17), 30, "stopped"),)))


def test_as_json_has_stable_keys_and_is_json() -> None:
    data = json.loads(json.dumps(make().as_json(), ensure_ascii=False))
    assert list(data) == [
        "id",
        "kind",
        "title",
        "office",
        "sender",
        "addressee",
        "number",
        "made_on",
        "sections",
        "notes",
        "missing",
        "complete",
    ]
    assert list(data["sections"][0]) == ["id", "number", "heading", "lines", "columns", "rows", "complete", "missing"]
    assert data["made_on"] == "2026-11-21"
    ids = [section["id"] for section in data["sections"] if section["number"]]
    assert ids == ["summary", "data", "persons", "cause", "secondary_harm", "response", "publication", "prevention", "other"]


# ---------------------------------------------------------------- the other papers

PERSONS = [
    {"ref": "A-1", "name": "山田 太郎"},
    {"ref": "A-2", "name": "李　明", "data": "氏名、旅券番号"},
    {"ref": "A-3"},
    {"ref": "A-4", "name": "LI WEI"},
    {"ref": "A-5", "name": "山田 太郎左衛門"},
]


def test_a_letter_goes_to_one_person_and_names_no_other() -> None:
    summary = "山田太郎さん、李明さん、ＬＩ　ＷＥＩ さん、LiWei、山田太郎左衛門さんの書類。ALI WEIR ではない。"
    facts = {**WHOLE, "persons": PERSONS, "item_summary": summary}
    paper = make("notice_letter", facts, index=0)
    assert paper.addressee == "山田 太郎 様" and paper.layout == "letter"
    assert part(paper, "summary").lines == ("山田太郎さん、＊＊＊さん、＊＊＊ さん、＊＊＊、＊＊＊さんの書類。ALI WEIR ではない。",)
    assert any("伏せました" in note for note in paper.notes)
    other = make("notice_letter", facts, index=1)
    assert other.addressee == "李　明 様"
    assert part(other, "data").lines == ("氏名、旅券番号",)
    assert "山田" not in text(other) and "A-1" not in text(other)
    labelled = [{"label": "佐藤 一郎", "contact": "03-0000-0000", "note": "夜は不可"}, {"label": "B", "contact": "x@example.jp"}]
    third = make("notice_letter", {**WHOLE, "persons": labelled, "item_cause": "佐藤一郎さん宛とBさん宛の取り違え"}, index=1)
    assert third.addressee == "B 様" and part(third, "cause").lines == ("＊＊＊さん宛とBさん宛の取り違え",)
    assert "03-0000" not in text(third) and "example" not in text(third)
    assert make("notice_letter", facts, index=2).addressee == "整理番号 A-3 の方"


def test_a_letter_holds_the_five_items_an_apology_and_a_desk() -> None:
    paper = make("notice_letter", {**WHOLE, "persons": PERSONS}, index=0)
    assert [section.id for section in paper.sections] == ["opening", "summary", "data", "cause", "secondary_harm", "other", "contact"]
    assert "お詫び" in text(paper) and "お問い合わせ先" in text(paper) and "漏R8-0007" in text(paper)
    assert paper.complete


def test_a_letter_without_a_person_lacks_its_address() -> None:
    paper = make("notice_letter", {**WHOLE, "persons": PERSONS})
    assert (paper.addressee, paper.missing) == ("", ("宛名",))
    assert not paper.complete
    assert "＊＊＊" not in text(paper)


@pytest.mark.parametrize("index", [-1, 5, True, 10**9])
def test_there_is_no_letter_to_nobody(index: int) -> None:
    with pytest.raises(NotFound):
        make("notice_letter", {**WHOLE, "persons": PERSONS}, index=index)


@pytest.mark.parametrize("persons", [None, [], "x", [None, 3]])
def test_rows_that_are_no_persons_are_none(persons: Any) -> None:
    with pytest.raises(NotFound):
        make("notice_letter", {**WHOLE, "persons": persons}, index=0)


def test_a_thousand_persons_are_a_thousand_letters() -> None:
    rows = [{"ref": str(n), "name": f"氏名{n:04}番"} for n in range(1000)]
    everyone = "、".join(row["name"] for row in rows)
    paper = make("notice_letter", {**WHOLE, "persons": rows, "item_summary": everyone}, index=999)
    assert part(paper, "summary").lines[0] == "、".join(["＊＊＊"] * 999 + ["氏名0999番"])


def test_a_public_notice_names_nobody() -> None:
    paper = make("substitute_notice", {**WHOLE, "persons": PERSONS, "item_cause": "山田太郎さんの申出で分かった。"})
    assert "山田" not in text(paper) and "12人" in text(paper)


def test_a_withdrawal_says_what_is_withdrawn_and_why() -> None:
    lifted = {**WHOLE, **SENT, "appi68": "no"}
    assert make("withdrawal", {**lifted, "preliminary_submitted": False}).complete  # once it is recorded, too
    paper = make("withdrawal", lifted)
    assert row(paper, "速報の受付番号") == "受-001"
    assert "報告を要しない" in part(paper, "reason").lines[0]
    assert make("withdrawal", {**lifted, "withdraw_reason": "書類が見つかった。"}).sections[-1].lines == ("書類が見つかった。",)
    assert "取下げの理由" in make("withdrawal", {**WHOLE, **SENT, "appi68": None}).missing


@pytest.mark.parametrize(
    ("facts", "index", "addressee"),
    [
        ({}, None, "部課等保護管理者 殿"),
        ({"reported_to_division": True}, None, "総括保護管理者 殿"),
        ({"reported_to_division": True, "received_by_general": True}, None, "出入国在留管理庁長官 殿"),
        ({"received_by_general": True}, 0, "部課等保護管理者 殿"),
        ({}, 2, "出入国在留管理庁長官 殿"),
    ],
)
def test_the_report_inside_goes_to_the_next_rung(facts: dict[str, Any], index: int | None, addressee: str) -> None:
    assert make("division_report", {**WHOLE, **facts}, index=index).addressee == addressee


def test_the_report_inside_tells_what_happened_the_course_and_the_harm() -> None:
    def event(told: str, *, refused: bool = False) -> Event:
        return Event(KNOWN, "task.completed", told, "職員", "審判課 保護管理者", "", "", (), refused)

    paper = make("division_report", {**WHOLE, "grave": True}, history=(event("第一報"), event("他の課の操作", refused=True)))
    assert [section.heading for section in paper.sections if section.number][:3] == ["事案の内容", "経緯", "被害状況"]
    assert part(paper, "history").rows == (("2026年11月18日（水）23時50分", "第一報", "審判課 保護管理者"),)
    assert row(paper, "特に重大な事案か") == "該当する"
    assert "history" not in [section.id for section in make("division_report").sections]
    with pytest.raises(NotFound):
        make("division_report", index=3)


def test_anonymised_information_has_a_paper_of_its_own_without_a_deadline() -> None:
    facts = {**WHOLE, "holds": ["anon", "deleted_info"], "appi68": "no", "isa25_8": "yes", "isa26_2": "yes"}
    paper = make("commission_anonymised", facts)
    assert row(paper, "対象の情報") == "行政機関等匿名加工情報、削除情報"
    assert "期限" not in text(paper) and paper.complete
    assert "再発防止のために講じた措置" in make("commission_anonymised", {**facts, "item_prevention": None}).missing
    narrow = make("commission_anonymised", {**facts, "isa25_8": "no", "item_prevention": None})
    assert narrow.missing == ()


def test_an_unknown_paper_is_not_found() -> None:
    with pytest.raises(NotFound):
        make("words")


# ---------------------------------------------------------------- offered


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, []),
        ({"known_at": "2026-11-18T00:00:00+00:00", "appi68": "review", "mn294": "no"}, []),  # another procedure's case
        (
            {"event": "rule_violation", "appi68": "no", "mn294": "no", "mn_guideline": "no", "notify": "discretion(26-1)"},
            ["division_report"],
        ),
        (LEAK, ["commission_report", "notice_letter", "division_report"]),
        ({**LEAK, "appi68": "review", "notify": "review"}, ["commission_report", "division_report"]),
        ({**LEAK, "notify": "substitute"}, ["commission_report", "substitute_notice", "division_report"]),
        ({**LEAK, "notify": "exempt", "persons": PERSONS}, ["commission_report", "division_report"]),
        ({**LEAK, "publish": True}, ["commission_report", "notice_letter", "substitute_notice", "division_report"]),
        ({**LEAK, "appi68": "no", "notify": "discretion(26-1)", **SENT}, ["withdrawal", "division_report"]),
        (
            {**LEAK, "appi68": "no", "notify": None, **SENT, "preliminary_submitted": False, "withdrawn_on": "2026-12-01"},
            ["withdrawal", "division_report"],
        ),
        ({**LEAK, "appi68": None, "notify": None, **SENT}, ["commission_report", "division_report"]),
        ({**LEAK, "appi68": "no", "mn294": "yes", "notify": "notify", **SENT}, ["commission_report", "notice_letter", "division_report"]),
        ({**LEAK, "appi68": "no", "notify": None, "isa26_2": "yes"}, ["commission_anonymised", "division_report"]),
    ],
)
def test_what_is_offered(facts: dict[str, Any], expected: list[str]) -> None:
    assert [paper_id for paper_id, _ in papers.offered(facts)] == expected


def test_a_running_clock_offers_the_report_and_every_offer_can_be_made() -> None:
    assert "commission_report" in dict(papers.offered({}, CLOCKS))
    for facts in (LEAK, WHOLE, {**WHOLE, **SENT, "publish": True, "isa26_2": "yes"}, {**LEAK, "appi68": "no", **SENT}):
        for paper_id, name in papers.offered(facts):
            assert name and make(paper_id, facts).sections


# ---------------------------------------------------------------- hostile and broken values


@pytest.mark.parametrize("paper_id", paper_templates.PAPER_IDS)
@pytest.mark.parametrize(
    "value",
    [None, "", [], {}, True, 3.5, -1, "x" * 4000, "\x00\x1b\u202e\ud800", "{office} {0} {nothing}", {"a": [1]}, [None, {"b": 2}], {1, 2}],
)
def test_no_fact_breaks_a_paper(paper_id: str, value: Any) -> None:
    names = [
        *paper_parts.ITEMS, "event", "holds", "mynumber", "count", "count_max", "rule43", "mn_rule2", "unknown", "mn_system", "occurred_at", "discovered_at",
        "persons", "notify", "grave", "grave_reasons", "contractor", "preliminary_receipt", "final_submitted_on", "withdraw_reason", "appi68",
    ]  # fmt: skip
    for facts in (dict.fromkeys(names, value), *({**WHOLE, name: value} for name in names)):
        paper = make(paper_id, facts)
        json.dumps(paper.as_json(), ensure_ascii=False).encode()
        assert papers.offered(facts) is not None


def test_control_characters_go_and_lines_stay() -> None:
    paper = make(facts={**WHOLE, "item_summary": "一行目\r\n二\x07行目\x1b[0m\u202e\t終\n\n四行目 \ud83d"})
    assert part(paper, "summary").lines == ("一行目", "二行目[0m 終", "", "四行目 〓")


def test_braces_and_markup_in_a_fact_stay_what_they_are() -> None:
    assert part(make(facts={**WHOLE, "item_summary": "{office} <b>&amp;"}), "summary").lines == ("{office} <b>&amp;",)


def test_whom_a_paper_can_be_made_out_to() -> None:
    persons = [{"label": "甲"}, {"name": "山田太郎"}, {"label": "丙", "name": "鈴木花子"}]
    letter = make("notice_letter", {**WHOLE, "persons": persons}, index=1)
    assert letter.choices == ((0, "甲"), (1, "2人目"), (2, "丙"))  # never a name that is not the sign for the person
    rungs = [words for _, words in make("division_report").choices]
    assert rungs[:2] == ["部課等保護管理者 殿", "総括保護管理者 殿"] and len(rungs) == 3
    assert make().choices == ()


@pytest.mark.parametrize(
    ("stored", "shown"),
    [("2026-11-18", "2026年11月18日（水）"), ("昨日の朝", "昨日の朝"), ("2026-11-18T09:05", "2026年11月18日（水）9時05分")],
)
def test_instants_as_they_may_be_stored(stored: str, shown: str) -> None:
    assert row(make(facts={**WHOLE, "occurred_at": stored}), "発生日時") == shown


# ---------------------------------------------------------------- templates


@pytest.fixture
def office(tmp_path: Path) -> Path:
    folder = tmp_path / "office"
    (folder / "papers").mkdir(parents=True)
    return folder


def test_an_office_replaces_a_paper_and_adds_words(office: Path) -> None:
    (office / "papers" / "notice_letter.toml").write_text(
        'name = "通知書"\nlayout = "letter"\n[[addressee]]\ntext = "{person}"\n[[section]]\ntext = ["電話 00-0000-0000"]\n'
    )
    (office / "papers" / "words.toml").write_text('not_yet = ["謎"]\n[event]\nleak = "流出"\n')
    templates = paper_templates.load_templates(office)
    assert dict(papers.offered(LEAK, (), templates))["notice_letter"] == "通知書"
    own = SimpleNamespace(name="機関", head_title="長", folder=office)
    paper = make("notice_letter", {**WHOLE, "persons": PERSONS}, organisation=own, index=0)
    assert (paper.title, paper.sections[0].lines) == ("通知書", ("電話 00-0000-0000",))
    report = make(facts={**WHOLE, "event": "leak", "item_cause": "謎"}, organisation=own)
    assert row(report, "事態の別") == "流出" and report.kind == "preliminary"
    assert paper_templates.office_templates().words["event"]["leak"] == "漏えい"


@pytest.mark.parametrize(
    ("file", "body", "rule", "said"),
    [
        ("notice_letter.toml", 'name = "x"\n[[section]]\ntext = ["{phone}"]', "unknown-placeholder", "{phone}"),
        ("notice_letter.toml", 'name = "x"\ntitle = "{office.__class__}"', "unknown-placeholder", "{office.__class__}"),
        ("notice_letter.toml", 'name = "x"\ntitle = "{office!r}"', "unknown-placeholder", "{office!r}"),
        ("notice_letter.toml", 'name = "x"\ntitle = "{office:>9}"', "unknown-placeholder", "{office:>9}"),
        ("notice_letter.toml", 'name = "x"\n[[section.row]]\nlabel = "a"\nvalue = "{}"', "wrong-type", "section"),
        ("notice_letter.toml", 'name = "x"\n[[section]]\n[[section.row]]\nlabel = "a"\nvalue = "{}"', "unknown-placeholder", "{}"),
        ("notice_letter.toml", 'name = "x"\ntitle = "{office"', "broken-placeholder", "{office"),
        ("notice_letter.toml", 'name = "x"\ncolour = "red"', "unknown-key", "colour"),
        ("notice_letter.toml", 'name = "x"\n[[note]]\ntext = "a"\nwhen = ["raining"]', "unknown-condition", "raining"),
        ("notice_letter.toml", 'name = "x"\n[[section]]\ntable = "persons"', "wrong-value", "persons"),
        ("notice_letter.toml", 'name = "x"\n[[section]]\nneeded = "yes"', "wrong-type", "needed"),
        ("notice_letter.toml", 'name = "x"\n[[section]]\ntext = "not a list"', "wrong-type", "text"),
        ("notice_letter.toml", 'name = 3', "wrong-type", "name"),
        ("notice_letter.toml", 'layout = "poster"\nname = "x"', "wrong-value", "poster"),
        ("notice_letter.toml", "name = ", "not-toml", "TOML"),
        ("memo.toml", 'name = "x"', "unknown-paper", "memo"),
        ("words.toml", "event = 3", "wrong-type", "event"),
        ("words.toml", '[text]\npersons = "{m}人"', "unknown-placeholder", "{m}"),
    ],
)  # fmt: skip
def test_a_wrong_template_is_refused_naming_file_and_fault(office: Path, file: str, body: str, rule: str, said: str) -> None:
    (office / "papers" / file).write_text(body, encoding="utf-8")
    with pytest.raises(OrganisationBroken) as refused:
        paper_templates.load_templates(office)
    found = [finding for finding in refused.value.findings if finding.rule == rule]
    assert [finding.file for finding in found] == [f"office/papers/{file}"]
    assert said in found[0].message
    assert file in refused.value.text


def test_every_placeholder_and_condition_can_be_used(office: Path) -> None:
    rows = "".join(f'[[section]]\nheading = "{name}"\ntext = ["{{{name}}}"]\n' for name in sorted(paper_templates.PLACEHOLDERS))
    conditions = "".join(
        f'[[note]]\ntext = "{name}"\nwhen = ["{name}"]\n[[note]]\ntext = "{name}"\nwhen = ["not {name}"]\n'
        for name in sorted(paper_templates.CONDITIONS)
    )
    (office / "papers" / "withdrawal.toml").write_text(f'name = "x"\n{conditions}{rows}', encoding="utf-8")
    paper = make("withdrawal", organisation=SimpleNamespace(name="機関", head_title="長", folder=office))
    assert {section.heading for section in paper.sections} == paper_templates.PLACEHOLDERS
    assert sorted(paper.notes) == sorted(paper_templates.CONDITIONS)


def test_a_file_that_is_no_text_is_refused(office: Path) -> None:
    (office / "papers" / "withdrawal.toml").write_bytes("name = '取下げ'".encode("cp932"))
    with pytest.raises(OrganisationBroken, match="UTF-8"):
        paper_templates.load_templates(office)


def test_a_missing_common_template_is_named(tmp_path: Path) -> None:
    shutil.copytree(paper_templates.COMMON / "papers", tmp_path / "papers")
    (tmp_path / "papers" / "withdrawal.toml").unlink()
    with pytest.raises(OrganisationBroken, match=r"withdrawal\.toml"):
        paper_templates.load_templates(None, tmp_path)


def test_words_of_a_doubt_are_data_and_complete() -> None:
    words = paper_templates.office_templates().words
    assert set(words["rule43"]) == {"1", "2", "3", "4", "5"} and set(words["mn_rule2"]) == {"1", "2", "3", "4"}
    assert set(words["event"]) == {"leak", "loss", "damage", "illegal_use", "illegal_provision", "rule_violation", "other"}

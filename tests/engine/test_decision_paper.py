"""The decision paper (決裁鑑) and the papers of approvals: what was decided stands as it stood, whatever happens to the case and the office."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdf
import pytest

from engine import CaseNotFound, DefinitionRefused, NotFound, OrganisationBroken, Paper, SetClock
from engine.decision_record import decisions, facts_of, rows_of
from engine.paper_templates import load_templates, office_templates
from engine.work import Work
from tests.engine.decided import PAPER, PERMIT, Decided, decided_on, folder
from tests.engine.drawing import diagram
from tests.engine.posts import DIVISION_HEAD, KEEPER, MANAGER_A, STAFF_A, STAFF_B
from tests.engine.test_reorganisation import orders, rename
from tests.engine.test_review import gives_sight
from tests.support import DIVISION, MONDAY, make_engine
from webui.pdf import render_pdf


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Decided]:
    """The office on SQLite."""
    with decided_on("sqlite", tmp_path) as made:
        yield made


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Decided]:
    """The office, once on SQLite and once on PostgreSQL."""
    server = "" if request.param == "sqlite" else request.getfixturevalue("postgresql_url")
    with decided_on(request.param, tmp_path, server) as made:
        yield made


def paper(office: Decided, case_id: int, index: int | None = None, paper_id: str = "decision", by: str = DIVISION_HEAD) -> Paper:
    """A paper as somebody sees it now."""
    return office.engine.paper(office.who(by), case_id, paper_id, index=index)


def sheet(made: Paper) -> str:
    """The sheet that may never change, as its bytes."""
    data = made.as_json()
    data.pop("additions", None)
    return json.dumps(data, ensure_ascii=False)


def drawn(made: Paper) -> list[bytes]:
    """What is drawn on each page of the sheet, in the PDF that has the additions too."""
    pages = pypdf.PdfReader(io.BytesIO(render_pdf(made))).pages
    return [page.get_contents().get_data() for page in pages if "追記 " not in page.extract_text()]


def rows(made: Paper, section: str) -> list[tuple[str, ...]]:
    """The rows of a section; none when the paper does not have it."""
    return [row for part in made.sections if part.id == section for row in part.rows]


def added(made: Paper) -> str:
    """The additions as one text."""
    return "\n".join("\n".join((*part.lines, *(" ".join(row) for row in part.rows))) for part in made.additions)


def replayed(office: Decided, case_id: int) -> None:
    """Every fact of the case follows from its record."""
    with office.engine.reading() as connection:
        assert facts_of(rows_of(connection, case_id)) == office.facts(case_id)


# ---------------------------------------------------------------- what it holds


def test_the_paper_says_what_was_decided_on_what_past_whom_and_by_which_record(both: Decided) -> None:
    office = both
    case_id = office.checked(media=[{"id": "M-1", "kind": "DVD", "note": ""}], carrier=STAFF_B)
    office.attach(case_id, "図面.pdf", b"%PDF-1.4 drawing")
    office.pass_time(minutes=30)
    office.does(DIVISION_HEAD, case_id, "decide", decision="conditional", conditions="暗号化すること。\n二人で運ぶこと。")
    made = paper(office, case_id)
    assert (made.title, made.number, made.sender, made.watermark) == ("決裁鑑", "案R8-0001", "試験庁 第一課", "")
    assert made.additions == () and made.complete
    case = dict(rows(made, "case"))
    assert (
        case["件名"] == "研修用の媒体の持出し"
        and case["起案"] == "令和8年11月16日10時00分"
        and case["起案者"] == "第一課 職員 第一課 職員さん"
    )
    assert case["手続"] == "手続（第1版、令和8年11月16日施行）"
    assert rows(made, "seats") == [
        ("審査", "第一課 保護管理者", "第一課 保護管理者さん", "令和8年11月16日\n11時00分", ""),
        ("決裁", "北部 部課等保護管理者", "北部 部課等保護管理者さん", "令和8年11月16日\n12時30分", ""),
    ]
    ruling = dict(rows(made, "decision"))
    assert (ruling["決定"], ruling["条件"]) == ("条件を付けて承認", "暗号化すること。\n二人で運ぶこと。")
    assert (ruling["決定の日時"], ruling["根拠"]) == ("令和8年11月16日12時30分", "試験規程 第3条")
    application = dict(rows(made, "application"))
    assert application["期限"] == "令和9年3月31日" and application["媒体"] == "・番号：M-1、種類：DVD"
    assert (application["担当の課"], application["携行する人"]) == ("第一課", "第二課 職員さん")
    [(_, opinion, who)] = rows(made, "course")
    assert "意見：差し支えない" in opinion and who == "第一課 保護管理者\n第一課 保護管理者さん"
    assert rows(made, "attachments") == [("図面.pdf", "16 バイト", hashlib.sha256(b"%PDF-1.4 drawing").hexdigest())]
    decided = office.history(case_id, "task.completed")[-1]
    assert rows(made, "proof") == [
        ("記録の番号", f"案件の記録の第{decided['seq']}号"),
        ("ハッシュ値（SHA-256）", decided["digest"]),
    ]
    assert office.engine.verify_history() == ()
    replayed(office, case_id)


def test_before_the_decision_it_is_a_draft_and_says_so_across_the_page(office: Decided) -> None:
    case_id = office.applied()
    made = paper(office, case_id, by=MANAGER_A)
    assert (made.watermark, rows(made, "decision"), rows(made, "seats"), rows(made, "proof")) == ("決裁前（案）", [], [], [])
    office.act(case_id, "amend", item_summary="直した", amount=5, contractor="乙社", expires_on="2027-03-31")
    assert dict(rows(paper(office, case_id, by=MANAGER_A), "application"))["委託先"] == "乙社", "a draft follows the case"
    offered = [(one.id, one.name) for one in office.engine.case(office.who(MANAGER_A), case_id).papers]
    assert offered == [("decision", "決裁鑑（案）")]
    office.does(MANAGER_A, case_id, "check", opinion="よい")
    step = office.engine.task(office.who(DIVISION_HEAD), office.task(case_id, "decide")["id"])
    assert (step.papers[0].id, step.papers[0].of_step) == ("decision", True)
    office.does(DIVISION_HEAD, case_id, "decide", decision="refuse")
    assert [one.name for one in office.engine.case(office.who(MANAGER_A), case_id).papers] == ["決裁鑑"]


def test_a_case_that_ended_undecided_has_none_but_says_so(office: Decided) -> None:
    case_id = office.applied()
    with office.by(STAFF_A) as work:
        work.withdraw(case_id, "要らなくなった")
    assert office.engine.case(office.who(MANAGER_A), case_id).papers == ()
    assert paper(office, case_id, by=MANAGER_A).watermark == "決裁なし（終了）"


def test_only_who_sees_the_case_sees_it_and_only_decided_procedures_have_it(office: Decided) -> None:
    case_id = office.decided()
    with pytest.raises(CaseNotFound):
        paper(office, case_id, by="protection_manager.b")
    with pytest.raises(CaseNotFound):
        paper(office, case_id, by="audit_officer.elsewhere.elsewhere")
    for index in (-1, 1, 99):
        with pytest.raises(NotFound):
            paper(office, case_id, index)
    undecided = office.start("parallel")
    with pytest.raises(NotFound):
        paper(office, undecided, by=STAFF_A)


# ---------------------------------------------------------------- nothing changes it


def folder_with_other_names(place: Path) -> Path:
    """The same office after somebody has edited its folder: office, unit, role and clause are called otherwise."""
    made = place / "edited"
    shutil.copytree(folder(), made)
    for name, changed in (
        ("organisation.toml", (("試験庁", "改称庁"), ("第一課", "総合課"), ("部課等保護管理者", "統括者"))),
        ("clauses.csv", (("試験規程", "新規程"),)),
    ):
        text = (made / "office" / name).read_text("utf-8")
        for old, new in changed:
            assert old in text
            text = text.replace(old, new)
        (made / "office" / name).write_text(text, "utf-8")
    return made


def test_whatever_happens_afterwards_not_a_letter_of_the_sheet_changes(both: Decided, tmp_path: Path) -> None:
    """Facts, names, posts, units, files, notes, the office's folder: all change, and the sheet is what it was, byte by byte."""
    office = both
    case_id = office.checked(carrier=STAFF_B)
    office.attach(case_id, "図面.pdf", b"%PDF-1.4 drawing")
    office.does(DIVISION_HEAD, case_id, "decide", decision="conditional", conditions="暗号化すること")
    before = paper(office, case_id)
    stood, pages = sheet(before), drawn(before)
    office.pass_time(hours=1)

    office.act(case_id, "amend", item_summary="別の件名", amount=9, contractor="丙社", expires_on="2030-01-01", conditions="条件なし")
    with office.by(MANAGER_A) as work:
        work.note(case_id, "条件の履行を確かめた")
    office.attach(case_id, "写し.pdf", b"%PDF-1.4 copy", by=MANAGER_A)
    for person in (STAFF_A, STAFF_B, MANAGER_A, DIVISION_HEAD):
        office.engine.personnel.change(office.who(KEEPER), person, f"改姓 {person}", None)
    office.newcomer("second", "division_protection_manager@north", kind="caretaker")
    orders(office, rename("a", "企画課"), rename("north", "北方部"))
    office.to_midnight()
    office.does(MANAGER_A, case_id, "receive", approval_number="承-7")
    with office.by(MANAGER_A) as work:
        work.note(case_id, "写しを綴った")

    after = paper(office, case_id)
    assert sheet(after) == stood and drawn(after) == pages
    edited = make_engine(office.engine.settings.database, office.clock, bpmn=folder_with_other_names(tmp_path))
    again = edited.paper(edited.viewer(DIVISION_HEAD), case_id, "decision")
    assert edited.organisations["office"].name == "改称庁"
    assert sheet(again) == stood and drawn(again) == pages
    edited.close()

    told = added(after)
    for said in (
        "「事実の更新」を行いました", "金額：1200 → 9", "委託先：甲社 → 丙社", "条件：暗号化すること → 条件なし", "条件の履行を確かめた",
        "「写し.pdf」を添付しました（13 バイト）", hashlib.sha256(b"%PDF-1.4 copy").hexdigest(), "承認番号：（未記入） → 承-7", "改姓 protection_manager.a",
        "写しを綴った", "案件が終わりました：完了",
    ):  # fmt: skip
        assert said in told, said
    assert "図面.pdf" not in told and "暗号化すること" in stood and "改姓" not in stood and "企画課" not in stood
    replayed(office, case_id)


def test_the_pages_of_additions_are_counted_apart(office: Decided) -> None:
    case_id = office.decided()
    for number in range(40):
        with office.by(MANAGER_A) as work:
            work.note(case_id, f"追記の{number}")
    texts = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(render_pdf(paper(office, case_id)))).pages]
    own = [text for text in texts if "追記 " not in text]
    assert len(own) >= 1 and f"1 / {len(own)} ページ" in texts[0] and len(texts) > len(own)
    assert f"追記 1 / {len(texts) - len(own)} ページ" in texts[len(own)] and "決裁後の追記" in texts[len(own)]


def test_a_decision_of_before_names_were_kept_says_that_they_are_of_today(office: Decided, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Work, "_names", lambda *_: {})
    case_id = office.decided()
    made = paper(office, case_id)
    assert rows(made, "seats")[-1][2] == "北部 部課等保護管理者さん"
    [proof] = [part for part in made.sections if part.id == "proof"]
    assert "現在のもの" in proof.lines[-1]


# ---------------------------------------------------------------- several decisions


def test_every_decision_has_its_own_paper_and_a_decision_that_fell_is_said_to_have_fallen(office: Decided) -> None:
    """Sent back by who decides; corrections asked for; approved; sent back by the step after; approved again: five papers, none rewritten."""
    case_id = office.checked()
    with office.by(DIVISION_HEAD) as work:
        work.send_back(office.task(case_id, "decide")["id"], "実地の確認が要る", "check")
    first = sheet(paper(office, case_id, 0))
    assert dict(rows(paper(office, case_id, 0), "decision")) | {} == {
        "決定": "差戻し", "決定の日時": "令和8年11月16日12時00分", "決定した者": "北部 部課等保護管理者 北部 部課等保護管理者さん",
        "理由": "実地の確認が要る", "根拠": "試験規程 第3条",
    }  # fmt: skip
    assert rows(paper(office, case_id, 0), "seats")[-1][-1] == "差戻し"
    office.does(MANAGER_A, case_id, "check", opinion="実地でみた", on_site=True)
    office.does(DIVISION_HEAD, case_id, "decide", decision="correct")
    office.does(STAFF_A, case_id, "fix", amount=800, contractor="乙社")
    office.does(MANAGER_A, case_id, "check", opinion="直っている")
    office.does(DIVISION_HEAD, case_id, "decide", decision="approve")
    third = sheet(paper(office, case_id, 2))
    with office.by(MANAGER_A) as work:
        work.send_back(office.task(case_id, "receive")["id"], "相手方の名称が違う", "decide")
    assert paper(office, case_id).watermark == "決裁前（案）", "it is to be decided again"
    office.does(DIVISION_HEAD, case_id, "decide", decision="approve")

    last = paper(office, case_id)
    assert last.title == "決裁鑑（第4回）" and dict(rows(last, "decision"))["決定"] == "承認"
    assert [words.split("（")[0] for _, words in last.choices] == ["第1回　差戻し", "第2回　是正を求める", "第3回　承認", "第4回　承認"]
    assert [("差し戻された" in words, "決裁し直された" in words) for _, words in last.choices] == [
        (False, False),
        (False, True),
        (True, False),
        (False, False),
    ]
    assert sheet(paper(office, case_id, 0)) == first and sheet(paper(office, case_id, 2)) == third
    assert "この決裁は、その後差し戻されました" in added(paper(office, case_id, 2)) and "もう一度決裁されました" in added(
        paper(office, case_id, 1)
    )
    assert dict(rows(paper(office, case_id, 1), "application"))["金額"] == "1200", "as it was decided on then"
    assert dict(rows(last, "application"))["金額"] == "800" and dict(rows(last, "application"))["委託先"] == "乙社"
    course = "\n".join(row[1] for row in rows(last, "course"))
    for said in (
        "実地の確認が要る",
        "実地で確認した：はい",
        "金額：1200 → 800",
        "決定：是正を求める",
        "相手方の名称が違う",
        "意見：直っている",
    ):
        assert said in course, said
    with office.by(STAFF_A) as work:
        work.withdraw(case_id, "取り下げる")
    assert "案件は取り下げられました" in added(paper(office, case_id))
    replayed(office, case_id)


def test_who_did_a_step_twice_stands_in_the_row_of_seats_once_as_of_the_last_time(office: Decided) -> None:
    case_id = office.applied()
    office.pass_time(hours=1)
    office.does(MANAGER_A, case_id, "check", opinion="一度目", on_site=True)
    office.pass_time(hours=1)
    office.does(DIVISION_HEAD, case_id, "decide", decision="correct")
    office.does(STAFF_A, case_id, "fix", amount=800)
    office.pass_time(hours=3)
    office.does(MANAGER_A, case_id, "check", opinion="二度目")
    course = "\n".join(row[1] for row in rows(paper(office, case_id), "course"))
    assert "金額：1200 → 800" in course and course.count("実地で確認した") == 1, "what the diagram clears beside a form is no news"
    office.does(DIVISION_HEAD, case_id, "decide", decision="approve")
    seats = rows(paper(office, case_id), "seats")
    assert [row[0] for row in seats] == ["補正", "審査", "決裁"] and seats[1][3] == "令和8年11月16日\n15時00分"


# ---------------------------------------------------------------- marks: in whose stead


def test_who_acted_in_somebodys_stead_is_marked_with_principal_and_rule(office: Decided) -> None:
    office.deputy(MANAGER_A, STAFF_B, by=MANAGER_A, basis="規程第5条第2項")
    case_id = office.applied()
    office.does(STAFF_B, case_id, "check", opinion="代理でみた")
    office.newcomer("decider")
    office.deputy(DIVISION_HEAD, "decider", kind="decision", seat="division_protection_manager@north", basis="専決規程第3条")
    office.away(DIVISION_HEAD)
    office.does("decider", case_id, "decide", decision="approve")
    made = paper(office, case_id, by=MANAGER_A)
    check, decide = rows(made, "seats")
    assert check[1:3] == ("第一課 保護管理者", "第二課 職員さん") and check[4] == "第一課 保護管理者さんの代理、根拠：規程第5条第2項"
    assert decide[2] == "deciderさん" and decide[4] == "北部 部課等保護管理者さんの代決、根拠：専決規程第3条"
    assert dict(rows(made, "decision"))["決定の資格"] == decide[4]
    stood = sheet(made)
    office.engine.personnel.change(office.who(KEEPER), MANAGER_A, "改姓", None)
    referral = next(one for one in office.engine.referrals(office.who(DIVISION_HEAD)) if one.case_id == case_id)
    with office.by(DIVISION_HEAD) as work:
        work.confirm(referral.id)
    made = paper(office, case_id, by=MANAGER_A)
    assert sheet(made) == stood and "後閲を確認しました" in added(made)


def test_a_review_passed_over_is_marked_and_so_is_who_took_the_paper_past_it(office: Decided) -> None:
    office.away(MANAGER_A)
    absent = office.applied()
    office.does(DIVISION_HEAD, absent, "decide", decision="approve")
    [review, _] = rows(paper(office, absent), "seats")
    assert (review[0], review[1], review[2], review[4]) == ("審査", "第一課 保護管理者", "", "後閲、担当が不在のため")
    replayed(office, absent)


def test_a_paper_taken_past_its_reviewer_names_who_took_it(office: Decided) -> None:
    case_id = office.applied()
    gives_sight(office, case_id, DIVISION)
    with office.by(DIVISION_HEAD) as work:
        work.pull_up(office.task(case_id, "check")["id"], "急ぐため")
    office.newcomer("other", "division_protection_manager@north", kind="concurrent")
    office.does("other", case_id, "decide", decision="approve")
    made = paper(office, case_id)
    [review, _] = rows(made, "seats")
    assert review[4] == "引上げ：北部 部課等保護管理者 北部 部課等保護管理者さん、上位者の引上げにより"
    assert "急ぐため" in "\n".join(row[1] for row in rows(made, "course"))


def test_consultations_and_notes_before_the_decision_stand_in_the_course(office: Decided) -> None:
    case_id = office.checked()
    with office.by(DIVISION_HEAD) as work:
        asked = work.consult(case_id, f"person:{STAFF_B}", "前例はあるか")
    with office.by(STAFF_B) as work:
        work.answer(asked, "昨年度に二件ある")
    with office.by(DIVISION_HEAD) as work:
        work.note(case_id, "前例を確かめた")
    office.does(DIVISION_HEAD, case_id, "decide", decision="approve")
    course = "\n".join(" ".join(row) for row in rows(paper(office, case_id), "course"))
    for said in ("前例はあるか", "昨年度に二件ある", "前例を確かめた"):
        assert said in course
    assert "が届きました" not in course and "督促" not in course


def test_every_fact_follows_from_the_record_whatever_way_it_came(office: Decided) -> None:
    """The sheet replays the record, so no act may change a fact without its row saying so."""
    office.away(MANAGER_A)
    cases = [office.start("route"), office.start("at_once"), office.start("clock", duty="yes", report_days=5), office.applied()]
    office.does(STAFF_A, cases[0], "draft", afterwards=True)
    office.act(cases[2], "amend", seat="person:staff.a", duty="no")
    office.pass_time(days=2)
    office.does(DIVISION_HEAD, cases[3], "decide", decision="correct")
    for case_id in cases:
        replayed(office, case_id)
    assert "facts" in office.history(cases[0], "task.passed_over")[0]["data"]


# ---------------------------------------------------------------- the row's own proof


def test_the_names_are_in_the_chain_and_cannot_be_edited_unseen(office: Decided) -> None:
    case_id = office.decided()
    row = office.history(case_id, "task.completed")[-1]
    names: dict[str, Any] = row["data"]["names"]
    assert names["office"] == "試験庁" and names["persons"][DIVISION_HEAD] == "北部 部課等保護管理者さん"
    assert names["seats"]["division_protection_manager@north"] == "北部 部課等保護管理者" and names["units"]["a"] == "第一課"
    assert names["clauses"] == {"C-1": "試験規程 第1条", "C-3": "試験規程 第3条"}
    assert "names" not in office.history(case_id, "task.completed")[0]["data"], "only a decision's row keeps them"
    with office.engine.reading() as connection:
        found = decisions(rows_of(connection, case_id), office.engine.definitions.get(connection, row["definition"]).net)
    assert [(one.number, one.state, one.row.digest) for one in found] == [(1, "stands", row["digest"])]


# ---------------------------------------------------------------- the paper of an approval


def test_there_is_no_paper_of_an_approval_before_one_or_after_a_refusal(office: Decided) -> None:
    waiting, refused, corrected = office.checked(), office.decided("refuse"), office.decided("correct")
    for case_id in (waiting, refused, corrected):
        assert "permit_paper" not in [one.id for one in office.engine.case(office.who(DIVISION_HEAD), case_id).papers]
        with pytest.raises(NotFound):
            paper(office, case_id, paper_id="permit_paper")
    with pytest.raises(NotFound):
        paper(office, office.start("parallel"), paper_id="permit_paper", by=STAFF_A)


def test_the_paper_of_an_approval_says_what_was_approved_not_what_was_changed_since(office: Decided) -> None:
    case_id = office.checked(media=[{"id": "M-1", "kind": "DVD", "note": "控え"}], carrier=STAFF_B)
    office.does(DIVISION_HEAD, case_id, "decide", decision="conditional", conditions="暗号化すること")
    made = paper(office, case_id, paper_id="permit_paper")
    assert (made.addressee, made.sender, made.missing) == ("甲社 殿", "試験庁 北部 部課等保護管理者", ("番号",))
    assert made.made_on.isoformat() == "2026-11-16" and made.notes == ("条件の履行を確かめてください。",)
    terms = dict(rows(made, "terms"))
    assert terms == {"期限": "令和9年3月31日", "金額": "1200", "携行する人": "第二課 職員さん", "条件": "暗号化すること"}
    [media] = [part for part in made.sections if part.id == "media"]
    assert (media.columns, media.rows) == (("番号", "種類"), (("M-1", "DVD"),))
    offered = next(one for one in office.engine.case(office.who(DIVISION_HEAD), case_id).papers if one.id == "permit_paper")
    assert (offered.name, offered.for_party) == ("許可書", True)

    office.pass_time(days=3)
    office.act(case_id, "amend", item_summary="別", amount=9, contractor="丙社", expires_on="2030-01-01", conditions="なし")
    step = office.engine.task(office.who(MANAGER_A), office.task(case_id, "receive")["id"])
    assert step.papers[0].id == "permit_paper"
    office.does(MANAGER_A, case_id, "receive", approval_number="承-7")
    later = paper(office, case_id, paper_id="permit_paper")
    assert (later.number, later.missing, later.complete, later.made_on) == ("承-7", (), True, made.made_on), (
        "only what was blank is filled in"
    )
    assert (dict(rows(later, "terms")), later.addressee) == (terms, "甲社 殿")


def test_what_is_not_in_the_approval_is_missing_by_name(office: Decided) -> None:
    case_id = office.checked(expires_on="")
    office.does(DIVISION_HEAD, case_id, "decide", decision="approve")
    made = paper(office, case_id, paper_id="permit_paper")
    assert made.missing == ("番号", "期限") and not made.complete and made.notes == ()
    assert "媒体" not in [part.heading for part in made.sections]


def test_an_approval_that_fell_takes_its_paper_with_it_and_a_revoked_one_is_marked(office: Decided) -> None:
    case_id = office.decided()
    with office.by(MANAGER_A) as work:
        work.send_back(office.task(case_id, "receive")["id"], "やり直し", "decide")
    with pytest.raises(NotFound):
        paper(office, case_id, paper_id="permit_paper")
    office.pass_time(days=1)
    office.does(DIVISION_HEAD, case_id, "decide", decision="approve")
    assert paper(office, case_id, paper_id="permit_paper").made_on.isoformat() == "2026-11-17"
    office.act(case_id, "revoke", seat="division_protection_manager@north", revoked_because="条件に反した")
    made = paper(office, case_id, paper_id="permit_paper")
    assert made.watermark == "取消済み"
    assert "取消しの理由：（未記入） → 条件に反した" in added(paper(office, case_id))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("{contractor} 殿", "{contracter} 殿"), "contracter"),
        (('revoked == true"', 'revokked == true"'), "revokked"),
        (('table = "media"', 'table = "medium"'), "medium"),
        (('process = ["office_permit"]', 'process = ["office_permit"]\ndecided_by = "check"'), "決裁の処理「check」"),
    ],
)
def test_a_name_that_its_procedure_does_not_have_keeps_it_from_coming_into_force(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    made = tmp_path / "bpmn"
    shutil.copytree(folder(), made)
    (made / "office" / "papers" / "permit_paper.toml").write_text(PAPER.replace(*change), "utf-8")
    engine = make_engine(f"sqlite:///{tmp_path / 'x.sqlite'}", SetClock(MONDAY), bpmn=made)
    engine.migrate()
    with pytest.raises(DefinitionRefused) as refused:
        engine.deploy("office", "designer.office")
    engine.close()
    [finding] = refused.value.findings
    assert (finding.rule, finding.file) == ("paper_unknown", "papers/permit_paper.toml") and said in finding.message


@pytest.mark.parametrize(
    ("name", "change", "rule"),
    [
        ("permit_paper", ('approved_when = \'decision == "approve" or decision == "conditional"\'', ""), "missing-key"),
        ("permit_paper", ('process = ["office_permit"]', "process = []"), "missing-key"),
        ("permit_paper", ('void_when = "revoked == true"', 'void_when = "revoked ="'), "bad-expression"),
        ("permit_paper", ("when = ['decision == \"conditional\"']", 'when = ["1 +"]'), "bad-expression"),
        ("permit_paper", ("for_party = true", 'for_party = "yes"'), "wrong-type"),
        ("permit_paper", ("{contractor} 殿", "{contractor!r} 殿"), "unknown-placeholder"),
        ("permit_paper", ('void = "取消済み"', 'colour = "red"'), "unknown-key"),
        ("decision", ("", ""), "unknown-paper"),
        ("Permit-Paper", ("", ""), "unknown-paper"),
    ],
)
def test_a_wrong_template_of_an_approval_is_refused(tmp_path: Path, name: str, change: tuple[str, str], rule: str) -> None:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / f"{name}.toml").write_text(PAPER.replace(*change), "utf-8")
    with pytest.raises(OrganisationBroken) as refused:
        load_templates(tmp_path)
    assert {finding.rule for finding in refused.value.findings} == {rule}


def test_the_agencys_papers_of_approvals_say_number_scope_and_expiry() -> None:
    """全項目評価書 Ⅱ4: the approval names what may be passed on, to whom, until when."""
    templates = office_templates(Path(__file__).resolve().parents[2] / "bpmn" / "isa").papers
    approval, permit = templates["resubcontract_approval"], templates["media_permit"]
    assert {"approval_number", "contractor", "subcontractor", "scope", "conditions", "approval_expires_on", "decided_on"} <= approval.names
    assert approval.for_party and not permit.for_party
    assert {"permit_number", "media", "purpose", "destination", "carrier", "window_from", "window_to", "return_by"} <= permit.names


def test_a_decision_cannot_be_passed_over(tmp_path: Path) -> None:
    made = tmp_path / "bpmn"
    shutil.copytree(folder(), made)
    parts = [
        part.replace(
            '<camunda:property name="decision" value="true"/>',
            '<camunda:property name="decision" value="true"/><camunda:property name="passed_over" value="opinion=&quot;x&quot;"/>',
        )
        for part in PERMIT
    ]
    (made / "office" / "permit.bpmn").write_bytes(
        diagram(*parts, id="office_permit", head='<bpmn:message id="m_amend" name="amend"/><bpmn:message id="m_revoke" name="revoke"/>')
    )
    engine = make_engine(f"sqlite:///{tmp_path / 'x.sqlite'}", SetClock(MONDAY), bpmn=made)
    engine.migrate()
    with pytest.raises(DefinitionRefused) as refused:
        engine.deploy("office", "designer.office")
    engine.close()
    assert "決裁や繰り返しの処理は、後閲にできません。" in [finding.message for finding in refused.value.findings]

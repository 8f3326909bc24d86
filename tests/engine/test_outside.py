"""The contractor's side: links that open once, a party that sees and does its own thread alone, and a record that says who did what."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from engine import (
    AttachmentNotFound,
    AttachmentRefused,
    CaseClosed,
    CaseNotFound,
    FormInvalid,
    LinkNotFound,
    LinkNotUsable,
    LinkRefused,
    NotAccepted,
    NotAllowed,
    PersonNotFound,
    ProcessNotFound,
    SamePerson,
    StaleVersion,
    StepOver,
    TadachiError,
    TaskNotFound,
    load_organisation,
)
from engine.deploy_check import check
from engine.links import LONGEST_DAYS, MOST_LIVE, MOST_REFUSED
from engine.parsing import examine
from tests.engine.drawing import diagram, end, flows, start
from tests.engine.outside import APPLICATION, OFFICER, PARTY, SECRETS, Outside, folder, make_outside
from tests.support import DIVISION, MANAGER, action, field, in_threads, postgresql_copy, said, step

PDF = b"%PDF-1.7\n"


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    """The small office with a party outside, on SQLite."""
    made = make_outside(tmp_path)
    yield made
    made.engine.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Outside]:
    """The same, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        made = make_outside(tmp_path)
        yield made
        made.engine.close()
        return
    with postgresql_copy(request.getfixturevalue("postgresql_url")) as url:
        made = make_outside(tmp_path, url)
        yield made
        made.engine.close()


def everything(outside: Outside, session: str) -> str:
    """All that the party is handed, as text."""
    thread = outside.thread(session)
    forms = [outside.desk.form(session, step.task_id) for step in thread.steps]
    return json.dumps([dataclasses.asdict(one) for one in (thread, *forms)], ensure_ascii=False, default=str)


def refused(outside: Outside, kind: type[TadachiError], do: Callable[[], Any]) -> TadachiError:
    """A refusal changes nothing but the record of it and the count of the link."""
    before = outside.checksums()
    with pytest.raises(kind) as caught:
        do()
    assert type(caught.value) is kind
    changed = {name for name, total in outside.checksums().items() if before[name] != total}
    assert changed <= {"history", "counter", "outside_link"}, changed
    assert outside.rows("history")[-1]["tag"] == "attempt.refused"
    assert not any(secret in caught.value.text for secret in SECRETS)
    assert outside.engine.verify_history() == ()
    return caught.value


# ---------------------------------------------------------------- a link opens once


def test_a_link_is_looked_at_as_often_as_one_likes_and_exchanged_once(both: Outside) -> None:
    token = both.issue()
    for _ in range(3):  # mail programs look at links by themselves
        welcome = both.desk.welcome(token)
        assert (welcome.office, welcome.party, welcome.seat) == ("試験庁", PARTY, "第一課 職員")
    session = both.desk.enter(token)
    assert both.thread(session).may_start
    for use in (both.desk.welcome, both.desk.enter):
        with pytest.raises(LinkNotUsable):
            use(token)
    assert both.desk.leads_to(session, token) and not both.desk.leads_to("other", token) and not both.desk.leads_to(session, "other")
    both.desk.start(session, APPLICATION)
    assert both.thread(session).number.startswith("案R8-") and both.engine.verify_history() == ()


def test_of_many_who_open_it_at_once_one_gets_in(both: Outside) -> None:
    token = both.issue()
    results = in_threads(4, lambda _: both.desk.enter(token))
    assert sorted(type(one).__name__ for one in results) == ["LinkNotUsable"] * 3 + ["str"]
    assert len(both.rows("history", tag="link.opened")) == 1


def test_a_case_is_started_once_however_often_the_form_is_sent(both: Outside) -> None:
    session = both.session()
    results = in_threads(3, lambda _: both.desk.start(session, APPLICATION))
    assert sorted(type(one).__name__ for one in results) == ["NoneType", "StepOver", "StepOver"]
    assert len(both.rows("case_file")) == 1 and both.engine.verify_history() == ()


def test_only_hashes_are_stored(outside: Outside) -> None:
    token = outside.issue()
    session = outside.desk.enter(token)
    outside.desk.start(session, APPLICATION)
    for table in outside.checksums():
        text = str(outside.rows(table))
        assert token not in text and session not in text, table


def test_every_link_that_opens_nothing_reads_alike(outside: Outside) -> None:
    """Nobody learns whether an address was ever right."""
    used, revoked, late = outside.issue(), outside.issue(), outside.issue(days=1)
    outside.desk.enter(used)
    outside.desk.revoke(outside.engine.viewer(OFFICER), outside.rows("outside_link")[1]["id"])
    outside.wait(days=1)
    told = set()
    for token in (used, revoked, late, "unknown", "", "a\x00b", "\ud800", "x" * 5_000):
        for use in (outside.desk.welcome, outside.desk.enter, outside.desk.thread, outside.desk.start_form):
            with pytest.raises(LinkNotUsable) as caught:
                use(token)
            told.add((caught.value.text, str(caught.value.ids)))
    assert len(told) == 1


def test_a_session_lies_idle_for_an_hour_and_no_longer(outside: Outside) -> None:
    session = outside.session()
    for _ in range(5):
        outside.wait(minutes=60)
        outside.thread(session)
    outside.wait(minutes=61)
    with pytest.raises(LinkNotUsable):
        outside.thread(session)
    with pytest.raises(LinkNotUsable):
        outside.desk.start(session, APPLICATION)
    assert outside.rows("case_file") == []


def test_a_session_ends_with_the_time_of_its_link(outside: Outside) -> None:
    session = outside.session(days=1)
    while outside.clock.now() < outside.rows("outside_link")[0]["expires_at"]:
        outside.thread(session)
        outside.wait(minutes=50)
    with pytest.raises(LinkNotUsable):
        outside.thread(session)


def test_the_party_closes_its_link_itself(outside: Outside) -> None:
    session, case_id = outside.applied()
    outside.desk.leave(session)
    outside.desk.leave(session)
    outside.desk.leave("nobody's")
    with pytest.raises(LinkNotUsable):
        outside.thread(session)
    assert len(outside.history(case_id, "link.ended")) == 1
    assert outside.desk.of_case(outside.viewer(MANAGER), case_id).links[0].label == "終了"


def test_what_the_office_sees_of_a_link(outside: Outside) -> None:
    viewer = outside.engine.viewer(OFFICER)

    def state() -> str:
        return str(outside.desk.to_start(outside.engine.viewer(OFFICER), "office_contract").links[0].label)

    token = outside.issue(days=2)
    assert state() == "未使用"
    outside.desk.enter(token)
    assert state() == "使用中"
    outside.wait(hours=2)
    assert state() == "終了"
    outside.issue(days=2)
    outside.wait(days=2)
    assert state() == "期限切れ"
    outside.issue()
    outside.desk.revoke(viewer, outside.rows("outside_link")[-1]["id"])
    assert state() == "取消"


# ---------------------------------------------------------------- what the party does


def test_an_application_is_corrected_decided_and_followed_up(both: Outside) -> None:
    session, case_id = both.applied()
    assert both.waits(case_id) == ["check"] and both.case(case_id)["reporter"] == "link:1"
    both.checked(case_id, ask="区画の図面はありますか。")
    thread = both.thread(session)
    assert [step.name for step in thread.steps] == ["申請の補正"] and thread.state == "waiting"
    form = both.desk.form(session, thread.steps[0].task_id)
    given = {item.id: item.value for item in form.fields}
    assert given["measures"] == APPLICATION["measures"] and given["ask"] == "区画の図面はありますか。"
    answers = {**APPLICATION, "measures": "図面のとおり扱います"}
    both.desk.complete(session, thread.steps[0].task_id, answers, form.version, [("図面.pdf", PDF)])
    both.checked(case_id, complete=True)
    both.complete(case_id, "decide", DIVISION, verdict="granted")
    both.desk.complete(session, both.task(case_id, "report")["id"], {"contracted_on": "2026-11-16"})
    assert both.case(case_id)["state"] == "closed"
    thread = both.thread(session)
    assert thread.state == "over" and "承認" not in thread.state_text
    assert [form.name for form in thread.sent] == ["契約の写しの提出", "申請の補正", "手続"]  # every version is kept
    assert [[item.text for item in form.fields if item.id == "measures"] for form in thread.sent] == [
        [],
        ["図面のとおり扱います"],
        ["専用の区画で扱います"],
    ]
    assert [file.name for file in thread.files] == ["図面.pdf"]
    assert both.engine.verify_history() == ()


def test_the_record_says_that_the_party_did_it_for_the_seat(outside: Outside) -> None:
    _, case_id = outside.applied()
    row = outside.history(case_id, "case.started")[0]
    assert (row["person"], row["seat"]) == ("link:1", "staff@a")
    assert row["data"]["acting"] == {"kind": "link", "basis": "入力用リンク1番"}
    assert row["data"]["sent"] == {**APPLICATION}
    page = outside.engine.case(outside.engine.viewer(OFFICER), case_id)
    event = next(one for one in page.timeline if one.tag == "case.started")
    assert event.person_name == f"相手方 {PARTY}（リンク）" == page.head.reporter_name
    assert event.seat_name == "第一課 職員" and event.acting == "相手方の入力、根拠：入力用リンク1番"
    assert outside.engine.cases(outside.engine.viewer(OFFICER))[0][0].reporter_name == f"相手方 {PARTY}（リンク）"


def test_nobody_acts_as_a_party_except_by_its_link(outside: Outside) -> None:
    _, case_id = outside.applied()
    with pytest.raises(PersonNotFound), outside.engine.work(by="link:1") as work:
        work.note(case_id, "x")
    with pytest.raises(PersonNotFound):
        outside.engine.viewer("link:1")


def test_people_are_told_as_of_any_step_and_the_party_of_nothing(outside: Outside) -> None:
    _, case_id = outside.applied()
    assert {row["person"] for row in outside.notices(case_id=case_id)} == {"protection_manager.a"}
    outside.checked(case_id)
    assert {row["template"] for row in outside.notices(OFFICER, case_id=case_id)} == {"task_opened"}
    assert not [row for row in outside.notices() if row["person"].startswith("link:")]


def test_whoever_issued_the_link_is_not_the_applicant(outside: Outside) -> None:
    """The officer may hold the checking seat too: the application is the party's."""
    outside.appoint(OFFICER, MANAGER, kind="concurrent")
    _, case_id = outside.applied()
    with outside.engine.work(by=OFFICER, seat=MANAGER) as work:
        work.complete(outside.task(case_id, "check")["id"], {"complete": True})
    assert outside.waits(case_id) == ["decide"]


def test_but_whoever_typed_the_application_himself_is(outside: Outside) -> None:
    outside.appoint(OFFICER, MANAGER, kind="concurrent")
    case_id = outside.entered(**APPLICATION)
    with pytest.raises(SamePerson), outside.engine.work(by=OFFICER, seat=MANAGER) as work:
        work.complete(outside.task(case_id, "check")["id"], {"complete": True})


def test_a_party_is_one_person_whatever_link_it_has_and_another_party_another(outside: Outside) -> None:
    session = outside.session(process_id="office_apart")
    outside.desk.start(session, {"item_summary": "依頼"})
    case_id = outside.rows("outside_link")[0]["case_id"]
    task = outside.task(case_id, "confirm")["id"]
    refused(outside, NotAccepted, lambda: outside.desk.complete(session, task, {"reply": "確認した"}))
    again = outside.session(case_id=case_id)
    refused(outside, NotAccepted, lambda: outside.desk.complete(again, task, {"reply": "確認した"}))
    other = outside.session(case_id=case_id, party="別のみほん")
    assert outside.thread(other).sent == () and "依頼" not in everything(outside, other)
    outside.desk.complete(other, task, {"reply": "確認した"})
    assert outside.case(case_id)["state"] == "closed"


def test_what_was_sent_back_comes_with_its_reason(outside: Outside) -> None:
    session, case_id = outside.applied()
    with outside.acting(MANAGER) as work:
        work.send_back(outside.task(case_id, "check")["id"], "段階の記載が足りません。")
    assert outside.thread(session).steps[0].returned == "段階の記載が足りません。"
    assert outside.desk.form(session, outside.thread(session).steps[0].task_id).returned == "段階の記載が足りません。"


def test_a_claim_keeps_colleagues_from_a_step_and_not_the_party(outside: Outside) -> None:
    session, case_id = outside.applied()
    outside.checked(case_id)
    task = outside.task(case_id, "correct")["id"]
    with outside.engine.work(by=OFFICER) as work:
        work.claim(task)
    outside.desk.complete(session, task, APPLICATION)
    assert outside.rows("task", id=task)[0]["closed_by"] == "link:1"


def test_of_the_officer_and_the_party_the_faster_has_sent_it(both: Outside) -> None:
    session, case_id = both.applied()
    both.checked(case_id)
    task = both.task(case_id, "correct")["id"]
    both.complete(case_id, "correct", item_summary="職員が代わりに直した")
    late = refused(both, StepOver, lambda: both.desk.complete(session, task, APPLICATION))
    assert "職員さん" not in late.text
    with pytest.raises(StepOver):
        both.desk.form(session, task)


# ---------------------------------------------------------------- and what it does not


@pytest.mark.parametrize("node", ["check", "decide"])
def test_a_step_of_the_offices_own_does_not_exist_for_it(outside: Outside, node: str) -> None:
    session, case_id = outside.applied()
    if node == "decide":
        outside.checked(case_id, complete=True)
    task = outside.task(case_id, node)["id"]
    nothing = refused(outside, TaskNotFound, lambda: outside.desk.complete(session, 999, {}))
    its = refused(outside, TaskNotFound, lambda: outside.desk.complete(session, task, {"complete": "true"}))
    assert its.text.replace(str(task), "N") == nothing.text.replace("999", "N")
    with pytest.raises(TaskNotFound):
        outside.desk.form(session, task)


def test_another_cases_step_does_not_exist_for_it(both: Outside) -> None:
    """Not even one of the same procedure, of the same seat, left to a party."""
    session, _ = both.applied()
    _, other = both.applied()
    both.checked(other)
    task = both.task(other, "correct")["id"]
    refused(both, TaskNotFound, lambda: both.desk.complete(session, task, APPLICATION))
    with pytest.raises(TaskNotFound):
        both.desk.form(session, task)
    before = both.session()  # one that has not started anything
    refused(both, TaskNotFound, lambda: both.desk.complete(before, task, APPLICATION))
    assert both.waits(other) == ["correct"]


def test_a_closed_case_can_be_read_and_takes_nothing(outside: Outside) -> None:
    session = outside.session(process_id="office_apart")
    outside.desk.start(session, {"item_summary": "依頼"})
    case_id = outside.rows("outside_link")[0]["case_id"]
    task = outside.task(case_id, "confirm")["id"]
    outside.complete(case_id, "confirm", "staff@a")
    refused(outside, StepOver, lambda: outside.desk.complete(session, task, {}))
    refused(outside, StepOver, lambda: outside.desk.start(session, {"item_summary": "もう一度"}))
    assert outside.thread(session).state == "over" and outside.thread(session).sent
    with pytest.raises(CaseClosed):
        outside.issue(case_id=case_id)


def test_no_fact_and_no_name_of_the_office_reaches_it(outside: Outside) -> None:
    session, case_id = outside.applied()
    with outside.acting(MANAGER) as work:
        work.note(case_id, "内部の評価は低い")
    outside.checked(case_id, measures="内部の評価は低いので直した")
    text = everything(outside, session)
    assert not [secret for secret in SECRETS if secret in text], text
    assert "protection_manager" not in text and "staff.a" not in text
    assert APPLICATION["measures"] in text  # its own words, and not what an official made of them


def test_what_a_form_asks_may_depend_on_the_offices_facts_without_showing_them(outside: Outside) -> None:
    session, case_id = outside.applied()
    outside.checked(case_id)
    form = outside.desk.form(session, outside.task(case_id, "correct")["id"])
    asked = {item.id: item for item in form.fields}
    assert asked["hidden"].shown_when == "" and "rating" not in form.facts
    assert asked["tier_reason"].shown_when == 'tier == "second"' and form.facts == {"tier": "first"}
    outside.desk.complete(session, outside.task(case_id, "correct")["id"], APPLICATION)
    outside.complete(case_id, "check", MANAGER, rating="よい", complete=False)
    form = outside.desk.form(session, outside.task(case_id, "correct")["id"])
    assert "hidden" not in {item.id for item in form.fields}


def test_what_it_is_told_it_cannot_change_and_what_is_not_asked_it_cannot_say(outside: Outside) -> None:
    session, case_id = outside.applied()
    outside.checked(case_id, ask="区画の図面はありますか。")
    task = outside.task(case_id, "correct")["id"]
    for answers in ({"rating": "よい"}, {"reporter": "staff.a"}, {"owning_unit": "b"}, {"tier": "third"}):
        error = refused(outside, FormInvalid, lambda answers=answers: outside.desk.complete(session, task, {**APPLICATION, **answers}))
        assert set(answers) == set(getattr(error, "fields", {}))
    outside.desk.complete(session, task, {**APPLICATION, "ask": "ありません"})
    assert outside.facts(case_id)["ask"] == "区画の図面はありますか。"


def test_a_form_made_before_somebody_changed_the_facts_is_not_taken_unseen(outside: Outside) -> None:
    session, case_id = outside.applied()
    outside.checked(case_id)
    form = outside.desk.form(session, outside.task(case_id, "correct")["id"])
    outside.complete(case_id, "correct", measures="職員が直した")
    outside.checked(case_id)
    again = outside.task(case_id, "correct")["id"]
    refused(outside, StaleVersion, lambda: outside.desk.complete(session, again, {**APPLICATION, "measures": "別のこと"}, form.version))


def test_files_are_its_own_or_nobodys(outside: Outside) -> None:
    session = outside.session()
    outside.desk.start(session, APPLICATION, [("体制図.pdf", PDF)])
    case_id = outside.rows("outside_link")[0]["case_id"]
    other, _ = outside.applied()
    with outside.acting(MANAGER) as work:
        internal = work.attach(case_id, "内部の評価.pdf", PDF)
    own = outside.thread(session).files[0].id
    assert outside.desk.file(session, own)[1] == PDF and outside.rows("attachment", id=own)[0]["added_by"] == "link:1"
    for whose, wanted in ((session, internal), (session, 999), (other, own), (other, internal)):
        with pytest.raises(AttachmentNotFound):
            outside.desk.file(whose, wanted)
    assert "内部の評価.pdf" not in everything(outside, session)
    assert outside.engine.case(outside.viewer(MANAGER), case_id).attachments[0].added_by == f"相手方 {PARTY}（リンク）"


def test_a_file_the_office_does_not_take_takes_the_form_back(outside: Outside) -> None:
    session = outside.session()
    for name, content in (("a.exe", b"MZ"), ("a.pdf", b"MZ"), ("a.pdf", PDF + b"0" * 3_000_000)):
        refused(outside, AttachmentRefused, lambda name=name, content=content: outside.desk.start(session, APPLICATION, [(name, content)]))
    assert outside.rows("case_file") == [] and outside.thread(session).may_start


def test_a_fault_of_the_diagram_is_not_explained_to_it(outside: Outside) -> None:
    case_id = outside.entered("faulty")
    session = outside.session(case_id=case_id)
    error = refused(outside, NotAccepted, lambda: outside.desk.complete(session, outside.task(case_id, "answer")["id"], {"reply": "x"}))
    assert "reply" not in error.text and "担当の職員に連絡" in error.text
    assert "reply" in outside.rows("history")[-1]["data"], "the office reads the reason"


def test_whoever_is_refused_again_and_again_is_out(outside: Outside) -> None:
    session, case_id = outside.applied()
    for _ in range(MOST_REFUSED):
        with pytest.raises(TaskNotFound):
            outside.desk.complete(session, 999, {})
    with pytest.raises(LinkNotUsable):
        outside.desk.complete(session, 999, {})
    assert len(outside.history(case_id, "link.stopped")) == 1 and outside.engine.verify_history() == ()


# ---------------------------------------------------------------- who hands links out


def test_the_seat_of_the_partys_steps_hands_them_out_and_takes_them_back(outside: Outside) -> None:
    _, case_id = outside.applied()
    colleague = outside.appoint("colleague", "staff@a")
    found = outside.desk.of_case(outside.engine.viewer(colleague), case_id)
    assert found.may_issue and found.may_revoke and found.party == PARTY
    session = outside.session(case_id=case_id, by=colleague)
    link = outside.rows("outside_link")[-1]["id"]
    assert outside.desk.revoke(outside.engine.viewer(OFFICER), link) == case_id
    assert outside.desk.revoke(outside.engine.viewer(OFFICER), link) == case_id
    assert len(outside.history(case_id, "link.revoked")) == 1
    with pytest.raises(LinkNotUsable):
        outside.desk.complete(session, 1, {})


@pytest.mark.parametrize(
    ("who", "kind", "sees"),
    [
        ("protection_manager.a", NotAllowed, True), ("audit_officer.office", NotAllowed, True), ("staff.b", CaseNotFound, False),
        ("staff.a.elsewhere", CaseNotFound, False),
    ],
)  # fmt: skip
def test_nobody_else_does(outside: Outside, who: str, kind: type[TadachiError], sees: bool) -> None:
    """Who only sees the case sees its links; the same seat of another office sees nothing."""
    outside.applied()
    case_id, link = outside.rows("outside_link")[0]["case_id"], outside.rows("outside_link")[0]["id"]
    viewer = outside.engine.viewer(who)
    with pytest.raises(kind):
        outside.issue(by=who, case_id=case_id)
    with pytest.raises(NotAllowed if sees else LinkNotFound):
        outside.desk.revoke(viewer, link)
    if sees:
        found = outside.desk.of_case(viewer, case_id)
        assert [one.party for one in found.links] == [PARTY] and not found.may_issue and not found.may_revoke
    else:
        with pytest.raises(CaseNotFound):
            outside.desk.of_case(viewer, case_id)
    assert outside.rows("outside_link")[0]["revoked_at"] is None


def test_a_link_to_start_with_is_the_seats(outside: Outside) -> None:
    outside.issue()
    link = outside.rows("outside_link")[0]["id"]
    for who in ("protection_manager.a", "staff.b", "staff.a.elsewhere"):
        with pytest.raises(LinkNotFound):
            outside.desk.revoke(outside.engine.viewer(who), link)
    with pytest.raises(NotAllowed):  # may not start the procedure, and so may not let anybody
        outside.issue(by="protection_manager.a")
    with pytest.raises(NotAllowed):
        outside.desk.to_start(outside.engine.viewer("protection_manager.a"), "office_contract")
    assert outside.desk.to_start(outside.engine.viewer("staff.b"), "office_contract").links == ()
    with pytest.raises(ProcessNotFound):
        outside.issue(by="staff.a.elsewhere")
    assert outside.desk.revoke(outside.engine.viewer(OFFICER), link) is None


def test_a_procedure_that_leaves_nothing_to_a_party_has_no_links(outside: Outside) -> None:
    with pytest.raises(LinkRefused):
        outside.issue(process_id="office_inside")
    with pytest.raises(LinkRefused):
        outside.issue(case_id=outside.entered("inside"))
    with pytest.raises(ProcessNotFound):
        outside.issue(process_id="office_nothing")


@pytest.mark.parametrize(
    ("party", "days", "fields"),
    [
        ("", 1, {"_party"}), ("　\n", 1, {"_party"}), ("x" * 101, 1, {"_party"}), ("読む\u202e逆", 1, {"_party"}), ("a\x00b", 1, {"_party"}),
        ("\ud800", 1, {"_party"}), (PARTY, 0, {"_days"}), (PARTY, LONGEST_DAYS + 1, {"_days"}), ("", -5, {"_party", "_days"}),
    ],
    ids=range(9),
)  # fmt: skip
def test_a_party_has_a_name_and_a_time(outside: Outside, party: str, days: int, fields: set[str]) -> None:
    with pytest.raises(FormInvalid) as caught:
        outside.issue(party=party, days=days)
    assert set(caught.value.fields) == fields and outside.rows("outside_link") == []
    outside.issue(party="<b>みほん</b> & 'Co'", days=LONGEST_DAYS)
    assert outside.rows("outside_link")[0]["party"] == "<b>みほん</b> & 'Co'"


def test_there_are_not_ever_more_links(outside: Outside) -> None:
    for number in range(MOST_LIVE):
        outside.issue(party=f"みほん{number}")
    with pytest.raises(LinkRefused):
        outside.issue()
    outside.desk.revoke(outside.engine.viewer(OFFICER), outside.rows("outside_link")[0]["id"])
    outside.issue()


def test_a_new_link_of_a_party_takes_the_place_of_the_old(both: Outside) -> None:
    """For a new device, or when an hour has passed: the thread goes on, the old session does not."""
    session, case_id = both.applied()
    both.checked(case_id)
    unused = both.issue(case_id=case_id)
    renewed = both.session(case_id=case_id)
    for dead in (lambda: both.thread(session), lambda: both.desk.enter(unused)):
        with pytest.raises(LinkNotUsable):
            dead()
    assert [form.name for form in both.thread(renewed).sent] == ["手続"]
    both.desk.complete(renewed, both.task(case_id, "correct")["id"], APPLICATION)
    rows = both.history(case_id, "task.completed")
    assert rows[-1]["person"] == "link:1" and rows[-1]["data"]["acting"]["basis"] == "入力用リンク3番"
    assert [link.label for link in both.desk.of_case(both.engine.viewer(OFFICER), case_id).links] == ["使用中", "取消", "取消"]


def test_a_link_to_a_running_case_that_the_officer_entered(outside: Outside) -> None:
    """What was entered on its behalf the party reads only when the officer says so."""
    case_id = outside.entered(**APPLICATION)
    outside.checked(case_id)
    assert outside.desk.of_case(outside.engine.viewer(OFFICER), case_id).entered
    strict = outside.session(case_id=case_id)
    assert outside.thread(strict).sent == ()
    form = outside.desk.form(strict, outside.task(case_id, "correct")["id"])
    assert {item.id: item.value for item in form.fields}["measures"] is None
    shared = outside.session(case_id=case_id, shares=True)
    sent = outside.thread(shared).sent
    assert [(one.name, one.by_party) for one in sent] == [("手続", False)]
    form = outside.desk.form(shared, outside.task(case_id, "correct")["id"])
    assert {item.id: item.value for item in form.fields}["measures"] == APPLICATION["measures"]
    assert SECRETS[0] not in everything(outside, shared)


def test_a_link_outlives_neither_its_revocation_nor_the_form_being_filled_in(both: Outside) -> None:
    session, case_id = both.applied()
    both.checked(case_id)
    task = both.task(case_id, "correct")["id"]
    both.desk.form(session, task)
    both.desk.revoke(both.engine.viewer(OFFICER), both.rows("outside_link")[0]["id"])
    with pytest.raises(LinkNotUsable):
        both.desk.complete(session, task, APPLICATION)
    assert both.waits(case_id) == ["correct"]


def test_issuing_and_opening_stand_in_the_record(outside: Outside) -> None:
    session = outside.session()
    tags = [(row["tag"], row["person"], row["case_id"]) for row in outside.rows("history") if row["tag"].startswith("link.")]
    assert tags == [("link.issued", OFFICER, None), ("link.opened", "link:1", None)]
    outside.desk.start(session, APPLICATION)
    case_id = outside.rows("outside_link")[0]["case_id"]
    outside.session(case_id=case_id, party="別のみほん")
    texts = [event.text for event in outside.engine.case(outside.engine.viewer(OFFICER), case_id).timeline if event.tag.startswith("link.")]
    assert texts == [
        "相手方「別のみほん」に入力用のリンクを出しました（2026年11月30日（月） 10:00まで）",
        "相手方が入力用のリンクを開きました",
    ]
    assert outside.engine.verify_history() == ()


def test_a_substitute_hands_a_link_out_as_the_substitute(outside: Outside) -> None:
    _, case_id = outside.applied()
    outside.engine.personnel.register_deputy(
        outside.engine.viewer("general_protection_manager.office"), OFFICER, "staff.b", kind="substitute", seat="", process="", basis="規程第5条",
        valid_from=date(2026, 11, 16), valid_to=None,
    )  # fmt: skip
    outside.issue(by="staff.b", case_id=case_id)
    acting = outside.history(case_id, "link.issued")[0]["data"]["acting"]
    assert acting == {"kind": "substitute", "for": OFFICER, "basis": "規程第5条"}


def test_a_step_for_each_of_several_is_answered_one_by_one(outside: Outside) -> None:
    session = outside.session(process_id="office_places")
    outside.desk.start(session, {"item_summary": "依頼", "places.0.name": "本館", "places.1.name": "別館"})
    for lock in ("電気錠", "南京錠"):
        step = outside.thread(session).steps[0]
        assert outside.desk.form(session, step.task_id).fields[0].value is None
        outside.desk.complete(session, step.task_id, {"lock": lock})
    sent = outside.thread(session).sent
    assert [(form.name, form.fields[-1].text) for form in sent] == [
        ("場所ごとの説明（2）", "南京錠"), ("場所ごとの説明（1）", "電気錠"), ("手続", "2件"),
    ]  # fmt: skip
    case_id = outside.rows("outside_link")[0]["case_id"]
    assert outside.facts(case_id)["describe"] == [{"lock": "電気錠"}, {"lock": "南京錠"}] and outside.case(case_id)["state"] == "closed"


def test_a_case_that_its_answer_begins_is_none_of_its_own(both: Outside) -> None:
    """The contractor tells of a breach: the office's case about it says who told, and the contractor sees nothing of it."""
    session = both.session(case_id=both.entered("breach"))
    first = both.rows("outside_link")[0]["case_id"]
    both.desk.complete(session, both.task(first, "tell")["id"], {"what": "媒体をなくした"})
    begun = both.rows("case_file")[-1]
    assert (begun["process_id"], begun["reporter"], begun["title"]) == ("office_apart", "link:1", "媒体をなくした")
    started = both.history(begun["id"], "case.started")[0]
    assert started["data"]["acting"]["kind"] == "link" and "sent" not in started["data"]
    page = both.engine.case(both.engine.viewer(OFFICER), begun["id"])
    assert page.head.reporter_name == f"相手方 {PARTY}（リンク）"
    task = both.task(begun["id"], "confirm")["id"]
    refused(both, TaskNotFound, lambda: both.desk.complete(session, task, {}))
    assert both.thread(session).state == "over" and begun["number"] not in everything(both, session)


PEOPLE = field("checkers", "確認した職員", "people")
STEP = {"id": "answer", "name": "回答", "seat": "staff@owning_unit"}


@pytest.mark.parametrize(
    ("begin", "drawn", "says"),
    [
        (said(), step(**STEP, by_link="anybody"), "書けるのは contractor です"),
        (said(), step(**STEP, by_link="contractor", final="true"), "決裁や決定"),
        (said(), step(**STEP, by_link="contractor", hop="知らせるまで"), "速さを計る"),
        (said(), step("answer", "回答", "staff@owning_unit", PEOPLE, by_link="contractor"), "「確認した職員」"),
        (said(PEOPLE, by_link="contractor"), step(**STEP), "「確認した職員」"),
        (said(by_link="contractor"), step("answer", "回答", "${reporter}"), "報告者（reporter）"),
        (said(by_link="contractor"), step("answer", "回答", "reporter"), "報告者（reporter）"),
        (said(), action("tell", "連絡", "staff@owning_unit", by_link="contractor"), "最初の開始イベントだけ"),
    ],
    ids=range(8),
)  # fmt: skip
def test_what_may_not_be_left_to_a_party_does_not_come_into_force(tmp_path: Path, begin: str, drawn: str, says: str) -> None:
    work = "" if 'id="answer"' in drawn else step(**STEP)
    parts = (start("apply", begin, name="申請"), drawn, work, end("done", name="完了"), flows("apply > answer > done"))
    files = {"p.bpmn": diagram(*parts, id="p", head='<bpmn:message id="m_tell" name="tell"/>')}
    net, findings = examine(files, "p")
    assert net is not None, findings
    found = list(check(net, {}, load_organisation(folder() / "office")))
    assert [finding.rule for finding in found if finding.rule != "name_missing"] == ["by_link"] and says in found[-1].message, found

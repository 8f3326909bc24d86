"""Notices and mails: one per cause and recipient, nothing personal in them, never lost, and recognisable when they come twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine import NotYourTask
from engine.batch import see
from engine.courier import AT_ONCE as DELIVERIES_AT_ONCE
from engine.delivery_rows import LEASE, RETRY_AFTER
from engine.model import person
from engine.notice_texts import TEMPLATES
from engine.notices import SmtpSender, Told
from tests.support import DIVISION, GENERAL, MANAGER, OTHER_MANAGER, STAFF, World, in_threads, make_world, postgresql_copy

if TYPE_CHECKING:
    from tests.conftest import SmtpServer

SECRET = "山田太郎"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def mailing(request: pytest.FixtureRequest, tmp_path: Path, smtp_server: SmtpServer) -> Iterator[tuple[World, SmtpServer]]:
    """A world whose mails go to a real SMTP server."""
    mail = f"smtp://127.0.0.1:{smtp_server.port}"
    if request.param == "sqlite":
        world = make_world(tmp_path, mail=mail)
        yield world, smtp_server
        world.engine.close()
        return
    with postgresql_copy(request.getfixturevalue("postgresql_url")) as url:
        world = make_world(tmp_path, url, mail=mail)
        yield world, smtp_server
        world.engine.close()


class Sent:
    """A sender that remembers, and fails when told to."""

    delivers = True

    def __init__(self, world: World) -> None:
        world.engine.sender = self
        self.messages: list[EmailMessage] = []
        self.error: Exception | None = None
        self.tried = 0

    def send(self, message: EmailMessage) -> None:
        self.tried += 1
        if self.error is not None:
            raise self.error
        self.messages.append(message)


# ---------------------------------------------------------------- who is told what


def test_a_step_is_told_to_everyone_behind_its_seat_once(both: World) -> None:
    both.appoint("deputy", MANAGER, kind="acting")
    both.appoint("both-posts", MANAGER)
    both.appoint("both-posts", MANAGER, kind="concurrent")
    case_id = both.start("approval")
    assert sorted(row["person"] for row in both.notices()) == ["both-posts", "deputy", "protection_manager.a"]
    assert {row["cause"] for row in both.notices()} == {f"task:{both.task(case_id, 'review')['id']}:opened"}


def test_who_acts_needs_no_notice_of_it(world: World) -> None:
    world.appoint("protection_manager.a", STAFF)
    with world.engine.work(by="protection_manager.a", seat=STAFF) as work:
        case_id = work.start("office_approval", {"item_summary": "自分で", "owning_unit": "a"})
    assert world.notices("protection_manager.a") == []
    world.complete(case_id, "review", opinion="よい")
    assert [row["template"] for row in world.notices(world.person(DIVISION))] == ["task_opened"]


def test_ended_accounts_and_ended_holdings_are_told_nothing(world: World) -> None:
    world.appoint("gone", MANAGER)
    world.disable("gone")
    world.appoint("former", MANAGER, until=world.clock.now().date() - timedelta(days=1))
    world.start("approval")
    assert [row["person"] for row in world.notices()] == ["protection_manager.a"]


def test_the_reporter_hears_of_the_end(world: World) -> None:
    case_id = world.start("approval")
    world.complete(case_id, "review", opinion="よい")
    world.complete(case_id, "approve", verdict="refused")
    assert [(row["template"], row["step"]) for row in world.notices("staff.a")] == [("case_ended", "却下")]


def test_the_same_cause_is_told_once_however_often_it_is_told(both: World) -> None:
    case_id = both.start("approval")
    both.run()
    for _ in range(2):
        with both.engine.writing() as connection:
            both.engine.work_on(connection, "system").tell(case_id, Told("some:cause", "remind", (MANAGER, MANAGER), "審査"))
    assert len(both.notices(cause="some:cause")) == 1
    both.run()
    assert len([row for row in both.mails() if row["cause"] == "some:cause"]) == 1


def test_a_refused_act_tells_nobody(world: World) -> None:
    case_id = world.start("approval")
    before = len(world.notices())
    with pytest.raises(NotYourTask), world.acting(STAFF) as work:
        work.complete(world.task(case_id, "review")["id"], {"opinion": "よい"})
    assert len(world.notices()) == before


def test_an_unknown_template_in_a_diagram_is_told_plainly(world: World) -> None:
    case_id = world.start("cycle")
    world.pass_time(hours=1)
    assert [row["template"] for row in world.notices(world.person(GENERAL), case_id=case_id)] == ["step_told"]


# ---------------------------------------------------------------- what is in a mail


def everything_once(world: World) -> None:
    """Every kind of notice there is, with personal data all over the cases."""
    summary = f"{SECRET}の書類を別人に渡した"
    first = world.start("clock", item_summary=summary, duty="yes", report_days=5, known_at="2026-11-16 09:00")
    second = world.start("clock", seat="staff@b", item_summary=summary, duty="yes", report_days=5, known_at="2026-11-16 09:00")
    world.pass_time(days=9)
    world.act(first, "transfer", owning_unit="b")
    with world.engine.writing() as connection:
        for case_id in (first, second):
            see(connection, "office", case_id, [GENERAL])
    with world.acting(GENERAL) as work:
        work.merge(second, first, f"{SECRET}の件と同じ")
    case_id = world.start("approval", item_summary=summary)
    with world.acting(MANAGER) as work:
        asked = work.consult(case_id, "person:staff.b", f"{SECRET}をどう見るか")
        work.circulate(case_id, [OTHER_MANAGER], f"{SECRET}の件")
    with world.engine.work(by="staff.b") as work:
        work.answer(asked, f"{SECRET}でよい")
    world.pass_time(hours=4)
    world.complete(case_id, "review", opinion=SECRET)
    with world.acting(DIVISION) as work:
        work.send_back(world.task(case_id, "approve")["id"], f"{SECRET}の記載", to="review")
    world.complete(case_id, "review", opinion=SECRET)
    world.complete(case_id, "approve", verdict="granted")
    many = world.start("many", item_summary=summary, persons=[{"label": SECRET}])
    world.complete(many, "ask", answer=SECRET)
    world.start("cycle", item_summary=summary)
    world.pass_time(hours=1)


def test_mails_carry_number_step_and_link_and_nothing_of_the_case(mailing: tuple[World, SmtpServer]) -> None:
    world, server = mailing
    everything_once(world)
    world.run()
    # What administrators are told of stopped steps: tests/webui/test_stopped.py (these offices have none).
    # What is passed over or decided in absence: tests/engine/test_review.py.
    assert {row["template"] for row in world.notices()} == set(TEMPLATES) - {
        "service_stopped",
        "webhook_disabled",
        "later_review",
        "decided_for_you",
    }
    assert len(server.messages) == len(world.notices()) > 20
    numbers = [row["number"] for row in world.rows("case_file")]
    for delivered in server.messages:
        message = delivered.message
        body = message.get_content()
        whole = message.as_string() + body + str(message["Subject"])
        assert SECRET not in whole and "書類" not in whole and "別人" not in whole
        assert any(f"案件番号：{number}" in body and f"【{number}】" in message["Subject"] for number in numbers)
        assert "https://tadachi.example/tasks/" in body or "https://tadachi.example/cases/" in body
        assert delivered.sender == message["From"] == "tadachi@example.go.jp"
        assert delivered.recipients == [message["To"]]
        assert message["Auto-Submitted"] == "auto-generated"
    ids = [delivered.message["Message-ID"] for delivered in server.messages]
    assert len(set(ids)) == len(ids) and all(one.endswith("@example.go.jp>") and one.isascii() for one in ids)
    shown = world.engine.outbox("office", limit=500)
    assert {one.state for one in shown} == {"sent"}
    assert not [one for one in shown if SECRET in one.subject + one.body + one.text]
    assert world.rows("job", kind="deliver") == []


def test_who_has_no_address_is_told_on_the_page_only(world: World) -> None:
    world.engine.register("no-mail", "office", "郵便なし", email=None, password_hash=None)
    world.engine.appoint("no-mail", MANAGER)
    world.start("approval")
    world.run()
    assert [row["state"] for row in world.mails("no-mail")] == ["none"]
    shown, unread = world.engine.notices(world.engine.viewer("no-mail"))
    assert (len(shown), unread) == (1, 1)
    world.engine.read_notices(world.engine.viewer("no-mail"), [shown[0].id])
    assert world.engine.notices(world.engine.viewer("no-mail"), unread_only=True) == ((), 0)


def test_one_reads_and_marks_only_ones_own_notices(world: World) -> None:
    world.start("approval")
    theirs = world.notices("protection_manager.a")[0]["id"]
    other = world.viewer(DIVISION)
    world.engine.read_notices(other, [theirs])
    world.engine.read_notices(other)
    assert world.notices("protection_manager.a")[0]["read_at"] is None
    assert world.engine.notices(other) == ((), 0)


# ---------------------------------------------------------------- a mail server in trouble


def test_a_server_that_is_down_loses_nothing(mailing: tuple[World, SmtpServer]) -> None:
    world, server = mailing
    server.down()
    world.start("approval")
    world.run()
    for later in RETRY_AFTER:
        row = world.rows("job", kind="deliver")[0]
        assert row["run_at"] == world.clock.now() + later
        assert (
            world.mails()[0]["state"] == "failed"
            and "refused" in world.mails()[0]["error"]
            and world.mails()[0]["next_at"] == row["run_at"]
        )
        world.clock.advance(seconds=later.total_seconds() - 1)
        world.run()
        assert world.rows("job", kind="deliver")[0]["attempts"] == row["attempts"], "not before its time"
        world.clock.advance(seconds=1)
        world.run()
    world.pass_time(days=5)  # a long weekend and more
    assert not [row for row in world.rows("job", kind="deliver") if row["run_at"] is None]
    server.up()
    world.pass_time(hours=3)
    sent = [delivered.message["Message-ID"] for delivered in server.messages]
    assert sorted(sent) == sorted(row["message_id"] for row in world.mails())
    assert world.rows("job", kind="deliver") == []
    assert {row["state"] for row in world.mails()} == {"sent"}


def test_a_refused_address_is_tried_again_and_then_kept_as_a_dead_letter(mailing: tuple[World, SmtpServer]) -> None:
    world, server = mailing
    world.appoint("deputy", MANAGER, kind="acting")
    server.refuse("550 5.1.1 no such mailbox", "deputy@example.go.jp")
    world.start("cycle")
    world.run()
    assert [delivered.recipients for delivered in server.messages] == [["protection_manager.a@example.go.jp"]], "the others get theirs"
    for later in RETRY_AFTER:
        world.clock.advance(seconds=later.total_seconds())
        world.run()
    row = next(row for row in world.rows("job", kind="deliver") if row["run_at"] is None)
    assert row["attempts"] == len(RETRY_AFTER) + 1 and "no such mailbox" in row["error"]
    failed = world.mails("deputy")[0]
    assert failed["state"] == "dead" and failed["read_at"] is None
    assert next(one for one in world.engine.outbox("office") if one.person == "deputy").state == "dead"


def test_a_server_that_hangs_after_the_data_gets_the_same_message_id_again(mailing: tuple[World, SmtpServer]) -> None:
    world, server = mailing
    world.engine.sender = SmtpSender(f"smtp://127.0.0.1:{server.port}", timeout=0.3)
    server.hang("DATA")
    world.start("approval")
    world.run()
    assert len(server.messages) == 1 and world.mails()[0]["state"] == "failed"
    server.answer()
    world.pass_time(minutes=1)
    ids = [delivered.message["Message-ID"] for delivered in server.messages]
    assert len(ids) == 2 and ids[0] == ids[1]
    assert world.mails()[0]["state"] == "sent"


def test_a_server_that_does_not_answer_costs_one_timeout_a_batch(world: World) -> None:
    sent = Sent(world)
    for number in range(DELIVERIES_AT_ONCE - 1):
        world.appoint(f"deputy{number}", MANAGER, kind="acting")
    sent.error = TimeoutError("timed out")
    world.start("approval")
    world.run()
    assert sent.tried == 1
    assert {row["state"] for row in world.mails()} == {"failed"}
    sent.error = None
    world.pass_time(minutes=1)
    assert len(sent.messages) == DELIVERIES_AT_ONCE


def test_an_address_no_header_can_hold_does_not_stop_the_worker(world: World) -> None:
    sent = Sent(world)
    world.appoint("bad", MANAGER, kind="acting")
    with world.engine.writing() as connection:
        connection.execute(person.update().where(person.c.id == "bad").values(email="a@b\r\nBcc: everyone@example.com"))
    world.start("approval")
    world.run()
    assert [message["To"] for message in sent.messages] == ["protection_manager.a@example.go.jp"]
    assert world.mails("bad")[0]["state"] == "failed"


def test_killed_between_sending_and_acknowledging(both: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Sent(both)
    both.start("approval")

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("engine.delivery_rows.mark_sent", die)
        with pytest.raises(KeyboardInterrupt):
            both.run()
    assert len(sent.messages) == 1
    assert both.run() == 0, "the lease keeps others from sending it at the same time"
    both.clock.advance(seconds=LEASE.total_seconds())
    both.run()
    assert len({message["Message-ID"] for message in sent.messages}) == 1 and len(sent.messages) == 2
    assert both.rows("job", kind="deliver") == []


def test_a_slow_worker_does_not_undo_what_another_one_sent(both: World) -> None:
    """The first worker's mail hangs beyond its lease; the second one sends it meanwhile; the first one's failure changes nothing."""
    sent = Sent(both)
    both.start("approval")
    inner = sent.send

    def slow(message: EmailMessage) -> None:
        both.engine.sender = sent  # type: ignore[assignment]
        both.clock.advance(seconds=LEASE.total_seconds())
        both.run()
        raise TimeoutError("timed out")

    both.engine.sender = type("Slow", (), {"send": staticmethod(slow)})()
    both.run()
    assert inner and len(sent.messages) == 1
    assert both.mails()[0]["state"] == "sent" and both.rows("job", kind="deliver") == []


def test_six_workers_send_each_mail_once(both: World) -> None:
    sent = Sent(both)
    for number in range(8):
        both.start("cycle", item_summary=f"{number}")
    in_threads(6, lambda _number: both.run())
    both.run()
    ids = [message["Message-ID"] for message in sent.messages]
    assert len(ids) == len(set(ids)) == 8


def test_a_recipient_whose_account_ended_meanwhile(world: World) -> None:
    sent = Sent(world)
    world.start("approval")
    world.disable("protection_manager.a")
    world.run()
    assert sent.messages == [] and world.rows("job", kind="deliver") == []
    assert world.mails()[0]["state"] == "none"


def test_without_a_mail_server_the_outbox_keeps_everything(world: World) -> None:
    world.start("approval")
    world.run()
    shown = world.engine.outbox("office")
    assert [one.recipient for one in shown] == ["第一課 保護管理者さん"]
    assert world.engine.outbox("elsewhere") == ()


def test_message_ids_are_written_with_the_delivery(world: World) -> None:
    world.start("approval")
    world.run()
    assert world.mails()[0]["message_id"] == "<task.1.opened.protection_manager.a@example.go.jp>"

"""One delivery for each notice and way: chosen by its recipient within what the office allows, held back at night unless it is 直ちに, sent again
under the same id, and shown on the case as proof of who was told when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

from engine import JST, CaseNotFound, DeliveryNotFound, FormInvalid, NotAllowed, OrganisationBroken, load_organisation, schema
from engine.deadlines import Calendar
from engine.delivery_rows import RETRY_AFTER
from engine.quiet import Quiet
from engine.quiet import read as read_quiet
from engine.storage import open_database
from tests.engine.telling import ADMINISTRATOR, Sent, deliveries, office_folder, telling
from tests.support import DIVISION, GENERAL, MANAGER, STAFF, World

NIGHT = datetime(2026, 11, 16, 21, 30, tzinfo=JST)  # a Monday
FRIDAY = datetime(2026, 11, 20, 19, 0, tzinfo=JST)
TEXTS = """
[[template]]
id = "task_opened"
subject = "【庁内】{number} {step}"
body = "{name}さん\\n期限 {due}\\n{link}\\n{{確認}}\\n"
"""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """The office with quiet nights and closed days, on both databases."""
    url = None if request.param == "sqlite" else request.getfixturevalue("postgresql_url")
    quiet = "quiet_from = 20:00:00\nquiet_to = 07:00:00\nquiet_on_closed_days = true"
    with telling(tmp_path, url, quiet) as world:
        yield world


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[World]:
    """The office without any rule about notices."""
    with telling(tmp_path) as world:
        yield world


def choose(
    world: World, person: str, digest: bool = False, quiet: str = "office", hours: tuple[str, str] = ("", ""), **choices: str
) -> None:
    """Somebody's choices."""
    world.engine.receiving.save(world.engine.viewer(person), choices, digest=digest, quiet_time=quiet, hours=hours)


# ---------------------------------------------------------------- quiet time


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-11-16T19:59", "2026-11-16T19:59"),
        ("2026-11-16T20:00", "2026-11-17T07:00"),
        ("2026-11-17T00:00", "2026-11-17T07:00"),
        ("2026-11-17T06:59", "2026-11-17T07:00"),
        ("2026-11-17T07:00", "2026-11-17T07:00"),
        ("2026-11-20T22:00", "2026-11-24T07:00"),  # Friday night; Monday is 勤労感謝の日
        ("2026-11-22T12:00", "2026-11-24T07:00"),
        ("2026-12-28T21:00", "2027-01-04T07:00"),
    ],
)
def test_quiet_time_ends_at_its_hour_on_an_open_day(at: str, until: str) -> None:
    quiet = Quiet(time(20), time(7), True)
    instant = datetime.fromisoformat(at).replace(tzinfo=JST)
    assert quiet.until(instant, Calendar()) == datetime.fromisoformat(until).replace(tzinfo=JST)


def test_quiet_time_within_one_day_and_none_at_all() -> None:
    noon = datetime(2026, 11, 16, 12, 30, tzinfo=JST)
    assert Quiet(time(12), time(13)).until(noon, Calendar()) == noon + timedelta(minutes=30)
    assert Quiet().until(noon, Calendar()) == noon
    for written in ("20:00-07:00+closed", "12:00-13:00", "+closed", ""):
        found = read_quiet(written)
        assert found is not None and found.written() == written
    for written in ("20:00-20:00", "24:00-07:00", "7:00-8:00", "x"):
        assert read_quiet(written) is None


def test_what_can_wait_waits_for_the_morning_and_what_is_at_once_does_not(place: World) -> None:
    sent = Sent(place)
    place.clock.set(NIGHT)
    place.start("approval")  # its step is 直ちに
    place.start("cycle")  # its step is not
    place.run()
    assert [row["next_at"] for row in deliveries(place, "protection_manager.a") if row["state"] == "queued"] == [
        datetime(2026, 11, 17, 7, 0, tzinfo=JST)
    ]
    assert sent.to("protection_manager.a") == ["【案R8-0001】処理が届きました"]
    place.pass_time(hours=9, minutes=29)
    assert len(sent.to("protection_manager.a")) == 3, "of the first also the reminder and the escalation"
    assert not [subject for subject in sent.to("protection_manager.a") if "R8-0002" in subject]
    place.pass_time(minutes=1)
    assert sent.to("protection_manager.a")[-1] == "【案R8-0002】処理が届きました"


def test_statutory_dates_and_escalations_go_out_at_any_hour(place: World) -> None:
    sent = Sent(place)
    place.clock.set(FRIDAY)
    case_id = place.start("clock", duty="yes", report_days=5, known_at="2026-11-16 09:00")
    place.run()
    assert sent.to("protection_manager.a") == ["【案R8-0001】処理が届きました"], "the step stands under a statutory clock"
    place.pass_time(days=1)  # the clock's last day ends at 24:00 of this Friday; the office is closed until Tuesday
    assert {row["template"] for row in deliveries(place, "protection_manager.a")} == {"task_opened", "clock_overdue"}
    assert {row["next_at"] for row in deliveries(place, "protection_manager.a")} == {None}
    overdue = next(row for row in deliveries(place, "protection_manager.a") if row["template"] == "clock_overdue")
    assert overdue["sent_at"] == datetime(2026, 11, 21, 0, 0, tzinfo=JST)
    assert place.case(case_id)["state"] == "open"


# ---------------------------------------------------------------- choices


def test_everybody_chooses_for_himself_what_may_be_put_off(place: World) -> None:
    sent = Sent(place)
    choose(place, "general_protection_manager.office", step_told="digest")
    choose(place, "protection_manager.a", task_opened="in_app")
    place.start("cycle")
    place.start("approval")
    place.pass_time(hours=1)
    assert [(row["channel"], row["state"]) for row in deliveries(place, "general_protection_manager.office")] == [("digest", "queued")]
    told = {(row["template"], row["channel"], row["state"]) for row in deliveries(place, "protection_manager.a")}
    assert told == {("task_opened", "mail", "none"), ("task_opened", "mail", "sent"), ("remind", "mail", "sent")}, (
        "直ちに goes out whatever was chosen"
    )
    assert len(place.engine.notices(place.engine.viewer("protection_manager.a"))[0]) == 3, "all are in the application"
    assert "【案R8-0001】処理が届きました" not in sent.to("protection_manager.a")


def test_own_quiet_time_stands_in_place_of_the_offices(place: World) -> None:
    place.clock.set(NIGHT)
    choose(place, "protection_manager.a", quiet="none")
    place.start("cycle")
    place.run()
    assert [row["next_at"] for row in deliveries(place, "protection_manager.a", state="queued")] == []
    choose(place, "protection_manager.a", quiet="own", hours=("21:00", "6:15"))
    place.start("cycle")
    place.run()
    assert deliveries(place, "protection_manager.a")[-1]["next_at"] == datetime(2026, 11, 17, 6, 15, tzinfo=JST)
    shown = place.engine.receiving.show(place.viewer(MANAGER))
    assert (shown.quiet, shown.quiet_from, shown.quiet_to, shown.office_quiet) == (
        "own",
        time(21),
        time(6, 15),
        "20:00から7:00までと閉庁日",
    )


def test_what_the_office_fixed_nobody_puts_off(plain: World) -> None:
    viewer = plain.viewer(MANAGER)
    fixed = {one.template for one in plain.engine.receiving.show(viewer).choices if one.fixed}
    assert fixed == {"escalate", "clock_warning", "clock_overdue", "service_stopped", "webhook_disabled"}
    for wrong in ({"clock_overdue": "digest"}, {"escalate": "in_app"}, {"nothing": "digest"}, {"task_opened": "never"}):
        with pytest.raises(FormInvalid):
            plain.engine.receiving.save(viewer, wrong, digest=False, quiet_time="office")
    for hours in (("20:00", "20:00"), ("25:00", "7:00"), ("", "7:00"), ("", "")):
        with pytest.raises(FormInvalid) as refused:
            plain.engine.receiving.save(viewer, {}, digest=False, quiet_time="own", hours=hours)
        assert "quiet" in refused.value.fields
    assert plain.rows("notice_setting") == []
    plain.engine.receiving.save(viewer, {"remind": "digest", "task_opened": "at_once"}, digest=False, quiet_time="office")
    assert [(row["name"], row["value"]) for row in plain.rows("notice_setting")] == [("remind", "digest")], (
        "what is the office's follows the office"
    )


# ---------------------------------------------------------------- deputies


def test_a_substitute_is_told_while_the_principal_is_away_only(place: World) -> None:
    engine = place.engine
    place.appoint("standing_in", STAFF)
    today = engine.viewer("standing_in").at.date()
    manager = place.viewer(MANAGER)
    engine.personnel.register_deputy(
        manager, manager.person, "standing_in", kind="substitute", basis="課内の定め", valid_from=today, valid_to=None
    )
    place.start("cycle")
    assert [row["person"] for row in place.notices() if row["person"] == "standing_in"] == []
    engine.personnel.register_absence(manager, manager.person, today, today, "travel")
    second = place.start("cycle")
    assert [row["case_id"] for row in place.notices("standing_in")] == [second]
    place.clock.advance(days=1)
    place.start("cycle")
    assert len(place.notices("standing_in")) == 1, "back again"


def test_escalations_reach_the_substitute_of_somebody_who_is_there(place: World) -> None:
    place.appoint("standing_in", STAFF)
    manager = place.viewer(MANAGER)
    known = {"kind": "substitute", "basis": "課内の定め", "valid_from": manager.at.date(), "valid_to": None}
    place.engine.personnel.register_deputy(manager, manager.person, "standing_in", **known)
    place.start("approval")
    place.pass_time(hours=3)
    assert [row["template"] for row in place.notices("standing_in")] == ["escalate"]


# ---------------------------------------------------------------- dead letters


def test_a_dead_letter_is_sent_again_under_the_same_id(place: World) -> None:
    sent = Sent(place)
    administrator = place.engine.viewer("administrator.office")
    sent.error = ValueError("no such mailbox")
    place.start("approval")
    place.run()
    assert [one.state for one in place.engine.outbox("office")] == ["failed"]
    for later in RETRY_AFTER:
        place.clock.advance(seconds=later.total_seconds())
        place.run()
    (dead, *_) = [one for one in place.engine.outbox("office", state="dead") if one.template == "task_opened"]
    assert "no such mailbox" in dead.error and dead.tries == len(RETRY_AFTER) + 1 and dead.next_at is None
    sent.error = None
    for who, refusal in ((MANAGER, NotAllowed), (GENERAL, NotAllowed)):
        with pytest.raises(refusal):
            place.engine.resend(place.viewer(who), dead.id)
    place.engine.resend(administrator, dead.id)
    place.run()
    assert sent.messages[-1]["Message-ID"] == dead.message_id
    with pytest.raises(DeliveryNotFound):
        place.engine.resend(administrator, dead.id)
    with pytest.raises(DeliveryNotFound):
        place.engine.resend(administrator, 10**6)
    assert [row["tag"] for row in place.rows("history") if row["tag"] == "delivery.resent"] == ["delivery.resent"]
    assert place.engine.verify_history() == ()


def test_a_notice_that_cannot_be_given_its_ways_does_not_stop_the_others(plain: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Sent(plain)

    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    with monkeypatch.context() as patched:
        patched.setattr("engine.preferences.plan", fail)
        plain.start("cycle")
        plain.run()
        plain.run()
    assert deliveries(plain) == [] and len(plain.rows("job", kind="deliver")) == 1
    plain.pass_time(minutes=1)
    assert sent.to("protection_manager.a") == ["【案R8-0001】処理が届きました"]


# ---------------------------------------------------------------- proof of notice


def test_the_case_shows_who_was_told_when_it_was_sent_opened_and_acknowledged(place: World) -> None:
    Sent(place)
    case_id = place.start("approval")
    place.pass_time(hours=3)
    division, manager = place.viewer(DIVISION), place.viewer(MANAGER)
    by = {(one.text, one.person_name): one for one in place.engine.told(division, case_id)}
    (escalated,) = [one for (_, name), one in by.items() if name.startswith("北部")]
    assert escalated.asks and escalated.acknowledged_at is None and escalated.opened_at is None
    assert [(way.channel, way.state, way.sent_at) for way in escalated.ways] == [("mail", "sent", place.clock.now())]
    place.clock.advance(minutes=5)
    place.engine.task(place.viewer(MANAGER), place.task(case_id, "review")["id"])
    opened = [one for one in place.engine.told(manager, case_id) if one.person_name.startswith("第一課")]
    assert {one.opened_at for one in opened} == {place.clock.now()} and len(opened) == 3, (
        "whoever opens the step has opened what told of it"
    )
    place.clock.advance(minutes=5)
    mine = [one.id for one in place.engine.notices(place.viewer(DIVISION))[0]]
    place.engine.acknowledge(place.viewer(DIVISION), mine)
    place.engine.acknowledge(place.viewer(MANAGER), mine)  # nobody confirms for another
    place.clock.advance(minutes=5)
    place.engine.acknowledge(place.viewer(DIVISION), mine)
    (escalated,) = [one for one in place.engine.told(division, case_id) if one.person_name.startswith("北部")]
    assert escalated.acknowledged_at == escalated.opened_at == place.clock.now() - timedelta(minutes=5), "the first time counts"
    with pytest.raises(CaseNotFound):
        place.engine.told(place.viewer("staff@b"), case_id)


def test_only_escalations_and_statutory_dates_ask_to_be_acknowledged(plain: World) -> None:
    plain.start("approval")
    (mine,) = plain.engine.notices(plain.viewer(MANAGER))[0]
    assert not mine.asks
    plain.engine.acknowledge(plain.viewer(MANAGER), [mine.id])
    assert plain.notices()[0]["acknowledged_at"] is None and plain.notices()[0]["read_at"] is not None


# ---------------------------------------------------------------- the words of an office


def test_an_office_has_its_own_words_for_mails(tmp_path: Path) -> None:
    with telling(tmp_path, texts=TEXTS) as world:
        sent = Sent(world)
        world.start("clock", item_summary="山田太郎の書類", duty="yes", report_days=5, known_at="2026-11-16 09:00")
        world.start("cycle")
        world.run()
        first, second = sent.messages
        assert first["Subject"] == "【庁内】案R8-0001 報告の作成"
        expected = "第一課 保護管理者さんさん\n期限 2026年11月20日（金） 24:00\nhttps://tadachi.example/tasks/1\n{確認}\n"
        assert first.get_content() == expected and "期限 なし" in second.get_content()


@pytest.mark.parametrize(
    ("texts", "rule"),
    [
        (TEXTS.replace("{due}", "{title}"), "unknown-placeholder"),
        (TEXTS.replace("{due}", "{facts[item_summary]}"), "unknown-placeholder"),
        (TEXTS.replace("{due}", "{name.__class__}"), "unknown-placeholder"),
        (TEXTS.replace("{due}", "{name!r}"), "unknown-placeholder"),
        (TEXTS.replace("{due}", "{number:>99999}"), "unknown-placeholder"),
        (TEXTS.replace("{due}", "{number:{step}}"), "unknown-placeholder"),
        (TEXTS.replace("{due}", "{}"), "unknown-placeholder"),
        (TEXTS.replace("{due}", "{due"), "unknown-placeholder"),
        (TEXTS.replace("task_opened", "task_vanished"), "unknown-template"),
        (TEXTS.replace("task_opened", "digest"), "unknown-template"),
        (TEXTS + TEXTS, "duplicate-id"),
        (TEXTS.replace('body = "', 'bodies = "'), "unknown-key"),
        (TEXTS.replace("【庁内】", "一行\\n二行"), "out-of-range"),
        ("", "missing-key"),
    ],
)
def test_words_that_could_tell_more_are_refused_when_the_office_is_read(tmp_path: Path, texts: str, rule: str) -> None:
    folder = office_folder(tmp_path)
    (folder / "office" / "notices.toml").write_text(texts, "utf-8")
    with pytest.raises(OrganisationBroken) as refused:
        load_organisation(folder / "office")
    assert rule in {finding.rule for finding in refused.value.findings} and {finding.file for finding in refused.value.findings} == {
        "notices.toml"
    }


@pytest.mark.parametrize(
    ("notices", "rule"),
    [
        ('default = "sometimes"', "out-of-range"),
        ('never_put_off = ["escalate"]', "statutory"),
        ('never_put_off = ["clock_warning", "clock_overdue", "x"]', "unknown-template"),
        ("quiet_from = 20:00:00", "missing-key"),
        ("quiet_from = 20:00:00\nquiet_to = 20:00:00", "out-of-range"),
        ('digest = "yes"', "wrong-type"),
        ("digest_hour = 8", "unknown-key"),
    ],
)
def test_rules_about_notices_are_read_strictly(tmp_path: Path, notices: str, rule: str) -> None:
    with pytest.raises(OrganisationBroken) as refused:
        load_organisation(office_folder(tmp_path, notices) / "office")
    assert rule in {finding.rule for finding in refused.value.findings}


# ---------------------------------------------------------------- what older versions kept


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """An empty database."""
    url = f"sqlite:///{tmp_path / 'empty.sqlite'}" if request.param == "sqlite" else request.getfixturevalue("fresh_postgresql")
    engine = open_database(url)
    yield engine
    engine.dispose()


def test_mails_of_an_older_version_become_deliveries_and_go_on(database: sa.Engine) -> None:
    config = schema._config(database)
    command.upgrade(config, "0004")
    rows = [
        ("sent", 5, None, None),
        ("queued", None, "refused", 90),
        ("queued", None, None, 80),
        ("failed", None, "no such mailbox", None),
        ("none", None, None, None),
    ]
    with database.begin() as connection:
        connection.exec_driver_sql("INSERT INTO person (id, organisation, name, created_at) VALUES ('p', 'office', 'P', 0)")
        for number, (state, at, error, run_at) in enumerate(rows, 1):
            connection.execute(
                sa.text(
                    "INSERT INTO notice (id, organisation, cause, person, template, step, created_at, mail_state, mail_at, mail_error, message_id) "
                    "VALUES (:n, 'office', :cause, 'p', 'remind', 's', :n, :state, :at, :error, :id)"
                ),
                {"n": number, "cause": f"c{number}", "state": state, "at": at, "error": error, "id": f"<{number}@x>"},
            )
            if state in ("queued", "failed"):
                connection.execute(
                    sa.text("INSERT INTO job (kind, key, run_at, attempts, payload) VALUES ('deliver', :key, :at, :tries, :payload)"),
                    {
                        "key": f"notice:{number}",
                        "at": run_at,
                        "tries": 6 if state == "failed" else bool(error) + 0,
                        "payload": f'{{"notice":{number}}}',
                    },
                )
    command.upgrade(config, "0005")
    with database.begin() as connection:
        found = connection.exec_driver_sql(
            "SELECT notice, channel, state, tries, next_at, error, sent_at, message_id FROM delivery ORDER BY notice"
        ).all()
        assert [tuple(row) for row in found] == [
            (1, "mail", "sent", 1, None, None, 5, "<1@x>"),
            (2, "mail", "failed", 1, 90, "refused", None, "<2@x>"),
            (3, "mail", "queued", 0, 80, None, None, "<3@x>"),
            (4, "mail", "dead", 6, None, "no such mailbox", None, "<4@x>"),
            (5, "mail", "none", 0, None, None, None, "<5@x>"),
        ]
        jobs = connection.exec_driver_sql(
            "SELECT j.key, j.payload, d.notice FROM job j JOIN delivery d ON j.key = 'delivery:' || d.id ORDER BY d.notice"
        ).all()
        assert [row.notice for row in jobs] == [2, 3, 4]
        assert all(row.payload == f'{{"delivery":{row.key.removeprefix("delivery:")}}}' for row in jobs)
    command.downgrade(config, "0004")
    with database.begin() as connection:
        back = connection.exec_driver_sql("SELECT id, mail_state, mail_at, mail_error, message_id FROM notice ORDER BY id").all()
        assert [tuple(row) for row in back] == [(n, state, at, error, f"<{n}@x>") for n, (state, at, error, _) in enumerate(rows, 1)]
        assert connection.exec_driver_sql("SELECT payload FROM job ORDER BY key").scalars().all() == [
            f'{{"notice":{n}}}' for n in (2, 3, 4)
        ]


def test_the_administrators_seat_is_there(plain: World) -> None:
    assert plain.engine.viewer("administrator.office").has_role("administrator") and ADMINISTRATOR in plain.engine.organisation(
        "office"
    ).seats(FRIDAY.date())

"""The daily digest: once a day and person on open days, with what is open and what was kept for it; and a person's deadlines as a calendar."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from engine import JST, FeedNotFound, digest, run_forever
from engine.calendar_feed import Entry, folded, written
from engine.delivery_rows import RETRY_AFTER
from tests.engine.telling import Sent, deliveries, telling
from tests.support import MANAGER, World, in_threads

MONDAY_MORNING = datetime(2026, 12, 7, 7, 0, tzinfo=JST)
A = "protection_manager.a"


def morning(day: int) -> datetime:
    return datetime(2026, 12, day, 8, 30, tzinfo=JST)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """The office on a Monday before work, its digest due work, on both databases."""
    url = None if request.param == "sqlite" else request.getfixturevalue("postgresql_url")
    with telling(tmp_path, url, at=MONDAY_MORNING) as world:
        digest.arm(world.engine)
        yield world


def choose(world: World, person: str, *, wants: bool = False, **choices: str) -> None:
    world.engine.receiving.save(world.engine.viewer(person), choices, digest=wants, quiet_time="office")


def digests(world: World, person: str = A) -> list[str]:
    """Days of the digests somebody got."""
    return [row["step"] for row in world.notices(person, template="digest")]


def due(world: World) -> list[datetime]:
    return [row["run_at"] for row in world.rows("job", kind="digest") if "elsewhere" not in row["key"]]


def test_it_tells_what_is_open_and_what_was_kept_for_it_once(place: World) -> None:
    sent = Sent(place)
    choose(place, A, task_opened="digest", remind="digest")
    place.start("cycle", item_summary="山田太郎の書類")
    first = place.start("clock", item_summary="山田太郎", duty="yes", report_days=2, known_at="2026-12-06 09:00")
    place.run()
    assert sent.to(A) == ["【案R8-0002】処理が届きました"], "what stands under a statutory clock is not kept"
    place.clock.set(morning(7))
    place.run()
    (mail,) = [one for one in sent.messages if "まとめ" in str(one["Subject"])]
    assert mail["Subject"] == "本日のまとめ（処理2件）" and mail["To"] == f"{A}@example.go.jp"
    body = mail.get_content()
    for words in (
        "2026年12月7日（月）の、",
        "期限超過　：0件",
        "本日が期限：1件",
        "そのほか　：1件",
        "・処理が届きました：作業（案R8-0001）",
        "https://tadachi.example/inbox",
    ):
        assert words in body
    assert "山田" not in body and place.case(first)["state"] == "open"
    assert [(row["state"], row["message_id"] == mail["Message-ID"]) for row in deliveries(place, A, channel="digest")] == [("sent", True)]
    assert place.engine.notices(place.viewer(MANAGER))[1] == 2, "the digest is a mail, not a further notice"
    place.run()
    place.clock.advance(hours=1)
    place.run()
    assert digests(place) == ["2026-12-07"] and due(place) == [morning(8)]


def test_nothing_to_say_says_nothing(place: World) -> None:
    sent = Sent(place)
    choose(place, A, wants=True)
    place.clock.set(morning(7))
    place.run()
    assert sent.messages == [] and place.rows("notice") == [] and place.rows("job", kind="digest_of") == []
    place.start("cycle")
    place.pass_time(days=1)
    assert digests(place) == ["2026-12-08"], "who asked for it gets it whenever something is open"
    assert {row["person"] for row in place.notices(template="digest")} == {A}, "nobody else asked"
    choose(place, A, wants=False)
    place.pass_time(days=1)
    assert digests(place) == ["2026-12-08"]


def test_an_office_may_send_it_to_everybody_who_has_not_declined(tmp_path: Path) -> None:
    with telling(tmp_path, notices="digest = true\ndigest_time = 09:15:00", at=MONDAY_MORNING) as world:
        digest.arm(world.engine)
        choose(world, "protection_manager.b", wants=False)
        world.start("cycle")
        world.start("cycle", seat="staff@b", owning_unit="b")
        world.pass_time(hours=2)
        assert digests(world) == [] and due(world) == [datetime(2026, 12, 7, 9, 15, tzinfo=JST)]
        world.pass_time(minutes=15)
        assert {row["person"] for row in world.notices(template="digest")} == {A}


def test_it_rests_on_closed_days_and_takes_what_was_kept_meanwhile_along(place: World) -> None:
    choose(place, A, task_opened="digest")
    place.clock.set(datetime(2026, 12, 11, 18, 0, tzinfo=JST))  # Friday
    place.run()
    place.start("cycle")
    place.pass_time(days=3)
    assert digests(place) == ["2026-12-14"]


@pytest.mark.parametrize(
    ("back", "told", "next_one"),
    [
        (datetime(2026, 12, 9, 10, 0, tzinfo=JST), ["2026-12-09"], morning(10)),  # one catch-up, not three
        (datetime(2026, 12, 9, 6, 0, tzinfo=JST), [], morning(9)),  # today's is still to come
        (datetime(2026, 12, 12, 10, 0, tzinfo=JST), [], morning(14)),  # Saturday
    ],
)
def test_after_an_outage_there_is_one(place: World, back: datetime, told: list[str], next_one: datetime) -> None:
    choose(place, A, wants=True)
    place.start("cycle")
    place.clock.set(back)
    place.run()
    place.run()
    assert (digests(place), due(place)) == (told, [next_one])


def test_workers_that_begin_together_arm_one_and_run_one(place: World) -> None:
    sent = Sent(place)
    choose(place, A, wants=True)
    place.start("cycle")
    place.run()
    with place.engine.writing() as connection:
        connection.exec_driver_sql("DELETE FROM job WHERE kind = 'digest'")
    in_threads(4, lambda _number: digest.arm(place.engine))
    assert due(place) == [morning(7)]
    place.clock.set(morning(7))
    in_threads(4, lambda _number: place.run())
    place.run()
    assert sent.to(A).count("本日のまとめ（処理1件）") == 1 and due(place) == [morning(8)]


def test_an_office_that_changes_the_hour_is_followed_and_what_is_due_is_not_put_off(place: World) -> None:
    with place.engine.writing() as connection:
        connection.exec_driver_sql("UPDATE job SET run_at = run_at + 3600000000 WHERE kind = 'digest'")
    digest.arm(place.engine)
    assert due(place) == [morning(7)]
    place.clock.set(morning(9))
    digest.arm(place.engine)
    assert due(place) == [morning(7)]


def test_the_worker_arms_it_as_it_begins(tmp_path: Path) -> None:
    with telling(tmp_path, at=MONDAY_MORNING) as world:
        stop = threading.Event()

        class Once(threading.Event):
            def wait(self, timeout: float | None = None) -> bool:
                if threading.current_thread() is not threading.main_thread():
                    return stop.wait(timeout)  # deliveries have nothing to do
                stop.set()
                return True

            def is_set(self) -> bool:
                return stop.is_set()

        run_forever(world.engine, Once(), "w")
        assert due(world) == [morning(7)]


def test_a_digest_that_cannot_be_sent_takes_what_was_kept_with_it(place: World) -> None:
    sent = Sent(place)
    choose(place, A, task_opened="digest")
    place.start("cycle")
    place.run()
    sent.error = ValueError("no such mailbox")
    place.clock.set(morning(7))
    place.run()
    assert [row["state"] for row in deliveries(place, A)] == ["queued", "failed"]
    place.start("cycle")
    place.pass_time(days=1)
    assert sum(RETRY_AFTER, timedelta()) < timedelta(days=1)
    states = [(row["channel"], row["state"]) for row in deliveries(place, A)]
    assert states == [("digest", "dead"), ("mail", "dead"), ("digest", "queued"), ("mail", "failed")], "each thing is in one digest"
    sent.error = None
    place.engine.resend(place.engine.viewer("administrator.office"), deliveries(place, A)[1]["id"])
    place.run()
    assert deliveries(place, A)[0]["state"] == "sent"


def test_people_who_left_get_none(place: World) -> None:
    choose(place, A, wants=True)
    place.start("cycle")
    place.clock.set(morning(7))
    place.disable(A)
    place.run()
    assert digests(place) == [] and not [row for row in place.rows("job") if row["error"]]


# ---------------------------------------------------------------- the calendar


def token(address: str) -> str:
    assert address.startswith("https://tadachi.example/calendar/") and address.endswith(".ics")
    return address.rpartition("/")[2].removesuffix(".ics")


def unfolded(text: str) -> list[str]:
    assert text.endswith("\r\n") and all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    return text.replace("\r\n ", "").split("\r\n")


def test_the_calendar_holds_deadlines_by_number_and_step_only(place: World) -> None:
    engine = place.engine
    place.start("approval", item_summary="山田太郎の書類")
    place.start("clock", item_summary="山田太郎", duty="yes", report_days=5, known_at="2026-12-07 06:00")
    place.start("cycle")  # nothing is due there
    own = token(engine.calendar.create(place.viewer(MANAGER)))
    lines = unfolded(engine.calendar.read(own))
    assert [line for line in lines if line.startswith("SUMMARY")] == [
        "SUMMARY:案R8-0001 審査", "SUMMARY:案R8-0002 報告の作成", "SUMMARY:案R8-0002 報告",
    ]  # fmt: skip
    assert "DTEND;TZID=Asia/Tokyo:20261207T100000" in lines and "DTSTART;TZID=Asia/Tokyo:20261207T093000" in lines
    assert lines.count("DTSTART;VALUE=DATE:20261211") == 2, "24:00 of the 11th is that day, not the next"
    assert "URL:https://tadachi.example/tasks/1" in lines and "山田" not in "".join(lines)
    assert lines[0] == "BEGIN:VCALENDAR" and lines[-2:] == ["END:VCALENDAR", ""] and "BEGIN:VTIMEZONE" in lines
    assert own not in str(place.rows("calendar_feed"))
    place.complete(1, "review", opinion="よい")
    assert "SUMMARY:案R8-0001 審査" not in unfolded(engine.calendar.read(own))


def test_a_calendars_address_ends_with_its_revocation_its_successor_or_the_account(place: World) -> None:
    calendar, viewer = place.engine.calendar, place.viewer(MANAGER)
    first = token(calendar.create(viewer))
    second = token(calendar.create(viewer))
    assert place.engine.receiving.show(viewer).calendar_since == viewer.at
    for wrong in (first, "", "x", second + "x", "\ud800"):
        with pytest.raises(FeedNotFound):
            calendar.read(wrong)
    assert calendar.read(second)
    calendar.revoke(viewer)
    with pytest.raises(FeedNotFound):
        calendar.read(second)
    assert place.engine.receiving.show(viewer).calendar_since is None
    third = token(calendar.create(viewer))
    place.disable(A)
    with pytest.raises(FeedNotFound):
        calendar.read(third)


def test_a_calendar_is_written_as_the_standard_wants_it() -> None:
    entry = Entry("u", morning(7), "案,1;2\\\r\n長い" + "あ" * 60, "https://x/")
    text = written([entry], morning(7))
    lines = unfolded(text)
    assert "SUMMARY:案\\,1\\;2\\\\\\n長い" + "あ" * 60 in lines
    assert "DTSTAMP:20261206T233000Z" in unfolded(written([entry], morning(7).astimezone(JST)))
    assert folded("a" * 75) == "a" * 75 and folded("a" * 76) == "a" * 75 + "\r\n a"

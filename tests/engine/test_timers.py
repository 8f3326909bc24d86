"""From a timer's text to the instant it is due."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.clock import JST
from engine.deadlines import Calendar, WorkingDays
from engine.net import Timer
from engine.timers import add_duration, due_instant, next_round

START = datetime(2026, 1, 31, 10, 0, tzinfo=JST)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=JST)


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("PT1H", "2026-01-31 11:00"), ("P1D", "2026-02-01 10:00"), ("P1W", "2026-02-07 10:00"), ("P1M", "2026-02-28 10:00"), ("P1Y", "2027-01-31 10:00"),
        ("P1Y2M3DT4H5M6S", "2027-04-03 14:05:06"), ("P13M", "2027-02-28 10:00"), ("PT90M", "2026-01-31 11:30"),
    ],
)  # fmt: skip
def test_durations_keep_japanese_civil_time(text: str, due: str) -> None:
    assert add_duration(text, START) == at(due)


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P0D", "PT0S", "-P1D", "P1.5D", "1D", "P99999999999Y", "P99999999999D", "P8000Y", "1 day", "P1D "]
)
def test_what_is_no_duration(text: str) -> None:
    assert add_duration(text, START) is None


@pytest.mark.parametrize(
    ("value", "due"),
    [
        (None, None), ("", None), ("たぶん", None), (5, None), (True, None),
        (date(2026, 2, 1), "2026-02-01 00:00"), ("2026-02-01", "2026-02-01 00:00"), ("2026-02-01T09:30", "2026-02-01 09:30"),
        ("2026-02-01T00:30:00+00:00", "2026-02-01 09:30"), (datetime(2026, 2, 1, 0, 30, tzinfo=UTC), "2026-02-01 09:30"), (timedelta(hours=2), "2026-01-31 12:00"),
        ("PT2H", "2026-01-31 12:00"), ("2020-01-01", "2020-01-01 00:00"),
    ],
)  # fmt: skip
def test_what_an_expression_may_say(value: Any, due: str | None) -> None:
    timer = Timer("date", "fact", False)
    assert due_instant(timer, START, lambda _text: value) == (at(due) if due else None)


@pytest.mark.parametrize(
    ("armed", "days", "due"),
    [
        ("2026-04-28 10:00", 1, "2026-04-30 10:00"), ("2026-04-28 10:00", 3, "2026-05-07 10:00"),  # 昭和の日; 憲法記念日 to its substitute on the 6th
        ("2026-05-02 10:00", 1, "2026-05-08 00:00"), ("2026-12-28 17:00", 1, "2027-01-04 17:00"),
    ],
)  # fmt: skip
def test_open_days_leave_out_weekends_holidays_and_the_turn_of_the_year(armed: str, days: int, due: str) -> None:
    """「3開庁日後」は、土日・祝日・年末年始を数えない。閉庁日に始まれば、次の開庁日の0時から数える。"""
    span = WorkingDays(days, Calendar())
    assert due_instant(Timer("duration", f"working_days({days})", False), at(armed), lambda _text: span) == at(due)


@pytest.mark.parametrize("number", [0, -1, 1_001, 10**12, 1.5, True, None, "3"])
def test_what_is_no_number_of_open_days_is_refused(number: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        WorkingDays(number, Calendar())


def test_every_open_day_again_after_an_outage() -> None:
    """毎開庁日の催促は、止まっていた間の分を取り戻さず、次の開庁日の同じ時刻に続く。"""
    daily = Timer("cycle", "working_days(1)", False)
    found = next_round(daily, at("2026-04-27 09:00"), at("2026-05-03 12:00"), lambda _text: WorkingDays(1, Calendar()))
    assert found == at("2026-05-07 09:00")


def test_a_literal_is_not_evaluated() -> None:
    def never(_text: str) -> Any:
        raise AssertionError

    assert due_instant(Timer("duration", "PT1H", True), START, never) == at("2026-01-31 11:00")


HOURLY = Timer("cycle", "PT1H", True)


@given(st.integers(0, 100_000))
def test_the_next_round_is_on_the_beat_and_in_the_future(minutes: int) -> None:
    now = START + timedelta(minutes=minutes)
    found = next_round(HOURLY, START, now, lambda text: text)
    assert found is not None
    assert now < found <= now + timedelta(hours=1)
    assert (found - START) % timedelta(hours=1) == timedelta(0)


def test_a_round_that_says_never_or_the_past_ends() -> None:
    expression = Timer("cycle", "fact", False)
    assert next_round(expression, START, START, lambda _text: None) is None
    assert next_round(expression, START, START + timedelta(days=1), lambda _text: "2020-01-01") is not None, (
        "and does not go round for ever"
    )

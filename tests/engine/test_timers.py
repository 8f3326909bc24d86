"""From a timer's text to the instant it is due."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.clock import JST
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

"""Dates, sizes and names in the words of a Japanese office."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from webui import formatting

NOW = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)  # Friday 17:30 in Japan


@pytest.mark.parametrize(
    ("instant", "words"),
    [
        (datetime(2026, 11, 20, 8, 30, tzinfo=UTC), "11月20日（金）17:30"),
        (datetime(2026, 11, 20, 15, 0, tzinfo=UTC), "11月20日（金）24:00"),  # a statutory day ends at 24:00
        (datetime(2026, 12, 31, 15, 0, tzinfo=UTC), "12月31日（木）24:00"),  # and so does a year
        (datetime(2027, 1, 4, 15, 0, tzinfo=UTC), "2027年1月4日（月）24:00"),
        (datetime(2026, 11, 20, 15, 1, tzinfo=UTC), "11月21日（土）0:01"),
        (None, ""),
    ],
)
def test_a_due_instant_is_a_civil_time_in_japan(instant: datetime | None, words: str) -> None:
    assert formatting.due(instant, NOW) == words


def test_midnight_is_zero_oclock_for_what_has_happened() -> None:
    assert formatting.moment(datetime(2026, 11, 20, 15, 0, tzinfo=UTC), NOW) == "11月21日（土）0:00"
    assert formatting.moment(datetime(2025, 11, 20, 15, 0, tzinfo=UTC), NOW) == "2025年11月21日（金）0:00"


@pytest.mark.parametrize(
    ("left", "words"),
    [
        ({"days": 3, "hours": 23}, "あと3日"),
        ({"hours": 5, "minutes": 59}, "あと5時間"),
        ({"minutes": 20}, "あと20分"),
        ({"seconds": 5}, "あと0分"),
        ({"hours": -30}, "1日超過"),
        ({"minutes": -90}, "1時間超過"),
    ],
)
def test_time_left_is_never_said_to_be_more_than_it_is(left: dict[str, int], words: str) -> None:
    assert formatting.remaining(NOW + timedelta(**left), NOW) == words


@pytest.mark.parametrize(
    ("on", "words"),
    [
        (date(2026, 11, 20), "令和8年11月20日"),
        (date(2019, 5, 1), "令和元年5月1日"),
        (date(2019, 4, 30), "平成31年4月30日"),
        (date(1989, 1, 7), "昭和64年1月7日"),
        (date(1989, 1, 8), "平成元年1月8日"),
        (date(1926, 12, 25), "昭和元年12月25日"),
        (date(1867, 1, 1), "1867年1月1日"),
    ],
)
def test_the_first_year_of_an_era_is_gannen(on: date, words: str) -> None:
    assert formatting.wareki(on) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 バイト"), (1023, "1023 バイト"), (1024, "1.0 KB"), (182_233, "178 KB"), (5 * 1024**2, "5.0 MB"), (3 * 1024**3, "3.0 GB")],
)
def test_sizes(size: int, words: str) -> None:
    assert formatting.size(size) == words


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("2026-11-19T05:10:00+00:00", "2026-11-19T14:10"),
        (datetime(2026, 11, 19, 5, 10, tzinfo=UTC), "2026-11-19T14:10"),
        ("2026-11-19T14:10", "2026-11-19T14:10"),
        ("きのうの昼", "きのうの昼"),
        (None, ""),
    ],
)
def test_an_instant_goes_back_into_its_field_in_japanese_time(value: object, shown: str) -> None:
    assert formatting.input_instant(value) == shown


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("回収確認書.pdf", "回収確認書.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a.exe", "a.exe"),
        ("回収\u202efdp.exe", "回収fdp.exe"),
        ("a\r\nSet-Cookie: x", "x"),
        ("...", "添付ファイル"),
        ("", "添付ファイル"),
        ('a"b<c>.txt', "a_b_c_.txt"),
    ],
)
def test_a_file_name_is_only_a_name(name: str, safe: str) -> None:
    assert formatting.safe_name(name) == safe

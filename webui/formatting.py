"""Instants, days and sizes in the words of a Japanese office: pure functions, used as Jinja filters."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from engine import JST, japanese_date

WEEKDAYS = "月火水木金土日"
_LOCAL_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_LOCAL_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?")


def _day_of(value: datetime | date) -> date:
    return value.astimezone(JST).date() if isinstance(value, datetime) else value


def day(value: datetime | date | None, now: datetime | None = None) -> str:
    """A day with its weekday; the year is left out when `now` is given and lies in the same year."""
    if value is None:
        return ""
    on = _day_of(value)
    year = "" if now is not None and _day_of(now).year == on.year else f"{on.year}年"
    return f"{year}{on.month}月{on.day}日（{WEEKDAYS[on.weekday()]}）"


def moment(value: datetime | None, now: datetime | None = None) -> str:
    """An instant as Japanese civil time, to the minute."""
    if value is None:
        return ""
    local = value.astimezone(JST)
    return f"{day(value, now)}{local.hour}:{local.minute:02}"


def due(value: datetime | None, now: datetime | None = None) -> str:
    """A due instant: midnight is written as 24:00 of the day it ends, as statutory days are."""
    if value is None:
        return ""
    if value.astimezone(JST).time() == time():
        return f"{day(_day_of(value) - timedelta(days=1), now)}24:00"
    return moment(value, now)


def remaining(value: datetime | None, now: datetime) -> str:
    """How much time is left until a due instant, or by how much it has passed."""
    if value is None:
        return ""
    left = value - now
    late = left < timedelta()
    minutes = int(abs(left).total_seconds() // 60)
    days, hours = minutes // 1440, minutes // 60
    span = f"{days}日" if days else f"{hours}時間" if hours else f"{minutes}分"
    if not late:
        return f"あと{span}"
    return f"{span}超過"


def runs(events: Sequence[Any]) -> list[list[Any]]:
    """Events that time brought about at one instant for many steps alike, together; every other event alone."""
    made: list[list[Any]] = []
    for event in events:
        before = made[-1][-1] if made else None
        alike = before is not None and (before.at, before.tag, before.person_name) == (event.at, event.tag, event.person_name)
        if alike and not (event.note or event.changes or event.refused):
            made[-1].append(event)
        else:
            made.append([event])
    return made


def wareki(value: datetime | date | None) -> str:
    """A day in the Japanese calendar; the first year of an era is 元年."""
    if value is None:
        return ""
    return japanese_date(_day_of(value))


def span(value: timedelta) -> str:
    """A length of time as people say it, to the minute."""
    minutes = max(0, int(value.total_seconds()) // 60)
    days, rest = divmod(minutes, 24 * 60)
    hours, rest = divmod(rest, 60)
    parts = [f"{number}{unit}" for number, unit in ((days, "日"), (hours, "時間"), (rest, "分")) if number]
    return "".join(parts) or "1分未満"


def size(value: int) -> str:
    """A number of bytes as people read it."""
    if value < 1024:
        return f"{value} バイト"
    for unit, limit in (("KB", 1024**2), ("MB", 1024**3)):
        if value < limit:
            scaled = math.ceil(value * 10 / (limit // 1024)) / 10
            return f"{scaled:.1f} {unit}" if scaled < 10 else f"{math.ceil(scaled)} {unit}"
    return f"{value / 1024**3:.1f} GB"


def short_digest(value: str) -> str:
    """A SHA-256 in four groups of four, enough to compare by eye; the whole value is kept beside it."""
    return " ".join(value[start : start + 4] for start in range(0, 16, 4)) + " …"


def iso(value: datetime | date | None) -> str:
    """The machine-readable form for `<time datetime>`: Japanese civil time with its offset."""
    if value is None:
        return ""
    return value.astimezone(JST).isoformat(timespec="minutes") if isinstance(value, datetime) else value.isoformat()


def input_day(value: Any) -> str:
    """What a date input wants; text that was typed is kept as it is."""
    if isinstance(value, datetime | date):
        return _day_of(value).isoformat()
    return "" if value is None else str(value)


def input_instant(value: Any) -> str:
    """What a datetime-local input wants, in Japanese civil time; text that was typed is kept, stored instants are converted."""
    if isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            return value
        if parsed.tzinfo is None:
            return value
        value = parsed
    if isinstance(value, datetime):
        return value.astimezone(JST).strftime("%Y-%m-%dT%H:%M")
    return "" if value is None else str(value)


def fits_day(text: str) -> bool:
    """Whether a browser's date input can show the text; if not, a plain text input keeps what was typed."""
    return text == "" or _LOCAL_DAY.fullmatch(text) is not None


def fits_instant(text: str) -> bool:
    """Whether a browser's datetime-local input can show the text."""
    return text == "" or _LOCAL_INSTANT.fullmatch(text) is not None


def safe_name(name: str) -> str:
    """A file name that is only a name: no folders, control or direction-changing characters, never empty."""
    kept = "".join(c for c in unicodedata.normalize("NFC", name) if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp"))
    base = re.split(r"[\\/:]", kept)[-1]
    base = re.sub(r'[<>"|?*;]', "_", base).strip(" .")
    return base[-200:] or "添付ファイル"


FILTERS = {
    "day": day,
    "moment": moment,
    "due": due,
    "remaining": remaining,
    "runs": runs,
    "wareki": wareki,
    "span": span,
    "size": size,
    "short_digest": short_digest,
    "iso": iso,
    "input_day": input_day,
    "input_instant": input_instant,
}
TESTS = {"fits_day": fits_day, "fits_instant": fits_instant}

"""Reads the hand-written files of an office's folder and gathers everything wrong in them, so that one look tells all."""

from __future__ import annotations

import csv
import io
import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Protocol, TypeVar

from engine.errors import Finding

_NOT_TEXT = re.compile("[\0\uf8f0-\uf8f3]")  # Python's CP932 reads bytes that are in no Japanese text (UTF-16's first, say) as these
_DURATION = re.compile(r"P(?:(\d{1,4})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,4})M)?)?", re.ASCII)
_ID = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)


class Dated(Protocol):
    """A row that is in force from a day, to a day (the last day included; None = open)."""

    @property
    def valid_from(self) -> date: ...

    @property
    def valid_to(self) -> date | None: ...


Row = TypeVar("Row", bound=Dated)


def in_force(rows: Iterable[Row], on: date) -> Row | None:
    """The newest row in force on a day: a change of law is a further row, never an edit of the old one."""
    fitting = [row for row in rows if row.valid_from <= on and (row.valid_to is None or on <= row.valid_to)]
    return max(fitting, key=lambda row: row.valid_from, default=None)


@dataclass
class Findings:
    """What is wrong so far."""

    found: list[Finding] = field(default_factory=list)

    def add(self, rule: str, message: str, element: str = "", file: str = "") -> None:
        """Note one thing that is wrong."""
        self.found.append(Finding(rule=rule, message=message, element=element, file=file))


def read_text(path: Path, findings: Findings) -> str | None:
    """The text of a file: UTF-8, or the CP932 that a Japanese spreadsheet saves by default."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        findings.add("missing-file", "ファイルがありません。", file=path.name)
        return None
    except OSError:
        findings.add("unreadable-file", "ファイルを読めません（権限または種類を確かめてください）。", file=path.name)
        return None
    codes = ("utf-8-sig", "cp932") if path.suffix == ".csv" else ("utf-8-sig",)  # TOML is UTF-8 by its own definition
    for code in codes:
        try:
            text = raw.decode(code)
        except UnicodeDecodeError:
            continue
        if not _NOT_TEXT.search(text):
            return text
    wanted = "UTF-8またはシフトJIS（CP932）" if len(codes) > 1 else "UTF-8"
    findings.add("encoding", f"文字コードが{wanted}ではありません。", file=path.name)
    return None


def read_toml(path: Path, findings: Findings) -> Table | None:
    """The top table of a TOML file, or None with the line that is broken."""
    text = read_text(path, findings)
    if text is None:
        return None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as broken:
        place = re.search(r"line (\d+), column (\d+)", str(broken))
        where = f"{place[1]}行{place[2]}文字目" if place else "ファイルの終わり"
        findings.add("broken-toml", f"{where}でTOMLの書き方が崩れています。", file=path.name)
        return None
    return Table(data, findings, path.name)


def read_csv(path: Path, required: Sequence[str], optional: Sequence[str], findings: Findings) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and row of each row of a CSV file whose first line names the columns."""
    text = read_text(path, findings)
    if text is None:
        return
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        for name in required:
            if name not in header:
                findings.add("missing-column", f"列「{name}」がありません。", file=path.name)
        for name in header:
            if name not in {*required, *optional}:
                findings.add("unknown-column", f"列「{name}」は使われません。", file=path.name)
            if header.count(name) > 1:
                findings.add("duplicate-column", f"列「{name}」が重複しています。", file=path.name)
        for values in reader:
            if not any(value.strip() for value in values):
                continue  # a spreadsheet leaves empty lines at the end
            if len(values) != len(header):
                findings.add("wrong-width", f"{reader.line_num}行目：{len(values)}列あります（見出しは{len(header)}列）。", file=path.name)
                continue
            yield reader.line_num, {name: value.strip() for name, value in zip(header, values, strict=True)}
    except csv.Error:
        findings.add("broken-csv", f"{reader.line_num}行目でCSVの引用符などが崩れています。", file=path.name)


class Table:
    """A TOML table being read: a getter that finds something wrong notes it and answers with a harmless value."""

    def __init__(self, data: Mapping[str, object], findings: Findings, file: str, element: str = "") -> None:
        self._data = data
        self._findings = findings
        self._read: set[str] = set()
        self.file = file
        self.element = element

    def wrong(self, rule: str, message: str) -> None:
        """Note something wrong with this table."""
        self._findings.add(rule, message, self.element, self.file)

    def has(self, key: str) -> bool:
        """Whether the key is written."""
        return key in self._data

    def _get(self, key: str, kind: type | tuple[type, ...], needed: str, required: bool) -> object | None:
        self._read.add(key)
        value = self._data.get(key)
        if value is None:
            if required:
                self.wrong("missing-key", f"「{key}」がありません。")
            return None
        # bool is an int and datetime is a date for Python, but not for the person who wrote the file
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if not isinstance(value, kind) or (isinstance(value, bool) and bool not in kinds) or (isinstance(value, datetime) and kind is date):
            self.wrong("wrong-type", f"「{key}」は{needed}で書いてください。")
            return None
        return value

    def text(self, key: str, *, required: bool = True) -> str:
        """A text that is not empty when it is required."""
        value = self._get(key, str, "文字列", required)
        text = value.strip() if isinstance(value, str) else ""
        if isinstance(value, str) and required and not text:
            self.wrong("missing-key", f"「{key}」が空です。")
        return text

    def identifier(self, key: str = "id") -> str:
        """A short ASCII name; the table is known by it in later findings."""
        value = self.text(key)
        self.element = self.element or value
        if value and not _ID.fullmatch(value):
            self.wrong("bad-id", f"「{key}」は半角の小文字・数字・下線で、英字から始めてください（「{value}」）。")
        return value

    def number(self, key: str, low: int, high: int, *, required: bool = True) -> int | None:
        """A whole number between two bounds, both included."""
        value = self._get(key, int, "整数", required)
        if isinstance(value, int) and not low <= value <= high:
            self.wrong("out-of-range", f"「{key}」は{low}から{high}までです。")
            return None
        return value if isinstance(value, int) else None

    def flag(self, key: str, *, default: bool) -> bool:
        """true or false."""
        value = self._get(key, bool, "true か false ", False)
        return value if isinstance(value, bool) else default

    def day(self, key: str, *, required: bool = True) -> date | None:
        """A day."""
        value = self._get(key, date, "日付（2022-04-01 の形）", required)
        return value if isinstance(value, date) else None

    def hour(self, key: str) -> time | None:
        """A time of day."""
        value = self._get(key, time, "時刻（09:00:00 の形）", True)
        return value if isinstance(value, time) else None

    def period(self) -> tuple[date, date | None]:
        """The days `valid_from` and `valid_to` between which a row is in force, both included."""
        first, last = self.day("valid_from"), self.day("valid_to", required=False)
        if first and last and last < first:
            self.wrong("period", "valid_to が valid_from より前の日です。")
        return first or date.min, last

    def span(self, key: str, *, required: bool = True) -> timedelta | None:
        """A length of time in days, hours and minutes, longer than zero."""
        value = self._get(key, str, "ISO 8601の期間（PT1H など）", required)
        if not isinstance(value, str):
            return None
        parts = _DURATION.fullmatch(value)
        days, hours, minutes = (int(part or 0) for part in parts.groups()) if parts else (0, 0, 0)
        length = timedelta(days=days, hours=hours, minutes=minutes)
        if not length:
            self.wrong("bad-duration", f"「{key}」の「{value}」は、0より長いISO 8601の期間（PT1H、P3D など）ではありません。")
            return None
        return length

    def _list(self, key: str, kind: type, needed: str, required: bool) -> list[object]:
        value = self._get(key, list, f"{needed}の並び", required)
        items = value if isinstance(value, list) else []
        if any(not isinstance(item, kind) or (isinstance(item, (bool, datetime)) and kind not in (bool, datetime)) for item in items):
            self.wrong("wrong-type", f"「{key}」は{needed}の並びで書いてください。")
            return []
        return items

    def texts(self, key: str, *, required: bool = False) -> tuple[str, ...]:
        """A list of texts, none twice."""
        items = tuple(str(item) for item in self._list(key, str, "文字列", required))
        for item in sorted({item for item in items if items.count(item) > 1}):
            self.wrong("duplicate", f"「{key}」に「{item}」が2度あります。")
        return items

    def numbers(self, key: str, low: int, high: int) -> tuple[int, ...]:
        """A list of whole numbers between two bounds."""
        items = tuple(item for item in self._list(key, int, "整数", False) if isinstance(item, int))
        if any(not low <= item <= high for item in items):
            self.wrong("out-of-range", f"「{key}」の数は{low}から{high}までです。")
            return ()
        return items

    def days(self, key: str) -> tuple[date, ...]:
        """A list of days."""
        return tuple(item for item in self._list(key, date, "日付", False) if isinstance(item, date))

    def mapping(self, key: str, *, required: bool = False) -> dict[str, str]:
        """A table of texts."""
        value = self._get(key, dict, "文字列の表", required)
        items: dict[str, str] = {}
        for name, text in (value if isinstance(value, dict) else {}).items():
            if isinstance(text, str) and text.strip():
                items[name] = text.strip()
            else:
                self.wrong("wrong-type", f"「{key}」の「{name}」は空でない文字列で書いてください。")
        return items

    def values(self, key: str) -> dict[str, object]:
        """A table of texts, numbers, truth values or lists of texts, as they stand; empty when absent."""
        value = self._get(key, dict, "値の表", False)
        items: dict[str, object] = {}
        for name, item in (value if isinstance(value, dict) else {}).items():
            if isinstance(item, (str, int)) or (isinstance(item, list) and all(isinstance(part, str) for part in item)):
                items[name] = item
            else:
                self.wrong("wrong-type", f"「{key}」の「{name}」は文字列・整数・真偽・文字列のリストで書いてください。")
        return items

    def value(self, key: str) -> str | int | float | bool:
        """A text, a number, or true or false."""
        value = self._get(key, (str, int, float, bool), "文字列・数・true か false のどれか", True)
        if isinstance(value, float) and not math.isfinite(value):
            self.wrong("out-of-range", f"「{key}」は有限の数で書いてください。")
            return 0
        return value if isinstance(value, (str, int, float, bool)) else ""

    def table(self, key: str) -> Table:
        """One table inside this one. When it is not there, that is noted once, not again for each of its keys."""
        value = self._get(key, dict, f"[{key}] の表", True)
        return Table(value, self._findings, self.file, key) if isinstance(value, dict) else Table({}, Findings(), self.file, key)

    def tables(self, key: str, *, required: bool = True) -> list[Table]:
        """The tables of a list of tables."""
        items = self._list(key, dict, f"[[{key}]] の表", required)
        return [Table(item, self._findings, self.file) for item in items if isinstance(item, dict)]

    def close(self) -> None:
        """Nothing more is read here: a key that nobody asked for is a slip of the pen, and would be silently without effect."""
        for key in self._data:
            if key not in self._read:
                self.wrong("unknown-key", f"「{key}」という項目はありません。")

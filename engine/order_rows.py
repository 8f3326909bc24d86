"""Reads the rows of a personnel order (発令) and holds each against the office of that day and the people known: all faults at once."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from engine.era import japanese_date, read_date
from engine.errors import RowFault
from engine.organisation import Organisation, Unit
from engine.sheets import HIDDEN, Sheet, SheetRow

#: What a row may order, in the words of orders.
ACTIONS: Mapping[str, str] = {
    "採用": "join", "任命": "appoint", "命ずる": "appoint", "就任": "appoint", "免": "relieve", "免ずる": "relieve", "解任": "relieve",
    "異動": "move", "配置換": "move", "配置換え": "move", "退職": "leave", "離職": "leave",
}  # fmt: skip
#: How a seat may be held.
KINDS: Mapping[str, str] = {
    "本務": "main", "兼務": "concurrent", "併任": "joint", "事務取扱": "caretaker", "職務代理": "acting",
}  # fmt: skip
#: What a column holds -> its headers, the first of which is the usual one.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "person": ("職員番号", "利用者ID"),
    "name": ("氏名", "名前"),
    "action": ("発令", "発令内容"),
    "unit": ("部署", "所属"),
    "role": ("役",),
    "post": ("職", "職名", "官職"),
    "kind": ("区分",),
    "from": ("発令日",),
    "to": ("終了日",),
    "basis": ("根拠",),
    "email": ("メール", "メールアドレス"),
}
REMARKS = "備考"  # columns whose header begins so are for the readers of the file alone

_LETTERS = {"person": 64, "email": 254, "basis": 300, "name": 200, "from": 40, "to": 40}
_OTHERWISE = 200
_PERSON = re.compile(r"[A-Za-z0-9._-]{1,64}")
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
# Names and bases are kept as they are written but for the width of letters, digits and kana: NFKC would also replace the very letters of a
# name (U+FA19 by U+795E) and the marks of a citation.
_WIDTHS = re.compile("[\u3000\xa0\u3040-\u30ff\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\uff61-\uff9f]+")
_ALIKE = str.maketrans({"\u301c": "~", "\u2212": "-", "\u2014": "\u2015"})  # codes disagree about these; nobody sees a difference
_BLANKS = " \t\r\n\u3000\xa0"
_SUGGESTIONS = 50  # of different words; comparing takes time

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class OrderRow:
    """One thing ordered.

    Attributes:
        action: join (a new account), appoint, relieve, move (ends every seat held as main and appoints this one), leave (ends everything).
        name: as written, or the known one where nothing is written.
        seat: `role@unit`; "" for leave, and for a join without a seat.
        kind: main, concurrent, joint, caretaker or acting.
        valid_to: the last day, included.
    """

    line: int
    action: str
    person: str
    name: str
    seat: str
    kind: str
    valid_from: date
    valid_to: date | None
    basis: str
    email: str | None


@dataclass(frozen=True)
class OrderRead:
    """What was read. With any fault nothing may be applied; `rows` then holds those without one."""

    rows: tuple[OrderRow, ...]
    faults: tuple[RowFault, ...]


def read_rows(sheet: Sheet, office: Organisation, effective_on: date | None, people: Mapping[str, str]) -> OrderRead:
    """The rows of an order, or everything that is wrong with it.

    Args:
        sheet: the table as it was read.
        office: whose units and seats are meant.
        effective_on: the day of the order where it is known apart from the file; whether it lies in the past is the caller's to judge.
        people: known person id -> name.
    """
    return _Reader(sheet, office, effective_on, people).read()


@dataclass
class _Draft:
    """A row being read: its texts in their normal form by what they are (those at fault are missing), and what has come of them."""

    line: int
    texts: dict[str, str] = field(default_factory=dict)
    action: str = ""
    person: str = ""
    day: date | None = None
    seat: str | None = None


class _Reader:
    def __init__(self, sheet: Sheet, office: Organisation, effective_on: date | None, people: Mapping[str, str]) -> None:
        self.sheet, self.office, self.effective_on, self.people = sheet, office, effective_on, people
        self.faults: list[RowFault] = []
        self.headers: dict[str, str] = {}  # what a column holds -> its header in this file
        self.joining: dict[str, str] = {}  # new person id -> name
        self.units = _by_key((unit.name, unit) for unit in office.units.values())
        self.roles = _by_key((role.name, role.id) for role in office.roles.values())
        self._seats: dict[date | None, frozenset[str]] = {}
        self._near: dict[tuple[str, str], str] = {}

    def read(self) -> OrderRead:
        self._read_headers()
        drafts = [self._draft(row) for row in self.sheet.rows]
        if not drafts:
            self.faults.append(RowFault(0, "", "発令の行がありません。"))
        self._read_days(drafts)
        for draft in drafts:
            draft.action = self._word(draft, "action", ACTIONS)
            draft.person = self._person(draft)
            if draft.action == "join" and draft.person:
                self.joining.setdefault(draft.person, draft.texts.get("name", ""))
        rows = [self._row(draft) for draft in drafts]
        self._compare(drafts)
        faulty = {fault.line for fault in self.faults}
        order = {header: place for place, header in enumerate(self.sheet.headers)}
        faults = sorted(self.faults, key=lambda fault: (fault.line, order.get(fault.column, -1)))
        return OrderRead(tuple(row for row in rows if row and row.line not in faulty), tuple(faults))

    def _fault(self, line: int, what: str, message: str) -> None:
        self.faults.append(RowFault(line, self.headers.get(what, COLUMNS[what][0]), message))

    # The columns and the texts.

    def _read_headers(self) -> None:
        known = {_key(header): what for what, headers in COLUMNS.items() for header in headers}
        for header in self.sheet.headers:
            what = known.get(_key(header))
            if what is None:
                if not header.startswith(REMARKS):
                    near = self._suggest("", header, [name for names in COLUMNS.values() for name in names])
                    message = f"列「{header}」は読み取れません。{near}覚え書きの列は、見出しを「備考」で始めてください。"
                    self.faults.append(RowFault(0, header, message))
            elif what in self.headers:
                self.faults.append(RowFault(0, header, f"列「{header}」と列「{self.headers[what]}」は同じ意味です。1つにしてください。"))
            else:
                self.headers[what] = header
        for what in ("person", "action", *(() if self.effective_on else ("from",))):
            if what not in self.headers:
                self._fault(0, what, f"列「{COLUMNS[what][0]}」がありません。")

    def _draft(self, row: SheetRow) -> _Draft:
        draft = _Draft(row.line)
        for what in COLUMNS:
            text = row.cells[self.headers[what]].strip(_BLANKS) if what in self.headers else ""
            most = _LETTERS.get(what, _OTHERWISE)
            if len(text) > most:
                self._fault(row.line, what, f"{most}文字以内で書いてください（いま{len(text):,}文字）。")
            elif HIDDEN.search(text) or "\ufffd" in text:
                self._fault(row.line, what, "改行・制御文字などの見えない文字か、文字化けした文字が含まれています。書き直してください。")
            elif what in ("name", "basis"):
                draft.texts[what] = _WIDTHS.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)
            else:
                draft.texts[what] = unicodedata.normalize("NFKC", text).strip()
        return draft

    def _word(self, draft: _Draft, what: str, words: Mapping[str, str]) -> str:
        text = draft.texts.get(what, "")
        found = words.get("".join(text.split()), "")
        offered = "・".join(word for place, (word, value) in enumerate(words.items()) if value not in list(words.values())[:place])
        if text and not found:
            self._fault(draft.line, what, f"「{_short(text)}」は使えません。{offered}のどれかを書いてください。")
        elif not text and what == "action" and what in draft.texts and what in self.headers:
            self._fault(draft.line, what, f"{offered}のどれかを書いてください。")
        return found

    def _suggest(self, what: str, text: str, names: Collection[str]) -> str:
        """「…」のことですか。— the nearest of the known names."""
        key = (what, text)
        if key not in self._near:
            if len(self._near) >= _SUGGESTIONS or len(text) > 64:
                return ""
            found = difflib.get_close_matches(text, names, 1, 0.5)  # one letter of two
            self._near[key] = f"「{found[0]}」のことですか。" if found else ""
        return self._near[key]

    # The days.

    def _read_days(self, drafts: list[_Draft]) -> None:
        first: _Draft | None = None
        for draft in drafts:
            draft.day = self._day(draft, "from")
            if draft.day is None:
                if self.effective_on and draft.texts.get("from") == "":
                    draft.day = self.effective_on
                elif draft.texts.get("from") == "" and "from" in self.headers:
                    self._fault(draft.line, "from", "発令日を書いてください。")
            elif self.effective_on and draft.day != self.effective_on:
                said = f"この発令の日（{japanese_date(self.effective_on)}）"
                self._fault(draft.line, "from", f"{japanese_date(draft.day)}は、{said}と違います。")
            elif not self.effective_on:
                first = first or draft
                if first.day and draft.day != first.day:
                    said = f"{first.line}行目（{japanese_date(first.day)}）"
                    self._fault(
                        draft.line, "from", f"{japanese_date(draft.day)}は、{said}と違います。1つのファイルの発令日は同じ日にしてください。"
                    )

    def _day(self, draft: _Draft, what: str) -> date | None:
        text = draft.texts.get(what, "")
        if not text:
            return None
        try:
            day = read_date(text)
        except ValueError:
            self._fault(draft.line, what, f"「{_short(text)}」を日付として読めません（例：2027-04-01、令和9年4月1日）。")
            return None
        if not 1900 <= day.year <= 2200:
            self._fault(draft.line, what, f"「{_short(text)}」の年を確かめてください。")
            return None
        return day

    # One row.

    def _person(self, draft: _Draft) -> str:
        text = draft.texts.get("person", "")
        if _PERSON.fullmatch(text):
            return text
        if text:
            self._fault(
                draft.line, "person", f"「{_short(text)}」は使えません。英字・数字・「.」「-」「_」だけで64文字以内にしてください。"
            )
        elif "person" in draft.texts and "person" in self.headers:
            self._fault(draft.line, "person", "職員番号を書いてください。")
        return ""

    def _row(self, draft: _Draft) -> OrderRow | None:
        name = self._name(draft)
        kind = self._kind(draft)
        draft.seat = self._seat(draft)
        valid_to = self._last_day(draft)
        email = draft.texts.get("email", "")
        if email and not _EMAIL.fullmatch(email):
            self._fault(draft.line, "email", f"「{_short(email)}」はメールアドレスの形ではありません。")
        if not draft.action or not draft.person or draft.day is None or draft.seat is None:
            return None
        basis = draft.texts.get("basis", "")
        return OrderRow(draft.line, draft.action, draft.person, name, draft.seat, kind, draft.day, valid_to, basis, email or None)

    def _name(self, draft: _Draft) -> str:
        """The person's name, after the person's id has been held against it: a row that slipped would order something of another person."""
        name, person = draft.texts.get("name", ""), draft.person
        if draft.action == "join":
            if not name and "name" in draft.texts:
                self._fault(draft.line, "name", "採用する職員の氏名を書いてください。")
            if person in self.people:
                self._fault(draft.line, "person", f"「{person}」は、すでに登録されています。採用には新しい番号を使ってください。")
            return name
        known = self.people.get(person, self.joining.get(person))
        if person and draft.action and known is None:
            self._fault(draft.line, "person", f"「{person}」は登録されていません。新しい職員なら、採用の行も書いてください。")
        if name and known and _key(name) != _key(known):
            self._fault(
                draft.line, "name", f"「{_short(name)}」は、職員番号「{person}」の氏名と違います。行がずれていないか確かめてください。"
            )
        return name or known or ""

    def _kind(self, draft: _Draft) -> str:
        kind = self._word(draft, "kind", KINDS)
        given = draft.texts.get("kind", "")
        if given and draft.action == "leave":
            self._fault(draft.line, "kind", "退職は、すべての役を終わらせます。区分は空にしてください。")
        elif kind and kind != "main" and draft.action == "move":
            self._fault(draft.line, "kind", f"異動先の区分は本務だけです。{given}は「任命」の行に書いてください。")
        if kind in ("acting", "caretaker") and draft.texts.get("basis") == "":
            self._fault(draft.line, "basis", f"{given}には根拠を書いてください。")
        return kind or "main"

    def _last_day(self, draft: _Draft) -> date | None:
        last = self._day(draft, "to")
        if draft.texts.get("to") and draft.action in ("relieve", "leave"):
            self._fault(draft.line, "to", "免と退職では、終了日を空にしてください。")
        elif last and draft.day and last < draft.day:
            self._fault(draft.line, "to", f"終了日（{japanese_date(last)}）が、発令日（{japanese_date(draft.day)}）より前です。")
        return last

    # The seat.

    def _seat(self, draft: _Draft) -> str | None:
        """The seat; "" where none is to be named, None when something is wrong with it."""
        given = {what: draft.texts.get(what) for what in ("unit", "role", "post")}
        if draft.action == "leave":
            for what, text in given.items():
                if text:
                    self._fault(draft.line, what, f"退職は、すべての役を終わらせます。{COLUMNS[what][0]}は空にしてください。")
            return ""
        if None in given.values():
            return None
        if not any(given.values()) and draft.action in ("join", ""):
            return ""
        if not given["unit"]:
            self._fault(draft.line, "unit", "部署を書いてください。")
        if not given["role"] and not given["post"]:
            self._fault(draft.line, "role", "役（または職）を書いてください。")
        unit = self._unit(draft, given["unit"]) if given["unit"] else None
        roles = self._role(draft, given["role"]) if given["role"] else None
        if unit is None or not (roles or given["post"]) or roles == []:
            return None
        return self._seat_of(draft, unit, roles, given["post"] or "")

    def _unit(self, draft: _Draft, text: str) -> Unit | None:
        named = [self.office.units[text]] if text in self.office.units else self.units.get(_key(text), [])
        found = [unit for unit in named if draft.day is None or unit.exists(draft.day)]
        if len(found) == 1:
            return found[0]
        if found:
            ids = "、".join(unit.id for unit in found)
            self._fault(draft.line, "unit", f"「{_short(text)}」という部署は{len(found)}つあります。部署のid（{ids}）で書いてください。")
        elif named and draft.day:
            self._fault(draft.line, "unit", f"部署「{_short(text)}」は、{japanese_date(draft.day)}にはありません。")
        else:
            existing = [unit for unit in self.office.units.values() if draft.day is None or unit.exists(draft.day)]
            near = self._suggest("unit", text, [name for unit in existing for name in (unit.name, unit.id)])
            self._fault(draft.line, "unit", f"部署「{_short(text)}」は、この機関にありません。{near}")
        return None

    def _role(self, draft: _Draft, text: str) -> list[str]:
        if text in self.office.roles:
            return [text]
        found = self.roles.get(_key(text), [])
        if not found:
            near = self._suggest("role", text, [name for role in self.office.roles.values() for name in (role.name, role.id)])
            self._fault(draft.line, "role", f"役「{_short(text)}」は、この機関にありません。{near}")
        return found

    def _seat_of(self, draft: _Draft, unit: Unit, roles: list[str] | None, post: str) -> str | None:
        there = [role for role in unit.seats if f"{role}@{unit.id}" in self._seats_on(draft.day)]
        fitting = there if roles is None else [role for role in roles if role in there]
        what, words = "role", f"役「{_short(draft.texts['role'])}」"
        if fitting and post:
            what, words = "post", f"職「{_short(post)}」"
            if roles is not None:
                words += f"で役「{_short(draft.texts['role'])}」のもの"
            fitting = [role for role in fitting if _key(unit.posts.get(role, "")) == _key(post)]
        if len(fitting) == 1:
            return f"{fitting[0]}@{unit.id}"
        if fitting:
            several = "、".join(f"{self.office.roles[role].name}（{role}）" for role in fitting)
            self._fault(draft.line, what, f"{unit.name}の{words}は1つに決まりません。次のどれかを役の列に書いてください：{several}。")
        else:
            names = [unit.posts.get(role, "") if what == "post" else self.office.roles[role].name for role in there]
            offered = "、".join(dict.fromkeys(name for name in names if name)) or "なし"
            self._fault(draft.line, what, f"{unit.name}に、{words}はありません（あるもの：{offered}）。")
        return None

    def _seats_on(self, day: date | None) -> frozenset[str]:
        if day not in self._seats:
            units = self.office.units.values()
            self._seats[day] = frozenset(self.office.seats(day) if day else (f"{role}@{unit.id}" for unit in units for role in unit.seats))
        return self._seats[day]

    # The rows among each other.

    def _compare(self, drafts: list[_Draft]) -> None:
        """The same ordered twice, and people who leave and yet get something."""
        seen: dict[tuple[str, str, str], int] = {}
        leaving = {draft.person: draft.line for draft in reversed(drafts) if draft.action == "leave"}
        for draft in drafts:
            alone = draft.action in ("join", "move", "leave")  # once for a person, whatever the seat
            if not draft.action or not draft.person or (draft.seat is None and not alone):
                continue
            other = seen.setdefault((draft.person, draft.action, "" if alone else draft.seat or ""), draft.line)
            if other != draft.line:
                same = "職員と発令" if alone else "職員・発令・役"
                self._fault(draft.line, "person", f"{other}行目と同じ{same}です。どちらかを消してください。")
            if draft.person in leaving and draft.action in ("join", "appoint", "move"):
                self._fault(draft.line, "action", f"{leaving[draft.person]}行目で退職する職員です。")


def _key(text: str) -> str:
    """What two spellings of a name have in common: width, blanks and capitals do not count."""
    return "".join(unicodedata.normalize("NFKC", text).translate(_ALIKE).split()).casefold()


def _by_key(named: Iterable[tuple[str, Thing]]) -> dict[str, list[Thing]]:
    found: dict[str, list[Thing]] = {}
    for name, thing in named:
        found.setdefault(_key(name), []).append(thing)
    return found


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"

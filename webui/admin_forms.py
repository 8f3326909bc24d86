"""What the forms about people and posts share: what was typed, what is wrong with it, and the choices they offer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from flask import abort, render_template, request

from engine import ABSENCES, DEPUTY_KINDS, HOLDING_KINDS, FormInvalid, TadachiError, civil_day, end_of_day, parse_instant, read_date
from webui.errors import status_of, text_of
from webui.formatting import safe_name
from webui.incoming import engine, posted_text, query_text, viewer

LONGEST = 5_000  # letters of one field that are looked at; the engine has narrower bounds of its own
MOST_LISTED = 300  # people in a select; in a larger office an id or a name is typed
NO_DAY = "日付として読めません。2027-04-01、令和9年4月1日、R9.4.1 のように入力してください。"
UNUSED = date.min  # stands for a day that was not readable: `check` comes before any use


@dataclass
class Typed:
    """The fields of one form as they were typed, and what is wrong with each."""

    values: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def posted(cls, *names: str) -> Typed:
        """What a form sent."""
        return cls({name: posted_text(name)[:LONGEST] for name in names})

    @classmethod
    def asked(cls, *names: str, **otherwise: str) -> Typed:
        """What the address fills in already."""
        return cls({name: query_text(name) or otherwise.get(name, "") for name in names})

    def text(self, name: str, label: str) -> str:
        """A text that must be there."""
        if not self.values[name]:
            self.errors[name] = f"{label}を入力してください。"
        return self.values[name]

    def choice(self, name: str, label: str, allowed: Collection[str], *, optional: bool = False) -> str:
        """One of the values that are offered, or none where that is a choice."""
        if self.values[name] not in allowed and not (optional and not self.values[name]):
            self.errors[name] = f"{label}を選んでください。"
        return self.values[name]

    def day(self, name: str, label: str) -> date:
        """A day that must be there."""
        found = self.day_or_none(name)
        if found is None and name not in self.errors:
            self.errors[name] = f"{label}を入力してください。"
        return found or UNUSED

    def day_or_none(self, name: str) -> date | None:
        """A day, or none when nothing was typed."""
        if not self.values[name]:
            return None
        try:
            return read_date(self.values[name])
        except ValueError:
            self.errors[name] = f"「{self.values[name][:30]}」は{NO_DAY}"
            return None

    def instant_or_none(self, name: str) -> datetime | None:
        """An instant; a day alone is its end."""
        text = self.values[name]
        if not text:
            return None
        try:
            return end_of_day(read_date(text))
        except ValueError:
            pass
        try:
            return parse_instant(text)
        except (ValueError, OverflowError):
            self.errors[name] = f"「{text[:30]}」は日時として読めません。2027-04-01 09:00、令和9年4月1日 のように入力してください。"
            return None

    def person(self, name: str, label: str) -> str:
        """Somebody of the office, by id or by name."""
        text = self.values[name]
        if not text:
            self.errors[name] = f"{label}を選ぶか、入力してください。"
        colleagues = engine().personnel.colleagues(viewer())
        if not text or any(text == one for one, _ in colleagues):
            return text
        found = [one for one, called in colleagues if called == text]
        if not found:
            self.errors[name] = f"「{text[:60]}」という利用者は、この機関にいません。利用者IDか氏名を入力してください。"
        elif len(found) > 1:
            self.errors[name] = f"「{text[:60]}」は{len(found)}人います。利用者ID（{'、'.join(found[:5])}）で入力してください。"
        return found[0] if len(found) == 1 else ""

    def check(self) -> None:
        """Raise FormInvalid when a field is wrong."""
        if self.errors:
            raise FormInvalid(self.errors)


def page(template: str, typed: Typed | None = None, problem: TadachiError | None = None, **more: Any) -> tuple[str, int]:
    """A page with a form: after a refusal with everything that was typed, the errors beside their fields, and the status of the refusal."""
    fields: Mapping[str, str] = getattr(problem, "fields", None) or (typed.errors if typed else {})
    return (
        render_template(
            template,
            typed=typed.values if typed else {},
            errors=fields,
            problem=text_of(problem) if problem and not fields else "",
            faults=[(fault.line, fault.column, fault.message) for fault in getattr(problem, "faults", ())],
            kinds=HOLDING_KINDS,
            deputy_kinds=DEPUTY_KINDS,
            reasons=ABSENCES,
            **more,
        ),
        status_of(problem) if problem else 422 if fields else 200,
    )


def today() -> date:
    """The Japanese day on which somebody looks."""
    return civil_day(viewer().at)


def listed() -> tuple[tuple[str, str], ...]:
    """(id, name) of everybody for a select; empty in an office too large for one."""
    found: tuple[tuple[str, str], ...] = engine().personnel.colleagues(viewer())
    return found if len(found) <= MOST_LISTED else ()


def seats_by_unit() -> list[tuple[str, list[tuple[str, str]]]]:
    """(unit, its seats as (seat, words)) of today and of units that are known to begin."""
    office, on = engine().organisations[viewer().organisation], today()
    found = []
    for unit in office.units.values():
        if unit.valid_to is not None and unit.valid_to < on:
            continue
        name = unit.name if unit.valid_from <= on else f"{unit.name}（{unit.valid_from:%Y-%m-%d}から）"
        if unit.seats:
            found.append((name, [(f"{role}@{unit.id}", f"{unit.name} {office.roles[role].name}") for role in unit.seats]))
    return found


def file_sent(name: str) -> tuple[str, bytes]:
    """Name and bytes of an uploaded file; both empty when none was chosen."""
    sent = request.files.get(name)
    if sent is None or not sent.filename:
        return "", b""
    with sent.stream:  # a large one lies in a temporary file
        return safe_name(sent.filename), sent.read()


def known_person(person_id: str) -> str:
    """A person's id as an address names it; what cannot be an id is simply not found."""
    if len(person_id) > 64 or not person_id.isprintable():
        abort(404)
    return person_id

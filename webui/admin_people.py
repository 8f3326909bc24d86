"""People for who keeps the registers: accounts, passwords for the first sign-in, and who is appointed to what."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, url_for

from engine import HOLDING_KINDS, Conflict, HoldingShown, Invalid, PersonPage, TadachiError
from webui.admin import require_keeper
from webui.admin_forms import Typed, known_person, listed, page, seats_by_unit, today
from webui.formatting import day as day_text
from webui.incoming import engine, query_text, viewer

people = Blueprint("admin_people", __name__)
people.before_request(require_keeper)


@people.get("/admin/people")
def show() -> Any:
    """Everybody of the office, by name, id or seat."""
    text, ended = query_text("text"), query_text("ended") == "yes"
    return page("admin/people.html", rows=engine().personnel.people(viewer(), text or "", ended=ended), text=text, ended=ended)


def _person(person_id: str) -> PersonPage:
    found: PersonPage = engine().personnel.person(viewer(), known_person(person_id))
    return found


@people.get("/admin/people/<person_id>")
def person(person_id: str) -> Any:
    """One person with all dated facts."""
    return page("admin/person.html", page=_person(person_id))


# ---------------------------------------------------------------- accounts


def _form(typed: Typed, person_id: str = "", problem: TadachiError | None = None) -> Any:
    return page("admin/person_form.html", typed, problem, page=_person(person_id) if person_id else None)


@people.get("/admin/people/new")
def new() -> Any:
    """The form for a new account."""
    return _form(Typed.asked("person", "name", "email"))


@people.post("/admin/people/new")
def register() -> Any:
    """Register somebody; the answer alone shows the one-time password."""
    typed = Typed.posted("person", "name", "email")
    try:
        who, name = typed.text("person", "利用者ID"), typed.text("name", "氏名")
        typed.check()
        password = engine().personnel.register(viewer(), who, name, typed.values["email"])
    except (Invalid, Conflict) as error:
        return _form(typed, problem=error)
    return page("admin/password.html", page=_person(who), password=password, new=True)


@people.get("/admin/people/<person_id>/change")
def change_form(person_id: str) -> Any:
    """Name and mail address as they are."""
    row = _open(person_id).row
    return _form(Typed({"name": row.name, "email": row.email}), person_id)


@people.post("/admin/people/<person_id>/change")
def change(person_id: str) -> Any:
    """Another name or mail address."""
    typed = Typed.posted("name", "email")
    try:
        name = typed.text("name", "氏名")
        typed.check()
        engine().personnel.change(viewer(), known_person(person_id), name, typed.values["email"])
    except (Invalid, Conflict) as error:
        return _form(typed, person_id, error)
    flash("氏名とメールを変更しました。", "success")
    return redirect(url_for("admin_people.person", person_id=person_id), 303)


@people.post("/admin/people/<person_id>/password")
def reset_password(person_id: str) -> Any:
    """A new one-time password, shown by this answer alone."""
    password = engine().personnel.reset_password(viewer(), known_person(person_id))
    return page("admin/password.html", page=_person(person_id), password=password, new=False)


@people.get("/admin/people/<person_id>/end")
def end_form(person_id: str) -> Any:
    """What ending the account means, before it is done."""
    return _end_page(Typed.asked("reason"), person_id)


def _end_page(typed: Typed, person_id: str, problem: TadachiError | None = None) -> Any:
    found = _open(person_id)
    held = [
        (f"{unit.name} {seat.role_name}", seat.open_tasks, [name for who, name, _ in seat.holders if who != found.row.id])
        for unit in engine().personnel.chart(viewer())
        for seat in unit.seats
        if any(who == found.row.id for who, _, _ in seat.holders)
    ]
    return page("admin/person_end.html", typed, problem, page=found, held=held)


@people.post("/admin/people/<person_id>/end")
def end(person_id: str) -> Any:
    """End an account: nobody signs in with it from now on."""
    typed = Typed.posted("reason")
    try:
        reason = typed.text("reason", "理由")
        typed.check()
        engine().personnel.end_account(viewer(), known_person(person_id), reason)
    except (Invalid, Conflict) as error:
        return _end_page(typed, person_id, error)
    flash("利用を終えました。役に届いていた処理は、その役に残っています。", "success")
    return redirect(url_for("admin_people.person", person_id=person_id), 303)


def _open(person_id: str) -> PersonPage:
    """A person whose account can still be changed."""
    found = _person(person_id)
    if found.row.ended:
        abort(404, "この利用者は、利用を終えています。")
    return found


# ---------------------------------------------------------------- who holds what

APPOINTING = ("person", "seat", "kind", "from", "to", "basis")


def _appoint_page(typed: Typed, problem: TadachiError | None = None) -> Any:
    return page("admin/appoint.html", typed, problem, seats=seats_by_unit(), people=listed())


@people.get("/admin/appoint")
def appoint_form() -> Any:
    """The form that gives somebody a seat; a vacancy or a person fills it in beforehand."""
    return _appoint_page(Typed.asked(*APPOINTING, **{"kind": "main", "from": today().isoformat()}))


@people.post("/admin/appoint")
def appoint() -> Any:
    """Let somebody hold a seat for a period."""
    typed = Typed.posted(*APPOINTING)
    try:
        who = typed.person("person", "就く人")
        seat = typed.choice("seat", "役", {seat for _, group in seats_by_unit() for seat, _ in group})
        kind = typed.choice("kind", "区分", HOLDING_KINDS)
        first, last = typed.day("from", "始まりの日"), typed.day_or_none("to")
        if kind in ("caretaker", "acting"):
            typed.text("basis", "事務取扱・職務代理の根拠")
        typed.check()
        engine().personnel.appoint(viewer(), who, seat, kind, first, last, typed.values["basis"])
    except (Invalid, Conflict) as error:
        return _appoint_page(typed, error)
    flash(f"{day_text(first)}から役に就くことを登録しました。", "success")
    return redirect(url_for("admin_people.person", person_id=who), 303)


def _holding(found: PersonPage, holding_id: int) -> HoldingShown:
    for one in found.holdings:
        if one.id == holding_id and one.state in ("now", "future"):
            return one
    abort(404, "この登録は、もう変わっています。利用者の画面を開き直してください。")


def _holding_page(typed: Typed, person_id: str, holding_id: int, problem: TadachiError | None = None) -> Any:
    found = _person(person_id)
    return page("admin/holding_end.html", typed, problem, page=found, held=_holding(found, holding_id))


@people.get("/admin/people/<person_id>/holdings/<id:holding_id>/end")
def end_holding_form(person_id: str, holding_id: int) -> Any:
    """The form that lets a holding end."""
    return _holding_page(Typed.asked("last", "reason", last=today().isoformat()), person_id, holding_id)


@people.post("/admin/people/<person_id>/holdings/<id:holding_id>/end")
def end_holding(person_id: str, holding_id: int) -> Any:
    """Let a holding end on a day."""
    typed = Typed.posted("last", "reason")
    held = _holding(_person(person_id), holding_id)
    try:
        last, reason = typed.day("last", "最後の日"), typed.text("reason", "理由")
        typed.check()
        engine().personnel.end_holding(viewer(), held.id, last, reason)
    except (Invalid, Conflict) as error:
        return _holding_page(typed, person_id, holding_id, error)
    flash(f"「{held.seat_name}」は{day_text(last)}までとしました。", "success")
    return redirect(url_for("admin_people.person", person_id=person_id), 303)

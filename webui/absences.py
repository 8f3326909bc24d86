"""Absences and deputies: one's own for everybody, the whole office's for who keeps the registers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, redirect, url_for

from engine import ABSENCES, DEPUTY_KINDS, Conflict, Invalid, TadachiError
from webui.admin import require_keeper
from webui.admin_forms import Typed, listed, page, seats_by_unit, today
from webui.incoming import engine, viewer

absences = Blueprint("absences", __name__)

ABSENCE = ("person", "from", "to", "reason")
DEPUTY = ("principal", "person", "kind", "seat", "process", "basis", "from", "to")


def _pages(office: bool) -> dict[str, str]:
    """The addresses of the office's pages, or of one's own."""
    names = ("show", "new_absence", "new_deputy")
    return {name: url_for(f"absences.{name}{'_office' if office else ''}") for name in names}


def _list(office: bool, problem: TadachiError | None = None) -> Any:
    seen, personnel = viewer(), engine().personnel
    if office:
        found = {"absences": personnel.absences(seen), "deputies": personnel.deputies(seen)}
        return page("admin/absences.html", None, problem, whole=True, to=_pages(True), **found)
    own = personnel.person(seen, seen.person)
    current = [one for one in own.deputies if one.state != "past"]
    return page(
        "admin/absences.html",
        None,
        problem,
        whole=False,
        to=_pages(False),
        absences=[one for one in own.absences if one.state != "past"],
        deputies=[one for one in current if one.principal == seen.person],
        standing_in=[one for one in current if one.person == seen.person],
    )


@absences.get("/account/absences")
def show() -> Any:
    """One's own absences and deputies."""
    return _list(False)


@absences.get("/admin/absences")
def show_office() -> Any:
    """Those of the whole office."""
    require_keeper()
    return _list(True)


# ---------------------------------------------------------------- absences


def _absence_page(office: bool, typed: Typed, problem: TadachiError | None = None) -> Any:
    return page("admin/absence_form.html", typed, problem, whole=office, people=listed() if office else (), to=_pages(office))


def _register_absence(office: bool) -> Any:
    typed = Typed.posted(*ABSENCE)
    try:
        who = typed.person("person", "不在の人") if office else viewer().person
        first, last = typed.day("from", "始まりの日"), typed.day_or_none("to")
        reason = typed.choice("reason", "理由", ABSENCES)
        typed.check()
        engine().personnel.register_absence(viewer(), who, first, last, reason)
    except (Invalid, Conflict) as error:
        return _absence_page(office, typed, error)
    flash("不在を登録しました。代理が要るときは、代理も登録してください。", "success")
    return redirect(_pages(office)["show"], 303)


@absences.get("/account/absences/new")
def new_absence() -> Any:
    """The form for one's own absence."""
    return _absence_page(False, Typed.asked(*ABSENCE, **{"from": today().isoformat()}))


@absences.post("/account/absences/new")
def register_absence() -> Any:
    """Register one's own absence."""
    return _register_absence(False)


@absences.get("/admin/absences/new")
def new_absence_office() -> Any:
    """The form for anybody's absence."""
    require_keeper()
    return _absence_page(True, Typed.asked(*ABSENCE, **{"from": today().isoformat()}))


@absences.post("/admin/absences/new")
def register_absence_office() -> Any:
    """Register anybody's absence."""
    require_keeper()
    return _register_absence(True)


# ---------------------------------------------------------------- deputies


def _deputy_page(office: bool, typed: Typed, problem: TadachiError | None = None) -> Any:
    seats: Any = seats_by_unit() if office else _own_seats()
    more = {"people": listed(), "seats": seats, "procedures": engine().startable(viewer()), "to": _pages(office)}
    return page("admin/deputy_form.html", typed, problem, whole=office, **more)


def _own_seats() -> list[tuple[str, str]]:
    """The seats that one holds or will hold, and may be deputised in."""
    own = engine().personnel.person(viewer(), viewer().person)
    held = [one for one in own.holdings if one.state in ("now", "future") and one.kind != "acting"]
    return list({one.seat: (one.seat, one.seat_name) for one in held}.values())


def _register_deputy(office: bool) -> Any:
    typed = Typed.posted(*DEPUTY)
    try:
        principal = typed.person("principal", "本人") if office else viewer().person
        who = typed.person("person", "代理をする人")
        kind = typed.choice("kind", "種類", DEPUTY_KINDS) if office else "substitute"
        offered = {seat for _, group in seats_by_unit() for seat, _ in group} if office else dict(_own_seats())
        seat = typed.choice("seat", "役", offered, optional=True)
        process = typed.choice("process", "手続", dict(engine().startable(viewer())), optional=True)
        basis = typed.text("basis", "根拠")
        if kind == "decision" and not seat:
            typed.errors["seat"] = "代決は、役を1つ選んで登録してください。"
        first, last = typed.day("from", "始まりの日"), typed.day_or_none("to")
        typed.check()
        engine().personnel.register_deputy(
            viewer(), principal, who, kind=kind, seat=seat, process=process, basis=basis, valid_from=first, valid_to=last
        )
    except (Invalid, Conflict) as error:
        return _deputy_page(office, typed, error)
    flash(f"{DEPUTY_KINDS[kind]}を登録しました。", "success")
    return redirect(_pages(office)["show"], 303)


@absences.get("/account/deputies/new")
def new_deputy() -> Any:
    """The form that names one's own deputy."""
    return _deputy_page(False, Typed.asked(*DEPUTY, **{"from": today().isoformat()}))


@absences.post("/account/deputies/new")
def register_deputy() -> Any:
    """Name one's own deputy."""
    return _register_deputy(False)


@absences.get("/admin/deputies/new")
def new_deputy_office() -> Any:
    """The form that names a deputy for anybody, for decisions too."""
    require_keeper()
    return _deputy_page(True, Typed.asked(*DEPUTY, **{"from": today().isoformat(), "kind": "substitute"}))


@absences.post("/admin/deputies/new")
def register_deputy_office() -> Any:
    """Name a deputy for anybody."""
    require_keeper()
    return _register_deputy(True)


# ---------------------------------------------------------------- endings


def _end(office: bool, end: Callable[..., None], fact_id: int, said: str) -> Any:
    try:
        end(viewer(), fact_id)
    except (Invalid, Conflict) as error:
        return _list(office, error)
    flash(said, "success")
    return redirect(_pages(office)["show"], 303)


@absences.post("/account/absences/<id:absence_id>/end")
def end_absence(absence_id: int) -> Any:
    """Back from one's own absence."""
    return _end(False, engine().personnel.end_absence, absence_id, "不在を終えました。")


@absences.post("/admin/absences/<id:absence_id>/end")
def end_absence_office(absence_id: int) -> Any:
    """Somebody is back."""
    require_keeper()
    return _end(True, engine().personnel.end_absence, absence_id, "不在を終えました。")


@absences.post("/account/deputies/<id:deputy_id>/end")
def end_deputy(deputy_id: int) -> Any:
    """End one's own deputy's part."""
    return _end(False, engine().personnel.end_deputy, deputy_id, "代理を終えました。")


@absences.post("/admin/deputies/<id:deputy_id>/end")
def end_deputy_office(deputy_id: int) -> Any:
    """End a deputy's part."""
    require_keeper()
    return _end(True, engine().personnel.end_deputy, deputy_id, "代理を終えました。")

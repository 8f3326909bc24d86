"""Posts for who keeps the registers: the chart of units, who held what as known when, vacancies, and work nobody can do now."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from engine import UnitShown
from webui.admin import require_keeper
from webui.admin_forms import Typed, page, today
from webui.incoming import engine, query_choice, viewer

posts = Blueprint("admin_posts", __name__)
posts.before_request(require_keeper)

SHOWN = {"all": "すべて", "vacant": "欠員のある部署", "waiting": "処理待ちのある部署"}


@posts.get("/admin/units")
def units() -> Any:
    """The chart of a day."""
    typed = Typed.asked("on", "text")
    on = typed.day_or_none("on")
    chosen, unknown = query_choice("show", SHOWN, "all")
    text = typed.values["text"].lower()
    found = engine().personnel.chart(viewer(), on)
    rows = [unit for unit in found if _fits(unit, chosen, text)]
    seats = [seat for unit in found for seat in unit.seats]
    counts = {"units": len(found), "seats": len(seats), "vacant": sum(seat.vacant for seat in seats)}
    kept = {name: typed.values[name] or None for name in ("on", "text")}
    more = {"counts": counts, "kept": kept, "show": chosen, "tabs": SHOWN, "unknown": unknown}
    return page("admin/units.html", typed, rows=rows, on=on or today(), today=today(), **more)


def _fits(unit: UnitShown, chosen: str, text: str) -> bool:
    if chosen == "vacant" and not any(seat.vacant for seat in unit.seats):
        return False
    if chosen == "waiting" and not any(seat.open_tasks for seat in unit.seats):
        return False
    words = [unit.name, unit.id, *(name for seat in unit.seats for _, name, _ in seat.holders)]
    return text in " ".join(words).lower()


@posts.get("/admin/units/seat")
def seat() -> Any:
    """Who held a seat on a day, as known at an instant."""
    typed = Typed.asked("seat", "on", "known", on=today().isoformat())
    on, known = typed.day_or_none("on") or today(), typed.instant_or_none("known")
    office, chosen = engine().organisations[viewer().organisation], typed.values["seat"]
    groups = [
        (unit.name, [(f"{role}@{unit.id}", f"{unit.name} {office.roles[role].name}") for role in unit.seats])
        for unit in office.units.values()
        if unit.seats
    ]
    every = dict(pair for _, group in groups for pair in group)
    if chosen and chosen not in every:
        typed.errors["seat"] = "この機関にない役です。選び直してください。"
    ready = bool(chosen) and not typed.errors
    rows = engine().personnel.who_held(viewer(), chosen, on, known) if ready else ()
    return page("admin/seat.html", typed, groups=groups, rows=rows, on=on, known=known, seat_name=every.get(chosen, "") if ready else "")


@posts.get("/admin/vacancies")
def vacancies() -> Any:
    """Seats nobody holds, those where something waits or will arrive first."""
    rows = engine().personnel.vacancies(viewer())
    waiting = [row for row in rows if row.open_tasks]
    used = [row for row in rows if not row.open_tasks and row.used_by]
    rest = [row for row in rows if not row.open_tasks and not row.used_by]
    return page("admin/vacancies.html", rows=rows, waiting=waiting, used=used, rest=rest, today=today())


@posts.get("/admin/stuck")
def stuck() -> Any:
    """Open steps nobody can do now, and where somebody may be appointed to."""
    office, on = engine().organisations[viewer().organisation], today()
    rows = []
    for row in engine().personnel.stuck(viewer()):
        now = None if row.seat.startswith("person:") else office.current_seat(row.seat, on) or row.seat
        rows.append((row, now))
    return page("admin/stuck.html", rows=rows)

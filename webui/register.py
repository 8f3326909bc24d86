"""Lists of cases: the register with its search, and what one has reported oneself."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request

from webui.incoming import engine, query_choice, query_text, viewer

register = Blueprint("register", __name__)

STATES = {"all": "すべて", "open": "進行中", "closed": "終結", "withdrawn": "取下げ"}


def _list(*, mine: bool) -> str:
    state, unknown = query_choice("state", STATES, "all")
    filters: dict[str, Any] = {"text": query_text("text"), "unit": query_text("unit")}
    office = engine().organisations[viewer().organisation]
    rows, after = engine().cases(
        viewer(), state=None if state == "all" else state, mine=mine, after=request.args.get("after") or None, **filters
    )
    kept = {name: value for name, value in {"state": state if state != "all" else None, **filters}.items() if value}
    return render_template(
        "register.html",
        rows=rows,
        next=after,
        state=state,
        states=STATES,
        unknown=unknown,
        filters=filters,
        kept=kept,
        mine=mine,
        units=[(unit.id, unit.name) for unit in office.units.values()],
        continued=bool(request.args.get("after")),
    )


@register.get("/register")
def show() -> str:
    """Every case the viewer's seats may see."""
    return _list(mine=False)


@register.get("/my-reports")
def mine() -> str:
    """The cases the viewer reported."""
    return _list(mine=True)

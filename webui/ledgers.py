"""Ledgers (台帳): their list, one with its search, one entry with its revisions and correction, the tree, and files taken out."""

from __future__ import annotations

import io
from datetime import date
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, send_file, url_for
from werkzeug.wrappers import Response

from engine import Conflict, DiagramFault, FormInvalid, Invalid, NotFound, ReasonRequired, civil_day, read_date
from webui.errors import status_of, text_of
from webui.formatting import safe_name
from webui.incoming import chosen_seat, engine, person, posted_answers, posted_text, posted_version, query_choice, query_text, viewer
from webui.ledger_files import csv_file, xlsx_file

ledgers = Blueprint("ledgers", __name__)

KEPT = {"": "すべて", "expired": "保存期限を過ぎたもの", "undecided": "保存期限が未定のもの"}
ORDERS = {"new": "番号の新しい順", "kept": "保存期限の早い順"}
REASON = "_reason"
MISSING_REASON = "訂正の理由を入力してください。"


class _Asked:
    """What a list was asked for: the filters understood, and what to say about those that were not."""

    def __init__(self, ledger: str) -> None:
        office = engine().organisations[viewer().organisation]
        try:
            states = office.rules.ledger(ledger, civil_day(viewer().at)).states
        except NotFound:
            states = ()
        self.states = {"": "すべて", "open": "終わっていないもの", "closed": "終わったもの", **{state: state for state in states}}
        self.unknown: list[str] = []
        self.values: dict[str, Any] = {"text": query_text("text"), "unit": query_text("unit")}
        for name, allowed, default in (("state", self.states, ""), ("kept", KEPT, ""), ("order", ORDERS, "new")):
            chosen, unknown = query_choice(name, allowed, default)
            self.unknown += [unknown] if unknown else []
            self.values[name] = chosen if chosen != default else None
        self.days: dict[str, str] = {}
        for name in ("since", "until"):
            self.days[name] = query_text(name) or ""
            self.values[name] = self._day(self.days[name])
        self.units = {unit.id: unit.name for unit in office.units.values()}

    def _day(self, typed: str) -> date | None:
        try:
            return read_date(typed) if typed else None
        except ValueError:
            self.unknown.append(typed)
            return None

    @property
    def filters(self) -> dict[str, Any]:
        """The filters as the engine takes them."""
        return {name: value for name, value in self.values.items() if value is not None}

    @property
    def more(self) -> bool:
        """Whether one of the filters is set that stand behind a line."""
        return any(name not in ("text", "state") for name in self.filters) or any(self.days.values())

    @property
    def kept(self) -> dict[str, str]:
        """The filters as an address keeps them."""
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in self.filters.items()}

    @property
    def words(self) -> str:
        """The conditions in words, for what is printed."""
        found = self.filters
        said = [f"「{found['text']}」を含むもの"] if "text" in found else []
        said += [table[found[name]] for name, table in (("state", self.states), ("kept", KEPT)) if name in found]
        said += [self.units.get(found["unit"], found["unit"])] if "unit" in found else []
        said += [f"{found['since']}以後に登載"] if "since" in found else []
        said += [f"{found['until']}以前に登載"] if "until" in found else []
        return "、".join(said)


@ledgers.get("/ledgers")
def index() -> str:
    """The office's ledgers."""
    return render_template("ledgers.html", rows=engine().ledgers.all(viewer()))


@ledgers.get("/ledgers/<ledger>")
def show(ledger: str) -> str:
    """One ledger: what the viewer may read of it."""
    asked = _Asked(ledger)
    page = engine().ledgers.page(viewer(), ledger, **asked.filters, after=request.args.get("after") or None)
    return render_template("ledger.html", page=page, asked=asked, kept=KEPT, orders=ORDERS, continued=bool(request.args.get("after")))


# ---------------------------------------------------------------- files: an act, since the record says who took what out


@ledgers.post("/ledgers/<ledger>.csv")
def as_csv(ledger: str) -> Response:
    """The entries that meet the conditions, as CSV."""
    head, rows = engine().ledgers.take_out(viewer(), ledger, "CSV", **_Asked(ledger).filters)
    return _file(csv_file(head, rows), "text/csv", head.name, "csv")


@ledgers.post("/ledgers/<ledger>.xlsx")
def as_xlsx(ledger: str) -> Response:
    """The entries that meet the conditions, as a workbook."""
    head, rows = engine().ledgers.take_out(viewer(), ledger, "Excel", **_Asked(ledger).filters)
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return _file(xlsx_file(head, rows), kind, head.name, "xlsx")


@ledgers.post("/ledgers/<ledger>.pdf")
def as_pdf(ledger: str) -> Response:
    """The entries that meet the conditions, as PDF."""
    from webui.ledger_pdf import MOST, render_ledger  # drawing is imported only where it is asked for

    asked = _Asked(ledger)
    head, rows = engine().ledgers.take_out(viewer(), ledger, "PDF", most=MOST, **asked.filters)
    office = engine().organisations[viewer().organisation].name
    return _file(render_ledger(head, rows, office, asked.words, viewer().at, viewer().name), "application/pdf", head.name, "pdf")


def _file(content: bytes, kind: str, name: str, extension: str) -> Response:
    stamp = civil_day(viewer().at).strftime("%Y%m%d")
    return send_file(io.BytesIO(content), mimetype=kind, as_attachment=True, download_name=safe_name(f"{name}_{stamp}.{extension}"))


# ---------------------------------------------------------------- one entry


def _entry(ledger: str, number: int, *, status: int = 200, **more: Any) -> Any:
    answers, errors = more.pop("answers", None), more.pop("errors", {})
    page = engine().ledgers.entry(viewer(), ledger, number, answers=answers, errors=errors)
    given = {"reason": "", "problem": "", "typed": {}, "seat": chosen_seat(), **more}
    return render_template("ledger_entry.html", page=page, errors=errors, open=status != 200, **given), status


@ledgers.get("/ledgers/<ledger>/entries/<id:number>")
def entry(ledger: str, number: int) -> Any:
    """An entry with all its revisions."""
    return _entry(ledger, number)


@ledgers.post("/ledgers/<ledger>/entries/<id:number>")
def correct(ledger: str, number: int) -> Any:
    """訂正する: what was there stays readable."""
    typed = {name: value if isinstance(value, str) else "" for name, value in posted_answers().items()}
    reason, version = posted_text(REASON), posted_version()
    try:
        with engine().work(by=person(), seat=chosen_seat()) as work:
            work.correct_entry(ledger, number, typed, reason, version)
    except Conflict as error:  # the newest is shown; what was typed stands beside it and overwrites nothing unseen
        return _entry(ledger, number, status=status_of(error), typed=typed, reason=reason, problem=text_of(error))
    except (Invalid, DiagramFault) as error:
        fields = error.fields if isinstance(error, FormInvalid) else {REASON: MISSING_REASON} if isinstance(error, ReasonRequired) else {}
        problem = "" if fields else text_of(error)
        return _entry(ledger, number, status=status_of(error), answers=typed, errors=fields, reason=reason, problem=problem)
    flash("訂正しました。訂正の前の内容も、下の「これまでの版」に残っています。", "success")
    return redirect(url_for("ledgers.entry", ledger=ledger, number=number), 303)


@ledgers.get("/ledgers/<ledger>/tree")
def tree(ledger: str) -> str:
    """The entries that hang below one another."""
    return render_template("ledger_tree.html", page=engine().ledgers.tree(viewer(), ledger, request.args.get("group")))

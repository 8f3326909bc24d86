"""The matrix of clauses: by clause, by element, what has no counterpart; on paper, as a file, and what a changed clause touches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for

from engine import ClauseLink, ClauseOfMatrix, DefinitionRefused, ElementOfMatrix, Matrix, NotAllowed, Procedure
from webui.clause_files import csv_file
from webui.designer_play import unsound
from webui.designer_scenarios import KINDS
from webui.incoming import engine, query_choice, query_text, viewer

clauses = Blueprint("clauses", __name__)
clauses.register_error_handler(DefinitionRefused, unsound)

VIEWS = {
    "clauses": "条項から",
    "elements": "要素から",
    "rows": "決定表・細目から",
    "proofs": "シナリオ・試験から",
    "gaps": "対応のないもの",
}
STATES = {"current": "", "coming": "施行前", "ended": "廃止", "unknown": "条項表にない"}
#: The tables of rules.toml, and the roles, in the words of who reads them.
TABLES = {
    "duty": "記録の要る義務", "clock": "法令上の期限", "ledger": "台帳", "urgency": "急ぎの語", "property": "守られること",
    "setting": "設定値", "visibility": "閲覧", "role": "役",
}  # fmt: skip
WHY = {"named": "条項を名指している", "basis": "根拠に同じ条がある", "step": "触れる要素に使われている"}
#: So many clauses can be looked at as changed at once; an address has an end.
MOST_CHANGED = 100


@clauses.before_request
def require_reader() -> None:
    """Refuse a request of anybody who neither draws nor audits before anything of it is looked at."""
    if not may_read():
        raise NotAllowed()


def may_read() -> bool:
    """Whether the menu offers the matrix. The engine decides again."""
    return bool(engine().matrix.may_read(viewer()))


# ---------------------------------------------------------------- what was asked for


@dataclass(frozen=True)
class Asked:
    """What of the matrix is shown; `draft` is looked at in the place of its procedure."""

    view: str
    process: str
    clause: str
    text: str
    draft: int | None

    def kept(self, **other: Any) -> dict[str, Any]:
        """The same question as parts of an address, with others in their place."""
        given = {"view": self.view, "process": self.process, "clause": self.clause, "text": self.text, "draft": self.draft, **other}
        return {name: value for name, value in given.items() if value and (name, value) != ("view", "clauses")}


def _asked() -> Asked:
    view, _ = query_choice("view", VIEWS, "clauses")
    return Asked(view, query_text("process") or "", query_text("clause") or "", query_text("text") or "", _draft())


def _draft() -> int | None:
    text = query_text("draft")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 15:
        abort(404)
    return int(text)


def shown_clauses(matrix: Matrix, asked: Asked) -> list[ClauseOfMatrix]:
    """The clauses that were asked for."""
    found = [one for one in matrix.clauses if asked.clause in ("", one.id)]
    if asked.process:
        found = [one for one in found if asked.process in matrix.by_clause[one.id].procedures]
    return [one for one in found if _has(asked.text, one.id, one.citation, one.plain)]


def shown_elements(matrix: Matrix, asked: Asked) -> list[ElementOfMatrix]:
    """The elements that were asked for: those that do something, and those that come to a clause."""
    found = [one for one in matrix.elements if (one.works or one.links) and asked.process in ("", one.procedure)]
    if asked.clause:
        found = [one for one in found if asked.clause in one.clauses]
    return [one for one in found if _has(asked.text, one.element, one.name)]


def shown_rows(matrix: Matrix, asked: Asked) -> tuple[list[Any], list[Any]]:
    """The tables and rows that come to clauses and were asked for; a row for no procedure in particular is for each."""
    tables = [one for one in matrix.tables if one.links and asked.process in ("", *one.procedures)]
    rows = [one for one in matrix.rows if one.links and (not asked.process or not one.procedures or asked.process in one.procedures)]
    return [one for one in tables if _comes(one.links, asked) and _has(asked.text, one.decision, one.name)], [
        one for one in rows if _comes(one.links, asked) and _has(asked.text, one.id, one.name, one.basis)
    ]


def shown_proofs(matrix: Matrix, asked: Asked) -> tuple[list[Any], list[Any]]:
    """The scenarios and the tests that were asked for. Of which procedure a test is, nobody says: it stays whatever procedure was chosen."""
    scenarios = [one for one in matrix.scenarios if asked.process in ("", one.procedure) and asked.clause in ("", *one.clauses)]
    tests = [one for one in matrix.tests if asked.clause in ("", *one.clauses)]
    return [one for one in scenarios if _has(asked.text, one.file, one.title)], [
        one for one in tests if _has(asked.text, one.test, one.title)
    ]


def _comes(links: Iterable[ClauseLink], asked: Asked) -> bool:
    return not asked.clause or any(link.clause == asked.clause for link in links)


def _has(text: str, *places: str) -> bool:
    return all(any(word in place for place in places) for word in text.split())


# ---------------------------------------------------------------- pages


def _page(template: str, matrix: Matrix, **more: Any) -> str:
    designs = engine().drafts.may_design(viewer())
    drafts = [one for one in engine().drafts.all(viewer()) if one.state in ("editing", "review")] if designs else []
    return render_template(
        template, matrix=matrix, drafts=drafts, states=STATES, tables=TABLES, kinds=KINDS, why=WHY,
        names={one.id: one.name for one in matrix.procedures}, words=_words(matrix), codes=_codes(matrix), **more,
    )  # fmt: skip


def _codes(matrix: Matrix) -> Mapping[tuple[str, str], str]:
    """Procedure and file of a scenario -> the number that stands for it on paper."""
    return {(one.procedure, one.file): f"S{number}" for number, one in enumerate(matrix.scenarios, 1)}


def _words(matrix: Matrix) -> Mapping[str, str]:
    """Urgency word -> what the office calls it."""
    return {row.id: row.name for row in matrix.rows if row.table == "urgency"}


@clauses.get("/designer/clauses")
def show() -> str:
    """The matrix, one way round."""
    asked = _asked()
    matrix = engine().matrix.page(viewer(), asked.draft)
    return _page(
        "designer/clauses.html",
        matrix,
        asked=asked,
        views=VIEWS,
        clauses=shown_clauses(matrix, asked),
        elements=shown_elements(matrix, asked),
        rows=shown_rows(matrix, asked),
        proofs=shown_proofs(matrix, asked),
        gaps=_gaps(matrix, asked),
    )


def _gaps(matrix: Matrix, asked: Asked) -> dict[str, list[Any]]:
    """What has no counterpart, of what was asked for."""
    wanted = {one.id for one in shown_clauses(matrix, replace(asked, process=""))}
    here = {one.id for one in shown_clauses(matrix, asked)}
    bare = [one for one in matrix.without_element if one.id in wanted]
    return {
        "open": [one for one in bare if not one.no_procedure and not matrix.by_clause[one.id].rows],
        "rows": [one for one in bare if not one.no_procedure and matrix.by_clause[one.id].rows],
        "reasons": [one for one in bare if one.no_procedure],
        "unproven": [one for one in matrix.without_proof if one.id in here],
        "stale": [one for one in matrix.clauses if one.state in ("ended", "unknown") and one.id in wanted],
        "elements": [one for one in matrix.without_clause if asked.process in ("", one.procedure)],
        "tables": [one for one in matrix.tables_without_clause if asked.process in ("", *one.procedures)],
        "scenarios": [one for one in matrix.scenarios if one.state == "failed" and asked.process in ("", one.procedure)],
    }


@clauses.get("/designer/clauses.csv")
def as_csv() -> Any:
    """The pairs of the matrix, a line each; a file does not say what it lacks, so there is none before all scenarios have been played."""
    asked = _asked()
    matrix = engine().matrix.page(viewer(), asked.draft)
    if matrix.waiting:
        flash("シナリオを演じているところです。少し待ってから、もう一度書き出してください。", "warning")
        return redirect(url_for("clauses.show", **asked.kept()), 303)
    data = csv_file(matrix, shown_clauses(matrix, asked), shown_elements(matrix, asked), TABLES, KINDS)
    return Response(data, mimetype="text/csv", headers={"Content-Disposition": 'attachment; filename="clauses.csv"'})


@clauses.get("/designer/clauses/amended")
def amended() -> str:
    """What changed clauses touch."""
    chosen = request.args.getlist("clause")[:MOST_CHANGED]
    matrix, found = engine().matrix.amended(viewer(), chosen, _draft())
    return _page("designer/clauses_amended.html", matrix, found=found, chosen={one.id for one in found.clauses}, draft=matrix.draft)


# ---------------------------------------------------------------- the diagram


@clauses.get("/designer/clauses/diagram")
def diagram() -> str:
    """One diagram with the clauses of its elements; those under the clauses that were asked for stand out."""
    matrix, procedure, (process, title, _) = _diagram()
    wanted = set(request.args.getlist("clause")[:MOST_CHANGED])
    pointed = query_text("element") or ""
    elements = [one for one in matrix.elements if (one.procedure, one.process) == (procedure.id, process)]
    return _page(
        "designer/clauses_diagram.html",
        matrix,
        procedure=procedure,
        process=process,
        title=title,
        elements=[one for one in elements if one.works or one.links],
        marks=_marks(matrix, elements, wanted),
        wanted=[one for one in matrix.clauses if one.id in wanted],
        pointed=pointed if any(one.element == pointed for one in elements) else "",
        draft=matrix.draft,
    )


@clauses.get("/designer/clauses/diagram.bpmn")
def drawing() -> Response:
    """The diagram itself."""
    _, procedure, (_, _, file) = _diagram()
    return Response(engine().matrix.drawing(viewer(), procedure.ref, file), mimetype="application/xml")


def _diagram() -> tuple[Matrix, Procedure, tuple[str, str, str]]:
    """The matrix, the procedure, and which diagram of it was asked for: process, name, file."""
    matrix = engine().matrix.page(viewer(), _draft(), wait=0)
    wanted, process = query_text("procedure") or "", query_text("process") or query_text("procedure") or ""
    for procedure in matrix.procedures:
        for diagram in procedure.diagrams:
            if (procedure.id, diagram[0]) == (wanted, process):
                return matrix, procedure, diagram
    abort(404)


def _marks(matrix: Matrix, elements: Iterable[ElementOfMatrix], wanted: set[str]) -> dict[str, dict[str, Any]]:
    """Element -> as the drawing marks it."""
    places = {one.id: one.place or one.source for one in matrix.clauses}
    found: dict[str, dict[str, Any]] = {}
    for one in elements:
        if not one.works and not one.links:
            continue
        chosen = [clause for clause in one.clauses if clause in wanted]
        told = [places[clause] for clause in chosen or one.clauses]
        state = "uncited" if not one.links else "chosen" if chosen else "cited"
        label = "" if not told else told[0] if len(told) == 1 else f"{told[0]} ほか{len(told) - 1}"
        found[one.element] = {"state": state, "label": label, "count": 0, "calls": None}
    return found

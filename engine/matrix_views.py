"""What the matrix of clauses is made of: clauses, elements, tables, rows of rules, scenarios and tests, and which of them touch which."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

#: How something comes to a clause: it names it (`named`); it stands under a statutory clock or writes a ledger that names it (`through`);
#: the words of its basis cite it (`basis`).
NAMED, THROUGH, BASIS = "named", "through", "basis"


@dataclass(frozen=True)
class ClauseLink:
    """One thing's way to one clause; `way` says how in a word of the above, `what` through which clock, ledger or row."""

    clause: str
    way: str
    what: str = ""


@dataclass(frozen=True)
class ClauseOfMatrix:
    """A clause of the office's table.

    Attributes:
        state: `current`; `coming` (in force from a later day); `ended` (no more in force); `unknown` (named, but not in the table).
        no_procedure: why no procedure carries it, where the table says so.
        changes: the day from which another row of the table takes its place, "" when none is known.
    """

    id: str
    source: str
    place: str
    plain: str
    urgency: str
    state: str
    note: str = ""
    no_procedure: str = ""
    changes: str = ""

    @property
    def citation(self) -> str:
        """Source and place."""
        return f"{self.source} {self.place}".strip()


@dataclass(frozen=True)
class ElementOfMatrix:
    """An element of a diagram that a procedure uses.

    Attributes:
        procedure: the procedure; process: the diagram within it; ref: its version (`v12`) or draft (`d5`), "" of a folder; file: the diagram's.
        works: it does something, so that a clause is asked of it; gateways, ends, timers and frames only lead on.
        urgency: the urgency word it is done under, "" where none applies; clock, ledger, decision: the ids of what it names.
        papers: names of papers that it is about or decides.
        fields: the labels of its form's fields; settings: the ids of the settings it reads.
        scenarios: the files of the scenarios that do it.
    """

    procedure: str
    process: str
    element: str
    name: str
    kind: str
    ref: str
    file: str
    works: bool
    links: tuple[ClauseLink, ...] = ()
    urgency: str = ""
    clock: str = ""
    ledger: str = ""
    decision: str = ""
    papers: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()

    @property
    def clauses(self) -> tuple[str, ...]:
        """The clauses it comes to, in whatever way."""
        return tuple(dict.fromkeys(link.clause for link in self.links))


@dataclass(frozen=True)
class TableOfMatrix:
    """A decision table.

    Attributes:
        procedures: those that ask it; outputs: the facts it gives.
        asked: a step or a rule asks it by name; the others are only required by those.
    """

    decision: str
    name: str
    file: str
    procedures: tuple[str, ...]
    outputs: tuple[str, ...]
    links: tuple[ClauseLink, ...]
    asked: bool = True


@dataclass(frozen=True)
class RowOfMatrix:
    """A row of rules.toml, or a role of organisation.toml.

    Attributes:
        table: its table there (`duty`, `clock`, …, `role`).
        procedures: those it is for; empty = all. elements: the ids of elements it names.
        since: the day it begins, of one that is still to come; else "".
    """

    table: str
    id: str
    name: str
    basis: str
    links: tuple[ClauseLink, ...]
    procedures: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
    since: str = ""


@dataclass(frozen=True)
class ScenarioOfMatrix:
    """A scenario; `state` is `passed`, `failed` or `waiting` (it has not been played yet)."""

    file: str
    title: str
    procedure: str
    state: str
    clauses: tuple[str, ...] = ()


@dataclass(frozen=True)
class ShowingTest:
    """A test and the clauses it shows."""

    file: str
    test: str
    title: str
    clauses: tuple[str, ...]


@dataclass(frozen=True)
class Procedure:
    """A procedure as the matrix looks at it: a version in force, a draft, or what a folder holds. `diagrams`: (process, name, file)."""

    id: str
    name: str
    ref: str
    version: str
    diagrams: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Matrix:
    """Clauses and what carries and shows them. `draft` is the id of the draft that is looked at in the place of a version."""

    office: str
    procedures: tuple[Procedure, ...]
    clauses: tuple[ClauseOfMatrix, ...]
    elements: tuple[ElementOfMatrix, ...]
    tables: tuple[TableOfMatrix, ...]
    rows: tuple[RowOfMatrix, ...]
    scenarios: tuple[ScenarioOfMatrix, ...]
    tests: tuple[ShowingTest, ...]
    draft: int | None = None

    @property
    def waiting(self) -> int:
        """How many scenarios have not been played yet."""
        return sum(one.state == "waiting" for one in self.scenarios)

    @cached_property
    def by_clause(self) -> dict[str, Carried]:
        """Clause id -> what carries and shows it."""
        return {clause.id: self._carried(clause.id) for clause in self.clauses}

    def _carried(self, clause: str) -> Carried:
        return Carried(
            tuple(one for one in self.elements if clause in one.clauses),
            tuple(one for one in self.tables if any(link.clause == clause for link in one.links)),
            tuple(one for one in self.rows if ClauseLink(clause, NAMED) in one.links),
            tuple(one for one in self.rows if ClauseLink(clause, BASIS) in one.links),
            tuple(one for one in self.scenarios if clause in one.clauses),
            tuple(one for one in self.tests if clause in one.clauses),
        )

    @property
    def without_element(self) -> tuple[ClauseOfMatrix, ...]:
        """The clauses that no element of any procedure comes to."""
        return tuple(clause for clause in self.clauses if clause.state != "unknown" and not self.by_clause[clause.id].elements)

    @property
    def without_proof(self) -> tuple[ClauseOfMatrix, ...]:
        """The clauses that elements come to, and neither a scenario nor a test shows."""
        return tuple(clause for clause in self.clauses if self.by_clause[clause.id].elements and not self.by_clause[clause.id].shown)

    @property
    def without_clause(self) -> tuple[ElementOfMatrix, ...]:
        """The elements that do something and come to no clause."""
        return tuple(one for one in self.elements if one.works and not one.links)

    @property
    def tables_without_clause(self) -> tuple[TableOfMatrix, ...]:
        """The tables that are asked by name and come to no clause."""
        return tuple(one for one in self.tables if one.asked and not one.links)

    def clause(self, clause_id: str) -> ClauseOfMatrix | None:
        """A clause by its id."""
        return next((one for one in self.clauses if one.id == clause_id), None)


@dataclass(frozen=True)
class Carried:
    """What one clause comes to. `rows` name it, `cited` only cite it as their basis."""

    elements: tuple[ElementOfMatrix, ...]
    tables: tuple[TableOfMatrix, ...]
    rows: tuple[RowOfMatrix, ...]
    cited: tuple[RowOfMatrix, ...]
    scenarios: tuple[ScenarioOfMatrix, ...]
    tests: tuple[ShowingTest, ...]

    @property
    def shown(self) -> bool:
        """Whether a scenario or a test shows it at work."""
        return bool(self.scenarios or self.tests)

    @property
    def procedures(self) -> frozenset[str]:
        """The procedures it comes to."""
        named = {name for table in self.tables for name in table.procedures} | {name for row in self.rows for name in row.procedures}
        return frozenset(named | {one.procedure for one in self.elements})


@dataclass(frozen=True)
class TouchedRow:
    """A row that an amendment touches, and why: `named`, `basis`, or `step` (an element that is touched stands under it or is named by it)."""

    row: RowOfMatrix
    why: tuple[str, ...]


@dataclass(frozen=True)
class Amendment:
    """What changed clauses touch.

    Attributes:
        forms: the touched elements with a form.
        urgencies: the urgency words of touched elements, with how many of them.
        scenarios: each with the touched elements that it does.
    """

    clauses: tuple[ClauseOfMatrix, ...]
    elements: tuple[ElementOfMatrix, ...]
    tables: tuple[TableOfMatrix, ...]
    rows: tuple[TouchedRow, ...]
    urgencies: tuple[tuple[str, int], ...]
    scenarios: tuple[tuple[ScenarioOfMatrix, tuple[ElementOfMatrix, ...]], ...]
    tests: tuple[ShowingTest, ...]

    @property
    def forms(self) -> tuple[ElementOfMatrix, ...]:
        """The touched elements with a form."""
        return tuple(one for one in self.elements if one.fields)

    @property
    def procedures(self) -> Collection[str]:
        """The procedures that have touched elements."""
        return tuple(dict.fromkeys(one.procedure for one in self.elements))

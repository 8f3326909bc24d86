"""Random lives of an office: people are appointed, stand in, are away, are moved by orders, and everybody tries everything.

An oracle of its own, plain lists of what was registered and what was done, says who may act on what and who may see what at each instant.
It shares nothing with the engine's standing, sight and access. After every step some person's inbox and cases are held against it, at the
end everybody's. Nobody may ever approve what he did, reported, or had done for him.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache

import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from engine import (
    AlreadyClaimed,
    CaseClosed,
    CaseNotFound,
    DatedFactInvalid,
    Engine,
    NotAbove,
    NotAllowed,
    NotPassedOver,
    NotYourTask,
    OrderInvalid,
    ReferralClosed,
    ReferralNotFound,
    ReferralRefused,
    SamePerson,
    SetClock,
    TaskNotFound,
)
from engine.clock import to_micros
from engine.model import case_file, person, task
from engine.sight import cases_of, tasks_of
from engine.storage import open_database
from tests.engine.posts import (
    DIVISION_HEAD,
    KEEPER,
    MANAGER_A,
    MANAGER_B,
    STAFF_A,
    STAFF_B,
    TODAY,
    Posts,
    folder,
    make_posts,
    moved,
    scratch,
)
from tests.support import MONDAY, make_engine

PEOPLE = (STAFF_A, STAFF_B, MANAGER_A, MANAGER_B, DIVISION_HEAD, KEEPER, "extra")
SEATS = ("staff@a", "protection_manager@a", "staff@b", "protection_manager@b", "division_protection_manager@north")
RUNGS = {
    "staff@a": "protection_manager@a", "staff@b": "protection_manager@b", "protection_manager@a": "division_protection_manager@north",
    "protection_manager@b": "division_protection_manager@north", "division_protection_manager@north": "general_protection_manager@office",
}  # fmt: skip
NAMES = {"staff": "職員", "protection_manager": "保護管理者", "division_protection_manager": "部課等保護管理者", "a": "第一課", "b": "第二課", "north": "北部"}  # fmt: skip
KINDS = ("main", "concurrent", "joint", "caretaker", "acting")
#: step -> the steps whose doers may not do it.
APART = {
    ("office_duty", "approve"): ("apply", "prepare"),
    ("office_route", "check"): ("begin",),
    ("office_route", "decide"): ("draft", "check"),
}
ANSWERS: dict[str, dict[str, str]] = {"approve": {"verdict": "granted"}, "check": {"opinion": "みた"}, "decide": {"verdict": "granted"}}
#: How an act may be refused to somebody whom the oracle lets do nothing.
NOT_HIS = (TaskNotFound, NotYourTask, SamePerson)


# ---------------------------------------------------------------- the oracle


@dataclass
class Dated:
    """Something that holds from a day to a day."""

    id: int
    person: str
    first: date
    last: date | None
    seat: str = ""
    kind: str = ""
    principal: str = ""
    process: str = ""

    def holds(self, day: date) -> bool:
        return self.first <= day and (self.last is None or day <= self.last)

    def overlaps(self, first: date, last: date | None) -> bool:
        return (last is None or self.first <= last) and (self.last is None or self.last >= first)

    def end(self, last: date, among: list[Dated]) -> None:
        if last < self.first:
            among.remove(self)
        else:
            self.last = last


@dataclass
class Oracle:
    """What was registered, and what follows from it on a day."""

    holdings: list[Dated] = field(default_factory=list)
    deputies: list[Dated] = field(default_factory=list)
    absences: list[Dated] = field(default_factory=list)
    acted: set[tuple[int, str]] = field(default_factory=set)  # (case, person) of acts beside completing

    def holds(self, who: str, seat: str, day: date) -> bool:
        return any(one.person == who and one.seat == seat and one.holds(day) for one in self.holdings)

    def away(self, who: str, day: date) -> bool:
        return any(one.person == who and one.holds(day) for one in self.absences)

    def stands_in(self, who: str, seat: str, process: str, day: date) -> list[Dated]:
        """Registrations by which somebody may act from a seat for a principal who holds it himself, and not as 職務代理."""
        return [
            one
            for one in self.deputies
            if one.person == who and one.holds(day) and one.seat in ("", seat) and one.process in ("", process)
            and any(mine.person == one.principal and mine.seat == seat and mine.kind != "acting" and mine.holds(day) for mine in self.holdings)
        ]  # fmt: skip

    def behind(self, seat: str, process: str, day: date) -> set[tuple[str, str]]:
        """(person, principal) of everybody behind a seat."""
        found = {(one.person, "") for one in self.holdings if one.seat == seat and one.holds(day)}
        for who in PEOPLE:
            found |= {(who, one.principal) for one in self.stands_in(who, seat, process, day) if one.kind == "substitute"}
        return found

    def ways(self, who: str, row: Row, day: date) -> set[tuple[str, str]]:
        """(kind, principal) of each way in which a seat lets somebody do a step, whatever he did before."""
        found = {("own", "")} if self.holds(who, row.seat, day) else set()
        for one in self.stands_in(who, row.seat, row.process, day):
            if one.kind == "substitute" or (row.final and self.away(one.principal, day)):
                found.add((one.kind, one.principal))
        return found

    def may(self, who: str, row: Row, facts: Facts, day: date) -> set[tuple[str, str]]:
        """(kind, principal) of each way in which somebody may do a step."""
        kept = facts.doers(row)
        ways = self.ways(who, row, day)
        if ways:
            return set() if who in kept else {way for way in ways if way[1] not in kept}
        seat: str | None = row.seat
        while seat is not None and who not in kept:
            group = self.behind(seat, row.process, day)
            if not group and seat == row.seat:
                return set()
            if any(one not in kept and principal not in kept for one, principal in group):
                return {("in_turn", "")} if seat != row.seat and self.holds(who, seat, day) else set()
            seat = RUNGS.get(seat)
        return set()

    def sees(self, who: str, case: int, facts: Facts, day: date) -> bool:
        process, reporter = facts.cases[case]
        if reporter == who or (case, who) in self.acted or any(row.case == case and row.by == who for row in facts.tasks.values()):
            return True
        rows = [row for row in facts.tasks.values() if row.case == case]
        seats = {row.seat for row in rows} | {seat for one, seat in facts.asked if one == case}
        if f"person:{who}" in seats or any(self.holds(who, seat, day) for seat in seats):
            return True
        if any(one.kind == "substitute" for seat in seats for one in self.stands_in(who, seat, process, day)):
            return True
        decides = [row for row in rows if row.state == "open" and ("decision" in {kind for kind, _ in self.ways(who, row, day)})]
        return bool(decides) or any(row.state == "open" and ("in_turn", "") in self.may(who, row, facts, day) for row in rows)

    def nobody_there(self, row: Row, day: date) -> bool:
        """Whether a review has somebody behind it, all of them away."""
        group = self.behind(row.seat, row.process, day)
        return bool(group) and all(self.away(who, day) for who, _ in group)


@dataclass(frozen=True)
class Row:
    """A step as its row tells it."""

    id: int
    case: int
    node: str
    seat: str
    state: str
    by: str | None
    by_seat: str | None
    for_whom: str | None
    final: bool
    process: str
    claimed: str | None


@dataclass
class Facts:
    """What is in the tables of cases."""

    tasks: dict[int, Row]
    cases: dict[int, tuple[str, str]]  # case -> (process, reporter)
    principals: dict[int, str]  # case -> whom it was reported for
    asked: list[tuple[int, str]]  # (case, seat) of referrals

    def open(self) -> list[Row]:
        return [row for row in self.tasks.values() if row.state == "open"]

    def doers(self, row: Row) -> set[str]:
        """Who may not do a step because of what he did, or had done for him."""
        nodes = APART.get((row.process, row.node), ())
        done = [one for one in self.tasks.values() if one.case == row.case and one.state == "done" and one.node in nodes]
        found = {who for one in done for who in (one.by, one.for_whom) if who}
        if "apply" in nodes or "begin" in nodes:
            found |= {self.cases[row.case][1]} | ({self.principals[row.case]} if row.case in self.principals else set())
        return found


# ---------------------------------------------------------------- an office in memory


@cache
def prepared(beginning: int) -> sqlite3.Connection:
    """A database with cases on their way and some people standing in or away, to be copied for each history."""
    place = scratch() / f"machine-{beginning}"
    place.mkdir()
    made = make_posts(place)
    made.newcomer("extra")
    with made.engine.writing() as connection:
        connection.execute(person.update().values(email=None))  # mails are no part of this
    made.start("duty")
    with made.by(MANAGER_B) as work:
        second = work.start("office_duty", {"item_summary": "課長の申請", "owning_unit": "b"})
    made.does(STAFF_B, second, "prepare")
    third = made.start("route")
    made.does(STAFF_A, third, "draft")
    fourth = made.start("route")
    made.does(STAFF_A, fourth, "draft", afterwards=beginning in (1, 3))
    if beginning in (1, 3):  # reviewed afterwards
        with made.by(MANAGER_A) as work:
            work.consult(third, SEATS[3], "同じ例は")
    else:
        made.does(MANAGER_A, fourth, "check", opinion="みた")
    if beginning == 1:
        made.deputy(MANAGER_A, "extra")
        made.deputy(MANAGER_B, STAFF_A, process="office_duty")
        made.deputy(DIVISION_HEAD, MANAGER_A, valid_to=TODAY)
    elif beginning == 2:
        made.away(DIVISION_HEAD, TODAY, TODAY + timedelta(days=1))
        made.deputy(DIVISION_HEAD, "extra", kind="decision", seat=SEATS[4])
        made.deputy(DIVISION_HEAD, STAFF_A, kind="decision", seat=SEATS[4])
        made.deputy(MANAGER_B, "extra", kind="decision", seat=SEATS[3])
        made.away(MANAGER_B, TODAY + timedelta(days=1))
    elif beginning == 3:
        made.engine.personnel.appoint(made.who(KEEPER), MANAGER_A, SEATS[0], "concurrent", TODAY)
        made.engine.personnel.appoint(made.who(KEEPER), STAFF_A, SEATS[1], "joint", TODAY)
        made.deputy(STAFF_A, "extra")
        made.engine.personnel.appoint(made.who(KEEPER), "extra", SEATS[3], "acting", TODAY, None, "規程")
        made.deputy("extra", STAFF_B)
    made.run()
    made.engine.close()
    source = sqlite3.connect(place / "posts.sqlite")
    kept = sqlite3.connect(":memory:", check_same_thread=False)
    source.backup(kept)
    source.close()
    return kept


@cache
def in_memory() -> tuple[Posts, sqlite3.Connection]:
    """The engine over a database in memory, and the connection by which it is put back to the beginning."""
    database = open_database("sqlite:///:memory:")
    clock = SetClock(MONDAY)
    engine = make_engine("sqlite:///:memory:", clock, bpmn=folder())
    engine.database.dispose()
    engine = Engine(engine.settings, clock=clock, database=database, prove=Engine.unproven)
    raw = database.raw_connection()
    connection = raw.driver_connection
    raw.close()
    assert isinstance(connection, sqlite3.Connection)
    return Posts(engine, clock), connection


PERSON = st.sampled_from(PEOPLE)
SEAT = st.sampled_from(SEATS)
PICK = st.integers(0, 5)
SOON = st.integers(0, 1)
LENGTH = st.sampled_from((None, 0, 1))
HISTORIES, STEPS = 2_000, 7
#: What happened in all the lives together: a machine in which nothing happens proves nothing.
HAPPENED: Counter[str] = Counter()


class Life(RuleBasedStateMachine):
    """One history of the office."""

    def __init__(self) -> None:
        super().__init__()
        self.posts, self.raw = in_memory()
        self.posts.clock.set(MONDAY)
        self.oracle = Oracle()
        self.steps = 0
        self.open_reviews: dict[int, date] = {}
        self.taken_up: set[int] = set()
        self._facts: Facts | None = None

    @initialize(beginning=st.integers(0, 3))
    def begin(self, beginning: int) -> None:
        """The office as it is in the morning."""
        prepared(beginning).backup(self.raw)
        self._facts = None
        known = self._known
        self.oracle = Oracle(
            known("holding", "seat, kind, '', ''"), known("deputy", "seat, kind, principal, process_id"), known("absence", "'', '', '', ''")
        )

    # What the tables say.

    def _known(self, table: str, more: str) -> list[Dated]:
        rows = self.raw.execute(
            f"SELECT id, person, valid_from, valid_to, {more} FROM {table} WHERE organisation = 'office' AND superseded_at IS NULL"
        )
        return [Dated(row[0], row[1], date.fromisoformat(row[2]), date.fromisoformat(row[3]) if row[3] else None, *row[4:]) for row in rows]

    @property
    def facts(self) -> Facts:
        if self._facts is None:
            rows = self.raw.execute(
                "SELECT id, case_id, node, seat, state, closed_by, closed_seat, closed_for, final, process_id, claimed_by FROM task"
            )
            cases = self.raw.execute("SELECT id, process_id, reporter, reported_for FROM case_file").fetchall()
            self._facts = Facts(
                {row[0]: Row(*row[:8], bool(row[8]), *row[9:]) for row in rows},
                {row[0]: (row[1], row[2]) for row in cases},
                {row[0]: row[3] for row in cases if row[3]},
                self.raw.execute("SELECT case_id, seat FROM referral").fetchall(),
            )
        return self._facts

    @property
    def day(self) -> date:
        return self.posts.on

    def _last_id(self, table: str) -> int:
        return int(self.raw.execute(f"SELECT max(id) FROM {table}").fetchone()[0])

    # What happens to posts and people.

    def _until(self, soon: int, length: int | None) -> tuple[date, date | None]:
        first = self.day + timedelta(days=soon)
        return first, None if length is None else first + timedelta(days=length)

    @rule(who=PERSON, seat=SEAT, kind=st.sampled_from(KINDS), soon=SOON, length=LENGTH)
    def appoint(self, who: str, seat: str, kind: str, soon: int, length: int | None) -> None:
        first, last = self._until(soon, length)
        twice = any(one.person == who and one.seat == seat and one.overlaps(first, last) for one in self.oracle.holdings)
        try:
            self.posts.engine.personnel.appoint(self.posts.who(KEEPER), who, seat, kind, first, last, "規程")
        except DatedFactInvalid:
            assert twice
        else:
            assert not twice
            self.oracle.holdings.append(Dated(self._last_id("holding"), who, first, last, seat, kind))
        self._after()

    @rule(pick=PICK, later=SOON, what=st.sampled_from(("holding", "deputy", "absence")))
    def something_ends(self, pick: int, later: int, what: str) -> None:
        if what == "holding":
            self.end_holding(pick, later)
        elif what == "deputy":
            self.end_deputy(pick)
        else:
            self.end_absence(pick)

    def end_holding(self, pick: int, later: int) -> None:
        mine = [one for one in self.oracle.holdings if one.person in PEOPLE and one.person not in (KEEPER, DIVISION_HEAD)]
        if mine:
            one = mine[pick % len(mine)]
            self._ends(one, self.day - timedelta(days=1 - later))
        self._after()

    def _ends(self, one: Dated, last: date) -> None:
        try:
            self.posts.engine.personnel.end_holding(self.posts.who(KEEPER), one.id, last, "異動")
        except DatedFactInvalid:
            assert one.last is not None and one.last < last
        else:
            one.end(last, self.oracle.holdings)
            one.id = self._last_id("holding")

    @rule(
        principal=PERSON, who=PERSON, kind=st.sampled_from(("substitute", "substitute", "decision")), seat=st.sampled_from(("", *SEATS)),
        process=st.sampled_from(("", "", "office_duty", "office_route")), soon=SOON, length=LENGTH,
    )  # fmt: skip
    def register_deputy(self, principal: str, who: str, kind: str, seat: str, process: str, soon: int, length: int | None) -> None:
        first, last = self._until(soon, length)
        if seat and not self.oracle.holds(principal, seat, first):  # mostly what can be
            seat = next(
                (one.seat for one in self.oracle.holdings if one.person == principal and one.holds(first) and one.kind != "acting"), ""
            )
        given = {"kind": kind, "seat": seat, "process": process, "basis": "規程", "valid_from": first, "valid_to": last}
        try:
            made = self.posts.engine.personnel.register_deputy(self.posts.who(KEEPER), principal, who, **given)  # type: ignore[arg-type]
        except DatedFactInvalid:
            pass
        else:
            assert principal != who and (seat or kind == "substitute")
            self.oracle.deputies.append(Dated(made, who, first, last, seat, kind, principal, process))
        self._after()

    def end_deputy(self, pick: int) -> None:
        if self.oracle.deputies:
            one = self.oracle.deputies[pick % len(self.oracle.deputies)]
            yesterday = self.day - timedelta(days=1)
            try:
                self.posts.engine.personnel.end_deputy(self.posts.who(one.principal), one.id)
            except DatedFactInvalid:
                assert one.last is not None and one.last < yesterday
            else:
                one.end(yesterday, self.oracle.deputies)
                one.id = self._last_id("deputy")
        self._after()

    @rule(who=PERSON, soon=SOON, length=LENGTH)
    def register_absence(self, who: str, soon: int, length: int | None) -> None:
        first, last = self._until(soon, length)
        try:
            made = self.posts.engine.personnel.register_absence(self.posts.who(who), who, first, last, "leave")
        except DatedFactInvalid:
            assert any(one.person == who and one.overlaps(first, last) for one in self.oracle.absences)
        else:
            self.oracle.absences.append(Dated(made, who, first, last))
        self._after()

    def end_absence(self, pick: int) -> None:
        if self.oracle.absences:
            one = self.oracle.absences[pick % len(self.oracle.absences)]
            yesterday = self.day - timedelta(days=1)
            try:
                self.posts.engine.personnel.end_absence(self.posts.who(one.person), one.id)
            except DatedFactInvalid:
                assert one.last is not None and one.last < yesterday
            else:
                one.end(yesterday, self.oracle.absences)
                one.id = self._last_id("absence")
        self._after()

    @rule(who=PERSON, seat=SEAT, action=st.sampled_from(("異動", "免", "任命")))
    def order_for_tomorrow(self, who: str, seat: str, action: str) -> None:
        if who in (KEEPER, DIVISION_HEAD):
            return
        tomorrow = self.day + timedelta(days=1)
        mine = [one for one in self.oracle.holdings if one.person == who and one.overlaps(tomorrow, None)]
        if action == "免" and mine:
            seat = mine[0].seat
        role, _, unit = seat.partition("@")
        row = moved(who, NAMES[unit], NAMES[role], action, **({"区分": "兼務"} if action == "任命" else {}))
        try:
            self.posts.order(row)
        except OrderInvalid:
            return
        ends = {"異動": lambda one: one.kind == "main", "免": lambda one: one.seat == seat, "任命": lambda one: False}[action]
        for one in [one for one in mine if ends(one)]:
            one.end(tomorrow - timedelta(days=1), self.oracle.holdings)
        if action != "免":
            HAPPENED["ordered"] += 1
            self.oracle.holdings.append(Dated(0, who, tomorrow, None, seat, "main" if action == "異動" else "concurrent"))
        ids = {(one.person, one.seat, one.first): one.id for one in self._known("holding", "seat, kind, '', ''")}
        for one in self.oracle.holdings:
            one.id = ids[one.person, one.seat, one.first]
        self._after()

    @rule(hours=st.sampled_from((1, 9, 14, 24)))
    def time_passes(self, hours: int) -> None:
        self.posts.clock.advance(hours=hours)
        self._after(from_yesterday=True)

    # What people try.

    @rule(who=PERSON, process=st.sampled_from(("duty", "route")), unit=st.sampled_from("ab"), pick=PICK)
    def start(self, who: str, process: str, unit: str, pick: int) -> None:
        seats = [None, *(held.seat for held in self.posts.who(who).seats)]
        try:
            with self.posts.by(who, seats[pick % len(seats)]) as work:
                work.start(f"office_{process}", {"item_summary": "申請", "owning_unit": unit})
        except NotAllowed:  # who has no seat of his own, and acts for nobody in this procedure
            HAPPENED["refused NotAllowed"] += 1
        self._after()

    @rule(who=PERSON, pick=PICK)
    def complete(self, who: str, pick: int) -> None:
        self._tries(who, pick, "complete")

    @rule(pick=PICK, first=st.integers(0, len(PEOPLE) - 1))
    def everybody_tries_to_complete(self, pick: int, first: int) -> None:
        rows = self.facts.open()
        if rows:
            chosen = rows[pick % len(rows)].id
            for number in range(4):
                if self.facts.tasks[chosen].state == "open":
                    self._tries(PEOPLE[(first + number) % len(PEOPLE)], 0, "complete", chosen)

    @rule(pick=PICK, other=PICK, rare=st.booleans())
    def somebody_who_may_completes(self, pick: int, other: int, rare: bool) -> None:
        """One of those whom the oracle lets do a step; one who stands in, where there is such a one, half of the time."""
        rows = self.facts.open()
        if rows:
            row = rows[pick % len(rows)]
            may = {who: self.oracle.may(who, row, self.facts, self.day) for who in PEOPLE}
            able = [who for who in PEOPLE if may[who]]
            able = [who for who in able if rare and ("own", "") not in may[who]] or able
            if able:
                self._tries(able[other % len(able)], 0, "complete", row.id)

    @rule(pick=PICK, other=PICK)
    def somebody_who_must_not_tries(self, pick: int, other: int) -> None:
        """One of those whose seat is asked, or whose principal's is, and who is kept from the step all the same."""
        kept = [row for row in self.facts.open() if self.facts.doers(row)]
        if kept:
            row = kept[pick % len(kept)]
            unable = [who for who in PEOPLE if self.oracle.ways(who, row, self.day) and not self.oracle.may(who, row, self.facts, self.day)]
            if unable:
                HAPPENED["tried what he must not"] += 1
                self._tries(unable[other % len(unable)], 0, "complete", row.id)

    @rule(who=PERSON, pick=PICK)
    def claim(self, who: str, pick: int) -> None:
        self._tries(who, pick, "claim")

    def _tries(self, who: str, pick: int, verb: str, chosen: int | None = None) -> None:
        rows = self.facts.open()
        if not rows:
            return
        row = self.facts.tasks[chosen] if chosen is not None else rows[pick % len(rows)]
        may = self.oracle.may(who, row, self.facts, self.day)
        holder = str(row.claimed) if row.claimed not in (None, who) else ""
        claimed = bool(holder) and bool(self.oracle.may(holder, row, self.facts, self.day))
        try:
            with self.posts.by(who) as work:
                work.complete(row.id, ANSWERS.get(row.node, {})) if verb == "complete" else work.claim(row.id)
        except AlreadyClaimed:
            assert row.claimed not in (None, who)
        except NOT_HIS as refused:
            assert not may, (who, row, may)
            HAPPENED[f"refused {type(refused).__name__}"] += 1
        else:
            assert may, (who, row)
            assert not claimed, "a claim holds as long as the claimer may do the step"
            if verb == "complete":
                self._facts = None
                done = self.facts.tasks[row.id]
                seat = row.seat
                if may == {("in_turn", "")}:
                    seat = str(done.by_seat)
                    assert self.oracle.holds(who, seat, self.day) and seat != row.seat
                assert (done.state, done.by, done.by_seat) == ("done", who, seat)
                assert (done.for_whom or "") in {principal for _, principal in may}
                assert not {who, done.for_whom} & self.facts.doers(done)
                HAPPENED.update(kind for kind, principal in may if principal == (done.for_whom or ""))
        self._after()

    @rule(who=PERSON, pick=PICK)
    def pull_up(self, who: str, pick: int) -> None:
        rows = self.facts.open()
        if rows:
            self._pulls_up(who, rows[pick % len(rows)])

    @rule(pick=PICK, other=PICK)
    def somebody_above_pulls_up(self, pick: int, other: int) -> None:
        """Somebody on a rung above a review, who sees the case."""
        rows = [row for row in self.facts.open() if row.node == "check"]
        if not rows:
            return
        row = rows[pick % len(rows)]
        above = [who for who in PEOPLE if self._stands_above(who, row) and self.oracle.sees(who, row.case, self.facts, self.day)]
        if above:
            self._pulls_up(above[other % len(above)], row)

    def _stands_above(self, who: str, row: Row) -> bool:
        above, seat = set(), RUNGS.get(row.seat)
        while seat is not None:
            above.add(seat)
            seat = RUNGS.get(seat)
        return any(
            self.oracle.holds(who, one, self.day)
            or any(dep.kind == "substitute" and not dep.process and dep.principal for dep in self.oracle.stands_in(who, one, "", self.day))
            for one in above
        )

    def _pulls_up(self, who: str, row: Row) -> None:
        stands, sees = self._stands_above(who, row), self.oracle.sees(who, row.case, self.facts, self.day)
        try:
            with self.posts.by(who) as work:
                work.pull_up(row.id, "急ぎ")
        except NotPassedOver:
            assert row.node != "check"
        except (TaskNotFound, NotAbove):
            assert not (sees and stands)
        except SamePerson:
            assert self.facts.doers(row)
        else:
            assert row.node == "check" and sees and stands and who not in self.facts.doers(row)
            self.taken_up.add(row.id)
            HAPPENED["pulled up"] += 1
            self.oracle.acted.add((row.case, who))
        self._after()

    @rule(who=PERSON, pick=PICK, to=st.sampled_from((*SEATS, *(f"person:{one}" for one in PEOPLE))))
    def consult(self, who: str, pick: int, to: str) -> None:
        case = sorted(self.facts.cases)[pick % len(self.facts.cases)]
        sees = self.oracle.sees(who, case, self.facts, self.day)
        ended = not any(row.case == case and row.state == "open" for row in self.facts.tasks.values())
        try:
            with self.posts.by(who) as work:
                work.consult(case, to, "どうですか")
        except CaseNotFound:
            assert not sees
        except CaseClosed:
            assert ended
        except ReferralRefused:
            assert to == f"person:{who}"
        else:
            assert sees and not ended
        self._after()

    @rule(who=PERSON, pick=PICK)
    def answer(self, who: str, pick: int) -> None:
        rows = self.raw.execute("SELECT id, case_id, seat, state, kind FROM referral").fetchall()
        if not rows:
            return
        made, case, seat, state, kind = rows[pick % len(rows)]
        process = self.facts.cases[case][0]
        theirs = seat == f"person:{who}" or self.oracle.holds(who, seat, self.day)
        theirs = theirs or any(one.kind == "substitute" for one in self.oracle.stands_in(who, seat, process, self.day))
        try:
            with self.posts.by(who) as work:
                work.answer(made, "こうです") if kind == "consultation" else work.confirm(made)
        except ReferralNotFound:
            assert not theirs
        except ReferralClosed:
            assert theirs and state != "open"
        else:
            assert theirs and state == "open"
            HAPPENED[kind] += 1
            if kind == "consultation":
                self.oracle.acted.add((case, who))
        self._after()

    # What must hold.

    def _after(self, *, from_yesterday: bool = False) -> None:
        """The worker runs; reviews nobody is there for are gone, and only those; somebody looks."""
        before = self.open_reviews
        if self.raw.execute("SELECT 1 FROM job WHERE run_at <= ?", [to_micros(self.posts.clock.now())]).fetchone():
            self.posts.run()
        self._facts = None
        self.open_reviews = {row.id: self.day for row in self.facts.open() if row.node == "check"}
        for row in self.facts.tasks.values():
            if row.node == "check":
                if row.state == "open":
                    assert not self.oracle.nobody_there(row, self.day), "the review goes on without its reviewer"
                elif row.state == "cancelled" and row.id in before and row.id not in self.taken_up:
                    assert self.oracle.nobody_there(row, self.day), "only when nobody is there"
                    HAPPENED["passed over"] += 1
        self.steps += 1
        if self.steps % 3 == 0:
            self._looks(PEOPLE[self.steps % len(PEOPLE)])

    def _looks(self, who: str) -> None:
        viewer = self.posts.who(who)
        with self.posts.engine.reading() as connection:
            shown = set(connection.scalars(sa.select(task.c.id).where(tasks_of(viewer))))
            seen = set(connection.scalars(sa.select(case_file.c.id).where(cases_of(viewer))))
        allowed = {row.id for row in self.facts.open() if self.oracle.may(who, row, self.facts, self.day)}
        assert shown == allowed, (who, shown - allowed, allowed - shown)
        visible = {case for case in self.facts.cases if self.oracle.sees(who, case, self.facts, self.day)}
        assert seen == visible, (who, seen - visible, visible - seen)

    def teardown(self) -> None:
        for who in PEOPLE:
            self._looks(who)
        for row in self.facts.tasks.values():
            if row.state == "done":
                assert not {row.by, row.for_whom} & self.facts.doers(row), "nobody approves what he did himself"
        assert self.posts.engine.verify_history() == ()
        if self.steps % 2 == 0:
            return
        who = PEOPLE[self.steps % len(PEOPLE)]
        viewer = self.posts.who(who)
        listed = {row.task_id for row in self.posts.engine.inbox(viewer, limit=200).rows}
        assert listed == {row.id for row in self.facts.open() if self.oracle.may(who, row, self.facts, self.day)}


def test_random_lives_of_an_office() -> None:
    """Two thousand histories, the same ones each time."""
    given = settings(
        max_examples=HISTORIES, stateful_step_count=STEPS, deadline=None, derandomize=True, database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )  # fmt: skip
    run_state_machine_as_test(Life, settings=given)
    wanted = {
        "own",
        "substitute",
        "decision",
        "in_turn",
        "passed over",
        "pulled up",
        "ordered",
        "consultation",
        "later_review",
        "refused SamePerson",
        "tried what he must not",
    }
    assert not wanted - HAPPENED.keys(), HAPPENED

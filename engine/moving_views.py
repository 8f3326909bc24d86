"""What the desk of moving cases hands to pages, in words: nothing of a case's contents but its number and the names of its steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from engine.counterparts import Place
from engine.forms import japanese_day, japanese_instant
from engine.model import FAR_FUTURE
from engine.moving import Effect, StepChange, StepState, TimerChange
from engine.version_views import VersionShown


@dataclass(frozen=True)
class MoveLine:
    """One thing that moving a case means.

    Attributes:
        how: `kept`, `changed`, `gained`, `lost` or `happens` (at once).
        what: step, timer, clock, facts or element, in words.
        seat: who has the step, in words; due: when it is due, or will happen.
        changes: (what, from, to).
    """

    how: str
    what: str
    name: str
    seat: str = ""
    due: str = ""
    changes: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class MovedCase:
    """A case in a preview or a plan.

    Attributes:
        obstacles: (element, why) that keep it from being moved; () when it can be.
        state: `planned`, `moved`, `failed`, `undone`; in a preview "".
        why: why it could not be moved, when it was tried.
        outdated: moving it would mean something else now than when the plan was made.
        why_not_undo: why it cannot be put back; "" when it can.
    """

    case_id: int
    number: str
    digest: str
    obstacles: tuple[tuple[str, str], ...]
    lines: tuple[MoveLine, ...]
    state: str = ""
    why: str = ""
    at: datetime | None = None
    outdated: bool = False
    why_not_undo: str = ""

    @property
    def movable(self) -> bool:
        """Whether nothing keeps it where it is."""
        return not self.obstacles


@dataclass(frozen=True)
class PlaceAsked:
    """An element, or a flow into a join, at which cases stand and of which somebody has to say (or has said) where it goes on.

    Attributes:
        cases: how many stand there.
        said: what was chosen; None when nothing was.
        same, anew: (id, name) of what may be chosen, as the same thing or to begin there.
    """

    id: str
    name: str
    kind: str
    cases: int
    said: Place | None
    same: tuple[tuple[str, str], ...]
    anew: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class MovingPage:
    """A preview: what moving the open cases of one version to another would mean. `cut_off`: there are more cases than were looked at."""

    source: VersionShown
    target: VersionShown
    asked: tuple[PlaceAsked, ...]
    renamed: tuple[tuple[str, str], ...]
    cases: tuple[MovedCase, ...]
    cut_off: bool


@dataclass(frozen=True)
class PlanShown:
    """A plan in a list. `state` is `proposed`, `approved`, `refused` or `withdrawn`; `left`: cases of an approved plan not tried yet."""

    id: int
    process_id: str
    name: str
    source: int
    target: int
    source_id: int
    target_id: int
    state: str
    note: str
    proposed_by_name: str
    proposed_at: datetime
    decided_by_name: str
    decided_at: datetime | None
    comment: str
    cases: int
    moved: int
    failed: int
    left: int


@dataclass(frozen=True)
class PlanPage:
    """A plan with its cases.

    Attributes:
        places: (element, where it goes on) of what was said, in words.
        why_not: why the viewer may not decide; "" when he may. is_mine: he has proposed it.
    """

    plan: PlanShown
    places: tuple[tuple[str, str], ...]
    cases: tuple[MovedCase, ...]
    why_not: str
    is_mine: bool


HOW = {"kept": "そのまま", "changed": "変わる", "gained": "増える", "lost": "なくなる", "happens": "すぐに進む"}


def lines(found: Effect, seat_name: Callable[[str], str]) -> tuple[MoveLine, ...]:
    """An effect in words."""
    made = [_step(one, seat_name) for one in found.steps]
    made += [_timer(one, found) for one in found.timers]
    for clock in found.clocks:
        made.append(MoveLine("changed", "法令上の期限", clock.name, changes=(("期限", _day(clock.was), _day(clock.now)),)))
    if found.facts:
        tables = sorted(found.target.decisions.values(), key=lambda one: -len(one.outputs))  # the one of that output alone says it best
        labels = {output: one.name for one in tables for output in one.outputs}
        labels |= {spec.id: spec.label for node in found.target.net.nodes for spec in node.form}
        made.append(MoveLine("changed", "判定", "、".join(labels.get(name, name) for name in found.facts)))
    made += [MoveLine("happens", "進む要素", name) for name in found.happened]
    return tuple(made)


def _step(one: StepChange, seat_name: Callable[[str], str]) -> MoveLine:
    state = one.now or one.was
    assert state is not None
    changes: list[tuple[str, str, str]] = []
    if one.was is not None and one.now is not None:
        pairs = (
            ("名前", one.was.name, one.now.name),
            ("担当", seat_name(one.was.seat), seat_name(one.now.seat)),
            ("期限", _due(one.was), _due(one.now)),
        )
        changes = [pair for pair in pairs if pair[1] != pair[2]]
    return MoveLine(one.how, "処理", state.name, seat_name(state.seat), _due(state), tuple(changes))


def _due(state: StepState) -> str:
    if state.due_at == FAR_FUTURE:
        return "定めなし"
    return f"{japanese_instant(state.due_at.isoformat())}（{'法定' if state.statutory else '目安'}）"


def _timer(one: TimerChange, found: Effect) -> MoveLine:
    assert found.move is not None
    due = "起きません" if one.now is None else japanese_instant(one.now.isoformat())
    if one.now is not None and one.now <= found.move.now:
        due += "（すぐに起きます）"
    was = japanese_instant(one.was.isoformat()) if one.was is not None else "起きません"
    if one.how == "lost":
        return MoveLine("lost", "時間", one.name, due=was)
    changes = (("時", was, due),) if one.how == "changed" else ()
    return MoveLine(one.how, "時間", one.name, due=due, changes=changes)


def _day(day: date | None) -> str:
    return japanese_day(day.isoformat()) if day is not None else "なし"


__all__ = ["HOW", "MoveLine", "MovedCase", "MovingPage", "PlaceAsked", "PlanPage", "PlanShown", "lines"]

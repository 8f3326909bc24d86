"""Looks ahead: what would happen if this were done now, by the same code on a copy, with nothing stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.errors import TadachiError
from engine.model import FAR_FUTURE
from engine.moves import Move, difference
from engine.people import Holder
from engine.store import OpenCase, outcome_name, step_name, task_due
from engine.tokens import Marking, Wait, waiting
from engine.views import Consequence

Holders = Callable[[set[str]], tuple[Holder, ...]]
#: The name of a procedure by its id.
Names = Callable[[str], str]


def consequences(
    case: OpenCase, now: Any, wait: Wait, answers: Mapping[str, Any], holders: Holders, names: Names = str
) -> tuple[Consequence, ...]:
    """The steps that open, with whom and by when, if `wait` were completed with these answers, and other cases that would begin; () when it
    cannot be foreseen."""
    move = case.move(now)
    try:
        step = move.complete(case.marking, wait, answers)
        begun = tuple(Consequence(f"案件「{names(process)}」を始めます", "", (), None) for process in dict.fromkeys(move.foreseen))
        return begun + opened(case, move, step.marking, holders)
    except TadachiError:
        return ()


def after_send_back(case: OpenCase, now: Any, wait: Wait, target: str, holders: Holders) -> tuple[Consequence, ...]:
    """The same for sending back."""
    move = case.move(now)
    try:
        return opened(case, move, move.send_back(case.marking, wait, target).marking, holders)
    except TadachiError:
        return ()


def opened(case: OpenCase, move: Move, marking: Marking, holders: Holders) -> tuple[Consequence, ...]:
    """What a new marking waits for that the case does not wait for yet."""
    after = waiting(case.definition.net, marking)
    if not after:
        name = outcome_name(case.definition, marking.ended or "")
        return (Consequence(f"案件が終わります：{name}", "", (), None, ends=True),)
    new, _ = difference(case.waits(), after)
    tasks = [wait for wait in new if wait.kind == "task"]
    seats = {wait.key: move.seat_of(wait.node, wait.local) for wait in tasks}
    behind: dict[str, list[str]] = {}
    for holder in holders(set(seats.values())):
        if holder.kind != "substitute":
            behind.setdefault(holder.seat, []).append(holder.name)
    result = []
    for wait in tasks:
        due, _ = task_due(wait.node, move, move.now)
        seat = seats[wait.key]
        name = move.organisation.seat_name(seat)
        when = None if due == FAR_FUTURE else due
        result.append(Consequence(step_name(wait.node, wait.local), name, tuple(behind.get(seat, ())), when, node=wait.node.id, seat=seat))
    return tuple(result)

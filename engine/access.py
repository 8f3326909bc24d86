"""Who may act: pure answers from the seats a person holds today; nothing here reads the database or decides what is shown."""

from __future__ import annotations

from collections.abc import Iterable, Set

from engine.errors import NotAllowed, NotYourSeat, NotYourTask
from engine.organisation import PERSON, Organisation


def acting_seat(wanted: str | None, held: Set[str], task_id: int, task_seat: str, organisation: Organisation) -> str:
    """The seat from which a person does a task: the task's own, when the person holds it and named no other.

    Args:
        wanted: the seat the person says to act from; None leaves the choice.
        held: every seat of the person today, the own `person:ID` included.

    Raises:
        NotYourSeat: the named seat is not held today.
        NotYourTask: the task belongs to a seat that is not held, or to another than the one named.
    """
    _must_hold(wanted, held, organisation)
    other = wanted is not None and wanted != task_seat and not task_seat.startswith(PERSON)
    if task_seat not in held or other:
        raise NotYourTask(task=task_id, seat_name=organisation.seat_name(task_seat))
    return task_seat


def seat_among(wanted: str | None, held: Set[str], allowed: Iterable[str], organisation: Organisation) -> str:
    """The seat from which a person does something that several seats may do.

    Raises:
        NotYourSeat: the named seat is not held today.
        NotAllowed: none of the seats allowed is held, or not the one named.
    """
    _must_hold(wanted, held, organisation)
    mine = sorted(set(allowed) & ({wanted} if wanted else held))
    if not mine:
        raise NotAllowed()
    return mine[0]


def may_withdraw(rule: str, *, own: bool, others_acted: bool) -> bool:
    """Whether an applicant may take the own case back (取下げ), by the procedure's `withdraw` property."""
    return own and (rule == "until_end" or (rule == "until_first_act" and not others_acted))


def _must_hold(wanted: str | None, held: Set[str], organisation: Organisation) -> None:
    if wanted is not None and wanted not in held:
        raise NotYourSeat(seat=wanted, seat_name=organisation.seat_name(wanted))

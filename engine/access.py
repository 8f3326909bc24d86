"""Who may act: pure answers from the seats a person may act from today; nothing here reads the database or decides what is shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from engine.clock import civil_day
from engine.errors import NotAllowed, NotYourSeat, NotYourTask, TakenOut
from engine.model import Row
from engine.organisation import PERSON, Organisation
from engine.views import SeatHeld, Viewer


def standings(viewer: Viewer, row: Row) -> tuple[SeatHeld, ...]:
    """Every way in which the viewer may do a task, the plainest first: as himself, as holder, as substitute, by 代決, in turn."""
    if row["seat"] == viewer.own_key:
        return (SeatHeld(row["seat"], "本人", "person", viewer.at.date(), None),)
    ways = [
        held
        for held in viewer.seats
        if held.seat == row["seat"]
        and held.process in ("", row["process_id"])
        and (held.kind != "decision" or row["final"])
        and held.principal not in viewer.kept.get(row["id"], ())
    ]
    if row["id"] in viewer.in_turn:
        own = viewer.in_turn[row["id"]][1]
        ways += [replace(held, kind="in_turn") for held in viewer.own_seats if held.seat == own][:1]
    return tuple(ways)


def acting_as(wanted: str | None, viewer: Viewer, row: Row, organisation: Organisation) -> SeatHeld:
    """As what a person does a task: the plainest way there is, or the one from the seat named.

    Args:
        wanted: the seat the person says to act from; None leaves the choice.

    Raises:
        NotYourSeat: the named seat is not held today.
        TakenOut: the case is about this person.
        NotYourTask: the task belongs to a seat that is not held, or to another than the one named.
    """
    must_hold(wanted, viewer, organisation)
    ways = standings(viewer, row)
    if ways and row["case_id"] in viewer.barred_cases:
        raise TakenOut(task=row["id"])
    other = wanted is not None and not any(way.seat == wanted for way in ways) and not row["seat"].startswith(PERSON)
    if not ways or other:
        raise NotYourTask(task=row["id"], seat_name=organisation.seat_name(row["seat"]))
    return next((way for way in ways if way.seat == wanted), ways[0])


def standing_among(wanted: str | None, viewer: Viewer, allowed: Iterable[str], process: str, organisation: Organisation) -> SeatHeld:
    """As what a person does something that several seats may do.

    Raises:
        NotYourSeat: the named seat is not held today.
        NotAllowed: none of the seats allowed is held, or not the one named.
    """
    must_hold(wanted, viewer, organisation)
    open_to = set(allowed)
    ways = sorted((held for held in usable(viewer, process) if held.seat in open_to), key=lambda held: (not held.own, held.seat))
    if wanted is not None:
        ways = [held for held in ways if held.seat == wanted]
    if not ways:
        raise NotAllowed()
    return ways[0]


def above(viewer: Viewer, case_id: int, seat: str, organisation: Organisation) -> SeatHeld | None:
    """The viewer's seat that is a rung above another, from which he may take up what waits there (引上げ); None when he has none.

    Neither by 代決 nor for one procedure alone, and never in a case that is about him.
    """
    if case_id in viewer.barred_cases:
        return None
    rungs = organisation.rungs(seat, civil_day(viewer.at))
    return next((held for held in viewer.seats if held.seat in rungs and held.kind != "decision" and not held.process), None)


def usable(viewer: Viewer, process: str) -> tuple[SeatHeld, ...]:
    """The seats from which a person may do things in a procedure that are no final decision, the own included."""
    own = SeatHeld(viewer.own_key, "本人", "person", viewer.at.date(), None)
    return (*(held for held in viewer.seats if held.kind != "decision" and held.process in ("", process)), own)


def may_withdraw(rule: str, *, own: bool, others_acted: bool) -> bool:
    """Whether an applicant may take the own case back (取下げ), by the procedure's `withdraw` property."""
    return own and (rule == "until_end" or (rule == "until_first_act" and not others_acted))


def must_hold(wanted: str | None, viewer: Viewer, organisation: Organisation) -> None:
    """Raise NotYourSeat unless the named seat is one the person may act from today."""
    if wanted is not None and wanted != viewer.own_key and not any(held.seat == wanted for held in viewer.seats):
        raise NotYourSeat(seat=wanted, seat_name=organisation.seat_name(wanted))

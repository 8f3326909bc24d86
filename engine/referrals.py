"""Cases laid before people who do not decide them: 照会 (read and answer), 回覧 (read and confirm), 後閲 (read afterwards)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from engine import access, people
from engine.batch import see
from engine.clock import civil_day
from engine.errors import CaseNotFound, NotAllowed, PersonNotFound, ReferralClosed, ReferralNotFound, ReferralRefused, TakenOut
from engine.model import bar, referral
from engine.notices import Told
from engine.organisation import PERSON
from engine.store import OpenCase
from engine.unit_of_work import UnitOfWork
from engine.views import SeatHeld
from engine.wording import REFERRALS

MOST_AT_ONCE = 100


class ReferralVerbs(UnitOfWork):
    """Consult, circulate, answer, confirm, recall."""

    def consult(self, case_id: int, to: str, question: str) -> int:
        """Ask a colleague (照会), who may read the case and answer but not decide it; returns the referral's id.

        Args:
            to: a seat, or `person:ID`.

        Raises:
            CaseNotFound, ReferralRefused, ReasonRequired.
        """
        self._attempting("consult", case=case_id, to=to)
        case = self._case(case_id)
        return self._lay_before(case, "consultation", [to], self._reason(question))[0]

    def circulate(self, case_id: int, to: Iterable[str], text: str) -> tuple[int, ...]:
        """Let others read the case (回覧); each closes it by confirming. Returns the referrals' ids.

        Raises:
            CaseNotFound, ReferralRefused, ReasonRequired.
        """
        self._attempting("circulate", case=case_id)
        case = self._case(case_id, closed=True)
        return self._lay_before(case, "circulation", list(dict.fromkeys(to)), self._reason(text))

    def answer(self, referral_id: int, text: str) -> None:
        """Answer a consultation.

        Raises:
            ReferralNotFound, ReferralClosed, NotAllowed, ReasonRequired.
        """
        self._attempting("answer", referral=referral_id)
        row, case, held = self._addressed(referral_id)
        if row["kind"] != "consultation":
            raise NotAllowed(referral=referral_id)
        answer = self._reason(text)
        self._close(row, held, answer)
        see(self._connection, case.row["organisation"], case.id, [self.viewer.own_key])
        case.entries.append(self._entry("referral.answered", None, {"note": answer, "referral": referral_id}, held))
        cause = f"referral:{referral_id}:answered"
        case.told.append(Told(cause, "consultation_answered", (f"{PERSON}{row['asked_by']}",), "照会", row["task_id"]))
        self._writer.touch(case)

    def confirm(self, referral_id: int) -> None:
        """Confirm having read what was circulated, or what went on during one's absence.

        Raises:
            ReferralNotFound, ReferralClosed, NotAllowed.
        """
        self._attempting("confirm", referral=referral_id)
        row, case, held = self._addressed(referral_id)
        if row["kind"] == "consultation":
            raise NotAllowed(referral=referral_id)
        self._close(row, held, None)
        case.entries.append(self._entry("referral.confirmed", None, {"kind": REFERRALS[row["kind"]], "referral": referral_id}, held))
        self._writer.touch(case)

    def recall(self, referral_id: int) -> None:
        """Take back what one has asked or circulated, as long as it is open; what somebody has to read afterwards stays.

        Raises:
            ReferralNotFound, ReferralClosed.
        """
        self._attempting("recall", referral=referral_id)
        row = self._referral(referral_id)
        if row["asked_by"] != self.person or row["kind"] == "later_review":
            raise ReferralNotFound(referral=referral_id)
        case = self._case(row["case_id"], closed=True)
        row = self._still_open(referral_id)
        self._connection.execute(
            referral.update().where(referral.c.id == referral_id).values(state="withdrawn", closed_at=self._now, closed_by=self.person)
        )
        data = {"kind": REFERRALS[row["kind"]], "to": self._name_of(row["seat"]), "referral": referral_id}
        case.entries.append(self._entry("referral.recalled", None, data, self._self))
        self._writer.touch(case)

    # ---------------------------------------------------------------- inside

    def _lay_before(self, case: OpenCase, kind: str, to: list[str], text: str) -> tuple[int, ...]:
        if case.id in self.viewer.barred_cases:
            raise TakenOut(case=case.id)
        if not to:
            raise ReferralRefused(why="宛先がありません。", case=case.id)
        if len(to) > MOST_AT_ONCE:
            raise ReferralRefused(why=f"宛先は一度に{MOST_AT_ONCE}までです。", case=case.id)
        for seat in to:
            self._check_addressee(case, seat)
        held = self._sight(case)
        made = [self._open_referral(case, kind, seat, text, held, None) for seat in to]
        self._writer.touch(case)
        return tuple(made)

    def _check_addressee(self, case: OpenCase, seat: str) -> None:
        on = civil_day(self._now)
        if seat == self.viewer.own_key:
            raise ReferralRefused(why="自分には送れません。", case=case.id)
        if not seat.startswith(PERSON):
            if seat not in case.organisation.seats(on):
                raise ReferralRefused(why=f"宛先「{seat[:80]}」という役はありません。", case=case.id)
            return
        try:
            someone = people.find(self._connection, seat.removeprefix(PERSON), on)
        except PersonNotFound:
            raise ReferralRefused(why=f"宛先「{seat.removeprefix(PERSON)[:64]}」という職員は登録されていません。", case=case.id) from None
        if someone.organisation != self.organisation_id:
            raise ReferralRefused(why=f"宛先「{someone.id}」という職員は登録されていません。", case=case.id)
        named = sa.and_(bar.c.case_id == case.id, bar.c.task_id.is_(None), bar.c.person == someone.id, bar.c.lifted_at.is_(None))
        if self._connection.scalar(sa.select(bar.c.id).where(named)) is not None:
            raise ReferralRefused(why=f"「{someone.name}」は、この案件に関係した職員なので宛先にできません。", case=case.id)

    def _open_referral(self, case: OpenCase, kind: str, seat: str, text: str, held: SeatHeld | None, task_id: int | None) -> int:
        """Lay the case before a seat: the row, its sight, its record and its notice."""
        values = {
            "organisation": case.row["organisation"], "case_id": case.id, "task_id": task_id, "kind": kind, "seat": seat,
            "asked_by": self.person, "asked_seat": held.seat if held else None, "text": text, "opened_at": self._now,
        }  # fmt: skip
        made = int(self._connection.scalar(referral.insert().values(values).returning(referral.c.id)) or 0)
        if kind != "later_review":  # that one is told with the act it follows
            data = {"kind": REFERRALS[kind], "to": self._name_of(seat, case), "note": text, "referral": made}
            case.entries.append(self._entry("referral.opened", None, data, held))
        case.told.append(Told(f"referral:{made}:opened", kind, (seat,), REFERRALS[kind], None))
        return made

    def _name_of(self, seat: str, case: OpenCase | None = None) -> str:
        if seat.startswith(PERSON):
            who = seat.removeprefix(PERSON)
            return people.names(self._connection, [who]).get(who, who)
        return (case.organisation if case else self.organisation).seat_name(seat)

    def _referral(self, referral_id: int) -> Any:
        row = self._connection.execute(sa.select(referral).where(referral.c.id == referral_id)).mappings().first()
        if row is None or row["organisation"] != self.organisation_id:
            raise ReferralNotFound(referral=referral_id)
        return row

    def _still_open(self, referral_id: int) -> Any:
        """The row read again after the case was locked: two who answer at once are told apart."""
        row = self._referral(referral_id)
        if row["state"] != "open":
            raise ReferralClosed(kind=REFERRALS[row["kind"]], referral=referral_id)
        return row

    def _addressed(self, referral_id: int) -> tuple[Any, OpenCase, SeatHeld]:
        row = self._referral(referral_id)
        if row["state"] != "open" and row["seat"] in self.viewer.keys:  # taken back: the case is out of sight again
            raise ReferralClosed(kind=REFERRALS[row["kind"]], referral=referral_id)
        try:
            case = self._case(row["case_id"], closed=True)
        except CaseNotFound:
            raise ReferralNotFound(referral=referral_id) from None
        usable = [held for held in access.usable(self.viewer, case.row["process_id"]) if held.seat == row["seat"]]
        if not usable or case.id in self.viewer.barred_cases:
            raise ReferralNotFound(referral=referral_id)
        return self._still_open(referral_id), case, usable[0]

    def _close(self, row: Any, held: SeatHeld, answer: str | None) -> None:
        values = {"state": "closed", "closed_at": self._now, "closed_by": self.person, "closed_seat": held.seat, "answer": answer}
        self._connection.execute(referral.update().where(referral.c.id == row["id"]).values(values))

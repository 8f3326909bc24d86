"""What officials do about one-time links: issue one for an outside party, for a case or for one that it will start, and revoke it."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from engine import access, history, links
from engine.errors import CaseNotFound, FormInvalid, LinkNotFound, LinkRefused, NotAllowed, TakenOut
from engine.forms import clean_text
from engine.model import Row, outside_link
from engine.store import OpenCase
from engine.unit_of_work import UnitOfWork, acting_data, japanese
from engine.views import SeatHeld

MAX_PARTY = 100


class LinkVerbs(UnitOfWork):
    """Issue and revoke."""

    def issue_link_to_start(self, process_id: str, party: str, days: int) -> tuple[int, str, datetime]:
        """A link through which a party may start one case of a procedure, on behalf of the actor's seat; (id, token, end).

        Raises:
            ProcessNotFound, LinkRefused, NotAllowed, NotYourSeat, FormInvalid.
        """
        self._attempting("issue_link", process=process_id)
        definition = self._definitions.in_force(self._connection, self.organisation_id, process_id, self._now)
        start = definition.net.start
        if not start.by_link:
            raise LinkRefused(why="この手続は、相手方からは始められません。", process=process_id)
        access.must_hold(self._seat, self.viewer, self.organisation)
        ways = [held for held in links.starters(self.viewer, process_id, start.candidate_groups) if self._seat in (None, held.seat)]
        if not ways:
            raise NotAllowed(process=process_id)
        held = ways[0]
        name, ends_at = self._terms(party, days)
        mine = sa.and_(outside_link.c.process_id == process_id, outside_link.c.case_id.is_(None), outside_link.c.seat == held.seat)
        self._check_number(sa.and_(mine, outside_link.c.organisation == self.organisation_id))
        made, token = self._issue(process_id, None, held, name, ends_at, shares=False, thread=None)
        data = {"party": name, "until": japanese(ends_at), "link": made, "process": process_id, **acting_data(held)}
        entry = history.Entry("link.issued", self._now, self.person, held.seat, definition=definition.id, data=data)
        history.append_to_organisation(self._connection, self.organisation_id, entry)
        return made, token, ends_at

    def issue_link(self, case_id: int, party: str, days: int, *, shares: bool = False) -> tuple[int, str, datetime]:
        """A link to the steps of a case that are left to a party; (id, token, end). What the same party had before ends.

        Args:
            party: one name is one party: what it sent through an earlier link of this case is its own.
            shares: whether it may also read what officials have entered on its behalf.

        Raises:
            CaseNotFound, CaseClosed, LinkRefused, NotAllowed, NotYourSeat, TakenOut, FormInvalid.
        """
        self._attempting("issue_link", case=case_id)
        # Links before the case: the order in which a party's own acts take them.
        of_case = outside_link.c.case_id == case_id
        rows = (
            self._connection.execute(sa.select(outside_link).where(of_case).order_by(outside_link.c.id).with_for_update()).mappings().all()
        )
        case = self._case(case_id)
        held = self._keeper(case)
        name, ends_at = self._terms(party, days)
        before = [row for row in rows if row["party"] == name]
        ended = [row["id"] for row in before if links.state_of(row, self._now) in links.LIVE]
        if ended:
            self._revoke(outside_link.c.id.in_(ended))
        self._check_number(of_case)
        thread = (before[0]["thread"] or before[0]["id"]) if before else None
        made, token = self._issue(case.row["process_id"], case_id, held, name, ends_at, shares=shares, thread=thread)
        data = {"party": name, "until": japanese(ends_at), "link": made, "shares": shares, "instead_of": ended}
        case.entries.append(self._entry("link.issued", None, data, held))
        self._writer.touch(case)
        return made, token, ends_at

    def revoke_link(self, link_id: int) -> int | None:
        """Let a link and its session open nothing any more; returns the case it belongs to. Revoking twice changes nothing.

        Raises:
            LinkNotFound, NotAllowed.
        """
        self._attempting("revoke_link", link=link_id)
        mine = sa.and_(outside_link.c.id == link_id, outside_link.c.organisation == self.organisation_id)
        row = self._connection.execute(sa.select(outside_link).where(mine).with_for_update()).mappings().first()
        if row is None:
            raise LinkNotFound(link=link_id)
        if row["case_id"] is None:
            self._revoke_unstarted(row)
            return None
        try:
            case = self._case(row["case_id"], closed=True)
        except CaseNotFound:
            raise LinkNotFound(link=link_id) from None
        held = self._keeper(case)
        if row["revoked_at"] is None:
            self._revoke(mine)
            case.entries.append(self._entry("link.revoked", None, {"party": row["party"], "link": link_id}, held))
            self._writer.touch(case)
        return case.id

    # ---------------------------------------------------------------- inside

    def _revoke_unstarted(self, row: Row) -> None:
        held = next((held for held in access.usable(self.viewer, row["process_id"]) if held.seat == row["seat"]), None)
        if held is None:
            raise LinkNotFound(link=row["id"])
        if row["revoked_at"] is None:
            self._revoke(outside_link.c.id == row["id"])
            data = {"party": row["party"], "link": row["id"], "process": row["process_id"], **acting_data(held)}
            entry = history.Entry("link.revoked", self._now, self.person, held.seat, data=data)
            history.append_to_organisation(self._connection, self.organisation_id, entry)

    def _revoke(self, which: sa.ColumnElement[bool]) -> None:
        self._connection.execute(outside_link.update().where(which).values(revoked_at=self._now, revoked_by=self.person))

    def _keeper(self, case: OpenCase) -> SeatHeld:
        """As what the actor keeps the links of a case."""
        if not any(node.by_link for node in case.definition.net.nodes):
            raise LinkRefused(why="この手続には、相手方が入力する処理がありません。", case=case.id)
        if case.id in self.viewer.barred_cases:
            raise TakenOut(case=case.id)
        return self._standing_among(links.keepers(self._connection, case.id, case.move(self._now)), case.row["process_id"])

    def _check_number(self, which: sa.ColumnElement[bool]) -> None:
        rows = self._connection.execute(sa.select(outside_link).where(which)).mappings().all()
        if sum(links.state_of(row, self._now) in links.LIVE for row in rows) >= links.MOST_LIVE:
            raise LinkRefused(why=f"使えるリンクが{links.MOST_LIVE}件あります。要らないものを取り消してから出してください。")

    def _terms(self, party: str, days: int) -> tuple[str, datetime]:
        """The party's name as it is kept, and when its time is over."""
        wrong, name = {}, None
        try:
            name = clean_text(party, MAX_PARTY, lines=False)
        except ValueError as error:
            wrong["_party"] = f"「相手方の名称」{error}"
        else:
            if name is None:
                wrong["_party"] = "「相手方の名称」を入力してください。"
        if not 1 <= days <= links.LONGEST_DAYS:
            wrong["_days"] = f"「使える日数」は1日から{links.LONGEST_DAYS}日までで入力してください。"
        if name is None or wrong:
            raise FormInvalid(wrong)
        return name, self._now + timedelta(days=days)

    def _issue(
        self, process_id: str, case_id: int | None, held: SeatHeld, party: str, ends_at: datetime, *, shares: bool, thread: int | None
    ) -> tuple[int, str]:
        token = secrets.token_urlsafe(32)
        values: dict[str, Any] = {
            "organisation": self.organisation_id, "process_id": process_id, "case_id": case_id, "thread": thread, "party": party,
            "seat": held.seat, "issued_by": self.person, "issued_at": self._now, "expires_at": ends_at, "token": links.digest(token),
            "shares": shares,
        }  # fmt: skip
        made = self._connection.scalar(outside_link.insert().values(values).returning(outside_link.c.id))
        return int(made or 0), token

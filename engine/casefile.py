"""The pages of one case and one task: gathers what the viewer may see and puts it into words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from typing import Any

import sqlalchemy as sa

from engine import (
    access,
    bars,
    claims,
    foresight,
    forms,
    hops,
    linked,
    linked_list,
    lookup,
    obligations,
    people,
    referral_list,
    stopped,
    wording,
)
from engine.clock import civil_day
from engine.errors import AttachmentNotFound, CaseNotFound, NotFound, ProcessNotFound, TaskNotFound
from engine.expressions import compile_expression
from engine.inbox import GetDefinition, head_columns, head_shown, open_steps, row_shown, task_source
from engine.model import (
    FAR_FUTURE,
    Row,
    attachment,
    case_file,
    case_link,
    case_seat,
    draft,
    history,
    referral,
    snooze,
    statutory_clock,
    task,
    task_read,
)
from engine.moves import Move, armed, ends_case, send_back_targets
from engine.net import FieldSpec, Kind, Net, Node
from engine.organisation import PERSON, Organisation
from engine.paper_desk import PaperDesk
from engine.papers import Paper
from engine.sight import cases_of, tasks_of
from engine.store import OpenCase, others_acted
from engine.tokens import Marking, Wait
from engine.unit_of_work import japanese
from engine.views import (
    ActionOffered,
    AttachmentShown,
    Button,
    CaseHead,
    CasePage,
    ClauseShown,
    ClockShown,
    Consequence,
    DutyShown,
    Event,
    FactChange,
    FactShown,
    FieldShown,
    FollowUp,
    PaperOffered,
    ReferralShown,
    SeatHeld,
    StartForm,
    StepShown,
    TaskPage,
    Viewer,
    Why,
)

#: How the clause table writes that a clause names no urgency; not a word to show.
NO_WORD = ("―", "(語なし)", "（語なし）")
#: How much of the course a step's own page shows; the case's page has all of it.
RECENT = 30


class CaseReader:
    """Reads cases for one viewer over one connection."""

    def __init__(self, connection: sa.Connection, viewer: Viewer, organisation: Organisation, definition: GetDefinition) -> None:
        self._connection = connection
        self._viewer = viewer
        self._organisation = organisation
        self._definition = definition
        self._instead_of: dict[int, dict[str, str]] = {}

    # ---------------------------------------------------------------- loading

    def load(self, case_id: int) -> tuple[OpenCase, CaseHead]:
        """A visible case and its line; raises CaseNotFound."""
        source, columns = head_columns(self._viewer.at)
        query = (
            sa.select(*columns, case_file.c.marking, case_file.c.facts)
            .select_from(source)
            .where(case_file.c.id == case_id, cases_of(self._viewer))
        )
        row = self._connection.execute(query).mappings().first()
        if row is None:
            raise CaseNotFound(case=case_id)
        definition = self._definition(row["definition"])
        case = OpenCase(dict(row), definition, self._organisation, Marking.load(row["marking"]), json.loads(row["facts"]))
        steps = open_steps(self._connection, [case_id]).get(case_id, [])
        return case, head_shown(row, steps, self._organisation, definition, self._viewer.at)

    def _move(self, case: OpenCase) -> Move:
        return case.move(self._viewer.at)

    def _holders(self, seats: set[str], process: str | None = None) -> tuple[people.Holder, ...]:
        return people.holders(self._connection, self._organisation, seats, civil_day(self._viewer.at), process)

    @cached_property
    def units(self) -> dict[str, str]:
        """unit id -> name, for showing; the names of units that are gone are kept. Also `person:ID` -> name, read when asked for."""
        return _Labels(self._connection, {unit.id: unit.name for unit in self._organisation.units.values()})

    @property
    def units_to_choose(self) -> dict[str, str]:
        """unit id -> name of units that answer for information today."""
        found = self._organisation.owners(civil_day(self._viewer.at))
        return {unit.id: unit.name for unit in found}

    # ---------------------------------------------------------------- the case page

    def case(self, case_id: int) -> CasePage:
        """Everything the viewer may see of a case."""
        case, head = self.load(case_id)
        links = self._links(case_id)
        merge_seats = self._merge_seats(case) if head.state == "open" else ()
        moments = self._moments(case)
        return CasePage(
            head=head,
            facts=self.facts(case),
            raw_facts=case.facts,
            steps=self._steps(case),
            timeline=self.timeline(case, [link.id for link in links if link.merged_into == case_id]),
            moments=moments,
            clocks=self.clocks(case_id),
            duties=self._duties(case),
            attachments=self.attachments(case_id),
            actions=tuple(self._action(case, wait) for wait in self._armed(case)) if head.state == "open" else (),
            papers=self.papers(case),
            diagrams=self._diagrams(case),
            links=links,
            can_withdraw=self._can_withdraw(case, head),
            can_note=True,
            can_merge=bool(merge_seats),
            seats=self._seeing_seats(case),
            merge_seats=merge_seats,
            referrals=self.referrals(case_id),
            hops=hops.of_case(self._connection, case, self._organisation, self._viewer.at),
            stopped=stopped.of_case(self._connection, case_id),
            linked=linked_list.shown(self._connection, self._viewer, case_id),
            by_link=any(node.by_link for node in case.definition.net.nodes),
        )

    def facts(self, case: OpenCase) -> tuple[FactShown, ...]:
        """Facts that a form declares or a table derives, in the order the forms ask for them."""
        labels: dict[str, FieldSpec] = {}
        for node in case.definition.net.nodes:
            for spec in node.form:
                labels.setdefault(spec.id, spec)
        shown = [
            FactShown(name, spec.label, forms.words(spec, case.facts[name], self.units))
            for name, spec in labels.items()
            if case.facts.get(name) not in (None, "", []) and not isinstance(case.facts.get(name), dict)
        ]
        return tuple(shown)

    def _steps(self, case: OpenCase) -> tuple[StepShown, ...]:
        rows = self._connection.execute(
            sa.select(task).where(task.c.case_id == case.id, task.c.state == "open").order_by(task.c.due_at, task.c.id)
        ).mappings().all()  # fmt: skip
        behind = self._holders({row["seat"] for row in rows})
        names = people.names(self._connection, [row["claimed_by"] for row in rows])
        there = {(holder.seat, holder.person) for holder in behind}
        return tuple(
            StepShown(
                task_id=row["id"],
                node=row["node"],
                step=row["name"],
                seat_name=self._organisation.seat_name(row["seat"]),
                holders=tuple(holder.name for holder in behind if holder.seat == row["seat"] and holder.kind != "substitute"),
                opened_at=row["opened_at"],
                due_at=None if row["due_at"] == FAR_FUTURE else row["due_at"],
                statutory=bool(row["statutory"]),
                overdue=row["due_at"] <= self._viewer.at,
                claimed_by_name=names.get(row["claimed_by"]) if (row["seat"], row["claimed_by"]) in there else None,
                mine=row["id"] not in self._viewer.barred and bool(access.standings(self._viewer, row)),
            )
            for row in rows
        )

    def timeline(self, case: OpenCase, merged: Sequence[int] = (), newest: int | None = None) -> tuple[Event, ...]:
        """History in words, oldest first; the rows of cases merged into this one stand among them.

        Args:
            newest: only so many of the newest rows; a step's page stays fast however often the case was sent back.
        """
        query = sa.select(history).where(history.c.case_id.in_([case.id, *merged]))
        query = query.order_by(history.c.at.desc(), history.c.id.desc()).limit(newest)
        rows = self._connection.execute(query).mappings().all()[::-1]
        told = [json.loads(row["data"]) for row in rows]
        others = {told.get("acting", {}).get("for") for told in told} | {told.get("person") for told in told}
        names = people.names(self._connection, {row["person"] for row in rows} | {str(one) for one in others if one})
        specs = {spec.id: spec for node in case.definition.net.nodes for spec in node.form}
        return tuple(self._event(row, names, specs, case) for row in rows)

    def _event(self, row: Row, names: Mapping[str, str], specs: Mapping[str, FieldSpec], case: OpenCase) -> Event:
        data = json.loads(row["data"])
        changed = [] if row["tag"] == "case.started" else [
            FactChange(spec.label, forms.words(spec, old, self.units), forms.words(spec, new, self.units))
            for name, (old, new) in data.get("facts", {}).items()
            if (spec := specs.get(name)) is not None
        ]  # fmt: skip
        citations = [
            clause.citation
            for part in (row["clause"] or "").split(",")
            if (clause := self._organisation.clause(part.strip(), civil_day(row["at"]))) is not None
        ]
        return Event(
            at=row["at"],
            tag=row["tag"],
            text=wording.event_text(row["tag"], {**data, "person_name": names.get(str(data.get("person")), "")}),
            person_name=names.get(row["person"], row["person"]),
            seat_name=self._organisation.seat_name(row["seat"]) if row["seat"] else "",
            clause="、".join(citations),
            note=data.get("reason") or data.get("note") or "",
            changes=tuple(changed),
            refused=row["tag"] == "attempt.refused",
            case_id=None if row["case_id"] == case.id else row["case_id"],
            acting=wording.acting_text(data, names),
        )

    def _moments(self, case: OpenCase) -> tuple[tuple[str, datetime | None], ...]:
        """発生, 発覚, 把握, 報告 from the facts, then the first completion of each step that marks a moment (property `moment`)."""
        found = [
            (label, instant(case.facts.get(name)))
            for name, label in (("occurred_at", "発生"), ("known_at", "把握"), ("reported_at", "報告"))
        ]
        marked: dict[str, list[str]] = {}
        for node in case.definition.net.nodes:
            if node.properties.get("moment"):
                marked.setdefault(node.properties["moment"], []).append(node.id)
        for label, nodes in marked.items():
            query = sa.select(sa.func.min(task.c.closed_at)).where(
                task.c.case_id == case.id, task.c.node.in_(nodes), task.c.state == "done"
            )
            found.append((label, self._connection.scalar(query)))
        return tuple(found)

    def clocks(self, case_id: int) -> tuple[ClockShown, ...]:
        """The statutory clocks, with the day they are on today, or were on when met or stopped (the day of knowledge is day 1)."""
        rows = self._connection.execute(
            sa.select(statutory_clock).where(statutory_clock.c.case_id == case_id).order_by(statutory_clock.c.id)
        ).mappings()
        today, now = civil_day(self._viewer.at), self._viewer.at
        shown = []
        for row in rows:
            if row["stopped_at"] is not None:
                state = "stopped"
            elif row["met_at"] is not None:
                state = "met" if row["met_at"] < row["due_at"] else "late"
            else:
                state = "overdue" if row["due_at"] <= now else "running"
            ended = row["stopped_at"] or row["met_at"]
            last = civil_day(ended) if ended is not None else today
            shown.append(
                ClockShown(
                    row["clock"], row["name"], row["basis"], row["started_on"], (last - row["started_on"]).days + 1,
                    row["days"], row["due_on"], row["due_at"], state, row["met_at"],
                )
            )  # fmt: skip
        return tuple(shown)

    def _duties(self, case: OpenCase) -> tuple[DutyShown, ...]:
        """逐条: each duty of the procedure, whether the facts open it, and what record it has."""
        move = self._move(case)
        done = obligations.records(self._connection, case.id)
        names = people.names(self._connection, {by for _, by in done.values()})
        shown = []
        for duty in self._organisation.rules.duties_of(case.row["process_id"], civil_day(self._viewer.at)):
            record = next((done[clause] for clause in duty.recorded_by if clause in done), None)
            applies = obligations.state(move, duty)
            # A submission cites every law it may serve; it fulfils those that apply.
            state = "done" if record and applies != "not_applicable" else applies
            clause = self._organisation.clauses.get(duty.clause)
            by = names.get(record[1], "") if record else ""
            shown.append(
                DutyShown(duty.clause, clause.citation if clause else duty.clause, duty.name, state, record[0] if record else None, by)
            )
        return tuple(shown)

    def attachments(self, case_id: int) -> tuple[AttachmentShown, ...]:
        """What is attached to a case (the caller has checked that it is visible)."""
        columns = [column for column in attachment.c if column.name != "content"]
        rows = (
            self._connection.execute(sa.select(*columns).where(attachment.c.case_id == case_id).order_by(attachment.c.id)).mappings().all()
        )
        names = people.names(self._connection, {row["added_by"] for row in rows})
        return tuple(
            AttachmentShown(
                row["id"], row["name"], row["media_type"], row["size"], row["sha256"], names.get(row["added_by"], ""), row["added_at"]
            )
            for row in rows
        )

    def attachment(self, attachment_id: int) -> tuple[AttachmentShown, bytes]:
        """One attachment of a visible case with its bytes; raises NotFound."""
        row = self._connection.execute(
            sa.select(attachment).join(case_file, case_file.c.id == attachment.c.case_id).where(attachment.c.id == attachment_id, cases_of(self._viewer))
        ).mappings().first()  # fmt: skip
        if row is None:
            raise AttachmentNotFound(attachment=attachment_id)
        name = people.names(self._connection, [row["added_by"]]).get(row["added_by"], "")
        return AttachmentShown(row["id"], row["name"], row["media_type"], row["size"], row["sha256"], name, row["added_at"]), row["content"]

    def papers(self, case: OpenCase, node: Node | None = None, local: Mapping[str, Any] | None = None) -> tuple[PaperOffered, ...]:
        """The papers that can be made from the case now; see `PaperDesk.offered`."""
        return self._desk(case).offered(self.clocks(case.id), node, local)

    def paper(self, case_id: int, paper_id: str, index: int | None) -> Paper:
        """A paper made from a visible case now; raises NotFound."""
        case, head = self.load(case_id)
        return self._desk(case).made(paper_id, index, head, self.clocks(case_id), lambda: self.timeline(case))

    def _desk(self, case: OpenCase) -> PaperDesk:
        return PaperDesk(self._connection, case, self._organisation, self._definition, self._viewer.at)

    def _diagrams(self, case: OpenCase) -> tuple[tuple[str, str], ...]:
        """The main diagram and every diagram it calls, by the call's path."""
        return (("", case.definition.name), *((node.id, node.name) for node in case.definition.net.nodes if node.called))

    def _links(self, case_id: int) -> tuple[CaseHead, ...]:
        merged = case_link.c.kind != linked.KIND
        ids = self._connection.scalars(
            sa.select(case_link.c.other_id)
            .where(case_link.c.case_id == case_id, merged)
            .union(sa.select(case_link.c.case_id).where(case_link.c.other_id == case_id, merged))
        ).all()
        if not ids:
            return ()
        source, columns = head_columns(self._viewer.at)
        # A case merged into a visible one is part of its record: who sees the one sees the other's line.
        rows = self._connection.execute(
            sa.select(*columns).select_from(source).where(case_file.c.id.in_(ids), sa.or_(cases_of(self._viewer), case_file.c.merged_into == case_id))
        ).mappings()  # fmt: skip
        steps = open_steps(self._connection, list(ids))
        return tuple(
            head_shown(row, steps.get(row["id"], []), self._organisation, self._definition(row["definition"]), self._viewer.at)
            for row in rows
        )

    def _can_withdraw(self, case: OpenCase, head: CaseHead) -> bool:
        rule = case.definition.net.properties.get("withdraw", "never")
        own = head.reporter == self._viewer.person
        if head.state != "open" or not access.may_withdraw(rule, own=own, others_acted=False):
            return False
        acted = others_acted(self._connection, case.id, self._viewer.person)
        return access.may_withdraw(rule, own=own, others_acted=acted)

    def _merge_seats(self, case: OpenCase) -> tuple[SeatHeld, ...]:
        return next((self._seats_among(case, wait) for wait in armed(case.waits(), "merged")), ())

    def _seats_among(self, case: OpenCase, wait: Wait) -> tuple[SeatHeld, ...]:
        """The viewer's seats that an action is open to."""
        move = self._move(case)
        allowed = {move.seat_or_none(group) for group in wait.node.candidate_groups}
        allowed |= {heir for seat, heir in self._instead(case).items() if seat in allowed}
        usable = access.usable(self._viewer, case.row["process_id"])
        return tuple(held for held in usable if held.seat in allowed) if case.id not in self._viewer.barred_cases else ()

    def _instead(self, case: OpenCase) -> dict[str, str]:
        """Seats whose actions the rung above does, as the case names everybody behind them; asked once a page."""
        if self._instead_of.get(case.id) is None:
            self._instead_of[case.id] = bars.instead_of(self._connection, case, civil_day(self._viewer.at))
        return self._instead_of[case.id]

    def _seeing_seats(self, case: OpenCase) -> tuple[SeatHeld, ...]:
        """The viewer's seats that see the case."""
        usable = [held for held in access.usable(self._viewer, case.row["process_id"]) if held.kind != "person"]
        if len(usable) < 2:
            return ()  # nothing to choose: the engine takes the only one
        query = sa.select(case_seat.c.seat).where(case_seat.c.case_id == case.id, case_seat.c.seat.in_([held.seat for held in usable]))
        seeing = set(self._connection.scalars(query))
        return tuple(held for held in usable if held.seat in seeing)

    # ---------------------------------------------------------------- actions

    def _armed(self, case: OpenCase) -> list[Wait]:
        move = self._move(case)
        if case.id in self._viewer.barred_cases:
            return []
        keys = {held.seat for held in access.usable(self._viewer, case.row["process_id"])}
        keys |= {seat for seat, heir in self._instead(case).items() if heir in keys}
        found = [wait for wait in case.waits() if wait.kind == "message" and move.may_send(wait, keys)]
        return list({wait.node.event.name: wait for wait in reversed(found) if wait.node.event is not None}.values())[::-1]

    def _action(
        self, case: OpenCase, wait: Wait, answers: Mapping[str, Any] | None = None, errors: Mapping[str, str] | None = None
    ) -> ActionOffered:
        node = wait.node
        assert node.event is not None
        values = {**case.facts, **(answers or {})}
        return ActionOffered(
            name=node.event.name,
            label=node.properties.get("button") or node.name,
            node=node.id,
            fields=self._fields(node, values, errors),
            ends_case=ends_case(case.definition.net, node),
            clause="、".join(clause.citation for clause in self.clauses(node)),
            documentation=node.documentation,
            acting_seats=self._seats_among(case, wait),
        )

    def action(self, case_id: int, name: str, answers: Mapping[str, Any] | None, errors: Mapping[str, str] | None) -> ActionOffered:
        """One action of a case with its form; raises NotFound when it is not offered to the viewer."""
        case, _ = self.load(case_id)
        wait = next(iter(armed(self._armed(case), name)), None)
        if wait is None:
            raise NotFound(case=case_id, action=name)
        return self._action(case, wait, answers, errors)

    # ---------------------------------------------------------------- the task page

    def task(self, task_id: int, answers: Mapping[str, Any] | None, errors: Mapping[str, str] | None) -> TaskPage:
        """The page of one task; a task of a visible case can be looked at by who cannot act."""
        source, columns = task_source(self._viewer)
        row = self._connection.execute(
            sa.select(*columns).select_from(source).where(task.c.id == task_id, cases_of(self._viewer))
        ).mappings().first()  # fmt: skip
        if row is None:
            raise TaskNotFound(task=task_id)
        case, head = self.load(row["case_id"])
        definition = case.definition
        lapsed = claims.lapsed(self._connection, self._organisation, [row], self._viewer.at)
        shown = row_shown(row, self._organisation, definition, self._viewer, lapsed=bool(lapsed))
        wait = (
            next((one for one in case.waits() if one.kind == "task" and one.key == row["wait"]), None) if row["state"] == "open" else None
        )
        acting = access.standings(self._viewer, row) if task_id not in self._viewer.barred else ()
        node = self._node(case, row)
        saved, draft_at = self.draft(f"task:{task_id}")
        local = dict(wait.local) if wait else {}
        typed = answers if answers is not None else saved or {}
        known = self._prefill(case, node, local)
        move = self._move(case)
        fields = self._fields(node, {**known, **typed}, errors)
        buttons = self._buttons(case, wait, node, typed) if wait and acting else ()
        page = TaskPage(
            row=shown,
            case=head,
            case_version=head.version,
            documentation=node.documentation,
            clauses=self.clauses(node),
            fields=fields,
            buttons=buttons,
            send_back_targets=tuple((target.element, target.name) for target in send_back_targets(definition.net, node))
            if wait and acting
            else (),
            sent_back_reason=row["sent_back_reason"] or "",
            why=self._why(acting, shown.seat_name),
            acting_seats=acting if wait else (),
            facts=self.facts(case),
            clocks=self.clocks(case.id),
            attachments=self.attachments(case.id),
            papers=self.papers(case, node, local),
            timeline=self.timeline(case, newest=RECENT),
            draft_saved_at=draft_at if answers is None else None,
            state=row["state"],
            closed_text=self._closed_text(row),
            extra={
                "facts": self._mentioned(node, case.facts),
                "local": {name: value for name, value in local.items() if name != "loop_index"},
                "index": local.get("loop_index"),
                "suggestion": suggestion(move, node),
            },
            following=self._following(case, row["seat"], node, buttons, typed, errors),
            late=row["state"] == "open" and hops.is_hop(node) and self._past_target(node, row["opened_at"]),
            snoozed_until=self._snoozed(task_id),
            can_pull_up=row["state"] == "open" and "passed_over" in node.properties and self._is_above(case, row["seat"]),
            referrals=self.referrals(case.id),
            by_link=node.by_link,
        )
        return page

    def why(self, task_id: int) -> Why:
        """Why a task is somebody's and why not the viewer's; raises TaskNotFound."""
        row = self._connection.execute(
            sa.select(task).join(case_file, case_file.c.id == task.c.case_id).where(task.c.id == task_id, cases_of(self._viewer))
        ).mappings().first()  # fmt: skip
        if row is None:
            raise TaskNotFound(task=task_id)
        case, _ = self.load(row["case_id"])
        return lookup.explain(self._connection, self._viewer, case, row, self._node(case, row))

    def _node(self, case: OpenCase, row: Row) -> Node:
        """The element of a task; of one that was over when its case was moved to another version, perhaps that of an earlier one."""
        node = case.definition.net.by_id.get(row["node"])
        if node is not None:
            return node
        earlier = sa.select(history.c.definition).where(history.c.case_id == case.id, history.c.definition.is_not(None)).distinct()
        nets = (self._definition(one).net for one in self._connection.scalars(earlier.order_by(history.c.definition.desc())).all())
        return next(net.by_id[row["node"]] for net in nets if row["node"] in net.by_id)

    def referrals(self, case_id: int) -> tuple[ReferralShown, ...]:
        """What has been laid before whom in a case (the caller has checked that it is visible)."""
        return referral_list.shown(self._connection, self._viewer, self._organisation, self._definition, referral.c.case_id == case_id)

    def _past_target(self, node: Node, since: datetime) -> bool:
        target = hops.target_of(node, since, self._organisation.rules)
        return target is not None and self._viewer.at > target

    def _snoozed(self, task_id: int) -> datetime | None:
        """Until when the viewer has put a step off."""
        query = sa.select(snooze.c.until).where(snooze.c.task_id == task_id, snooze.c.person == self._viewer.person)
        until = self._connection.scalar(query)
        return until if until is not None and until > self._viewer.at else None

    def _is_above(self, case: OpenCase, seat: str) -> bool:
        """Whether one of the viewer's seats is a rung above a seat."""
        return access.above(self._viewer, case.id, seat, self._organisation) is not None

    def _following(
        self,
        case: OpenCase,
        seat: str,
        node: Node,
        buttons: Sequence[Button],
        typed: Mapping[str, Any],
        errors: Mapping[str, str] | None,
    ) -> tuple[FollowUp, ...]:
        """The steps that a button would open for the viewer himself, by another seat of his: shown as one task, recorded as two.

        What was typed there, and what is wrong with it, is under `node id.field id`. What the step at hand asks is not asked twice.
        """
        mine = {held.seat: held.name for held in self._viewer.own_seats if held.seat != seat}
        opened = {one.node: one for button in buttons for one in button.consequences if one.seat in mine}
        asked = {spec.id for spec in node.form if spec.properties.get("as_buttons") != "true"}
        found = []
        for node_id, one in opened.items():
            after = case.definition.net.by_id[node_id]
            apart = {*after.listed("not_same_person_as"), *node.listed("not_same_person_as")}
            if after.multi is not None or node_id == node.id or apart & {after.element, node.element}:
                continue
            if lookup.not_again(self._connection, self._viewer, case, after):
                continue
            own = len(node_id) + 1
            said = {key[own:]: value for key, value in typed.items() if key.startswith(f"{node_id}.")}
            wrong = {key[own:]: text for key, text in (errors or {}).items() if key.startswith(f"{node_id}.")}
            fields = self._fields(after, {**self._prefill(case, after, {}), **said}, wrong)
            fields = tuple(item for item in fields if item.id not in asked or item.as_buttons)
            found.append(FollowUp(node_id, one.step, one.seat, mine[one.seat], after.documentation, self.clauses(after), fields))
        return tuple(found)

    def _mentioned(self, node: Node, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The facts that the form's own conditions read, for the page's script; no others leave the server."""
        texts = [text for spec in node.form for text in (spec.properties.get("shown_when"), spec.constraints.get("required_when")) if text]
        names = {name for text in texts for name in compile_expression(text).names}
        return {name: facts.get(name) for name in sorted(names)}

    def mark_read(self, task_id: int) -> bool:
        """Whether the viewer, being one of those it is for, sees an open task for the first time."""
        found = self._connection.scalar(
            sa.select(task.c.id)
            .outerjoin(task_read, sa.and_(task_read.c.task_id == task.c.id, task_read.c.person == self._viewer.person))
            .where(task.c.id == task_id, tasks_of(self._viewer), task_read.c.person.is_(None))
        )
        return found is not None

    def _prefill(self, case: OpenCase, node: Node, local: Mapping[str, Any]) -> dict[str, Any]:
        index = local.get("loop_index")
        if isinstance(index, int):
            rows = case.facts.get(node.element) or []
            return dict(rows[index] or {}) if index < len(rows) else {}
        fresh = {spec.id for spec in node.form if spec.properties.get("as_buttons") == "true"}
        return {name: value for name, value in case.facts.items() if name not in fresh}

    def _fields(self, node: Node, values: Mapping[str, Any], errors: Mapping[str, str] | None) -> tuple[FieldShown, ...]:
        return forms.show(node.form, values, units=self.units_to_choose, errors=errors)

    def _buttons(self, case: OpenCase, wait: Wait, node: Node, typed: Mapping[str, Any]) -> tuple[Button, ...]:
        answers = forms.guess(node.form, typed, now=self._viewer.at, units=self.units_to_choose)
        choice = next((spec for spec in node.form if spec.properties.get("as_buttons") == "true"), None)
        if choice is None:
            label = node.properties.get("button") or "完了する"
            return (Button(label, "", "", self._foresee(case, wait, answers)),)
        options = [(option.value, option.label) for option in choice.choices] or [("true", "はい"), ("false", "いいえ")]
        return tuple(
            Button(
                label,
                choice.id,
                value,
                self._foresee(case, wait, {**answers, choice.id: value == "true" if choice.type == "boolean" else value}),
            )
            for value, label in options
        )

    def _foresee(self, case: OpenCase, wait: Wait, answers: Mapping[str, Any]) -> tuple[Consequence, ...]:
        return foresight.consequences(
            case, self._viewer.at, wait, answers, self._holders, partial(linked_list.procedure_name, self._connection, self._viewer)
        )

    def preview(self, task_id: int, answers: Mapping[str, Any]) -> tuple[Consequence, ...]:
        """What completing a task with these answers would open; nothing is stored."""
        row = self._connection.execute(sa.select(task).where(task.c.id == task_id, tasks_of(self._viewer))).mappings().first()
        if row is None:
            raise TaskNotFound(task=task_id)
        case, _ = self.load(row["case_id"])
        wait = next((one for one in case.waits() if one.kind == "task" and one.key == row["wait"]), None)
        if wait is None:
            return ()
        return self._foresee(case, wait, forms.guess(wait.node.form, answers, now=self._viewer.at, units=self.units_to_choose))

    def clauses(self, node: Node) -> tuple[ClauseShown, ...]:
        """The clauses a step is done under, in plain words."""
        found = []
        for part in node.listed("clause"):
            clause = self._organisation.clause(part, civil_day(self._viewer.at))
            if clause is not None:
                found.append(
                    ClauseShown(clause.clause_id, clause.citation, clause.plain, "" if clause.urgency in NO_WORD else clause.urgency)
                )
        return tuple(found)

    def _why(self, acting: tuple[SeatHeld, ...], seat_name: str) -> str:
        if not acting:
            return f"この処理の担当は「{seat_name}」です。あなたは案件を閲覧できますが、処理はできません。"
        return (
            f"{wording.standing_text(acting[0])}この処理はその役に届いています。"
            if acting[0].kind != "person"
            else "あなた本人に宛てられた処理です。"
        )

    def _closed_text(self, row: Row) -> str:
        if row["state"] == "open":
            return ""
        if row["state"] == "cancelled":
            return f"この処理は {japanese(row['closed_at'])} に不要となり、取り消されました。"
        who = people.names(self._connection, [row["closed_by"]]).get(row["closed_by"], "")
        verb = "完了しました" if row["state"] == "done" else "差し戻しました"
        return f"この処理は {japanese(row['closed_at'])} に {who} が{verb}。"

    # ---------------------------------------------------------------- drafts and starting

    def draft(self, about: str) -> tuple[dict[str, Any] | None, datetime | None]:
        """What the viewer typed and has not sent yet."""
        row = self._connection.execute(
            sa.select(draft.c.answers, draft.c.saved_at).where(draft.c.person == self._viewer.person, draft.c.about == about)
        ).first()
        return (json.loads(row.answers), row.saved_at) if row else (None, None)

    def start_form(self, definition_id: int, answers: Mapping[str, Any] | None, errors: Mapping[str, str] | None) -> StartForm:
        """The form that starts a case, with the viewer's draft."""
        definition = self._definition(definition_id)
        node = definition.net.start
        saved, saved_at = self.draft(f"start:{definition.process_id}")
        seats = tuple(held for held in self._viewer.seats if held.kind != "decision" and held.process in ("", definition.process_id))
        own = next((held.seat.partition("@")[2] for held in seats), "")
        seat = self._organisation.resolve(self._organisation.owner_role, own, civil_day(self._viewer.at)) if own else None
        values: dict[str, Any] = {"known_at": self._viewer.at.isoformat(timespec="minutes")}
        if seat:
            values["owning_unit"] = own if own in self.units_to_choose else seat.partition("@")[2]
        values |= answers if answers is not None else saved or {}
        fields = self._fields(node, values, errors)
        text = node.documentation or definition.net.documentation
        return StartForm(
            definition.process_id,
            definition.name,
            text,
            fields,
            seats,
            saved_at if answers is None else None,
            self.clauses(node),
            node.by_link,
            node.properties.get("button") or "報告する",
        )

    # ---------------------------------------------------------------- the diagram

    def diagram(self, case_id: int, path: str) -> str:
        """The BPMN XML of the main diagram (path "") or of a called one (path = the call's id)."""
        case, _ = self.load(case_id)
        return case.definition.files[self._diagram_file(case.definition.net, path)].decode()

    def _diagram_file(self, net: Net, path: str) -> str:
        if not path:
            return net.start.source
        prefix = path + "/"
        node = next((node for node in net.nodes if node.id.startswith(prefix) and "/" not in node.id.removeprefix(prefix)), None)
        if node is None:
            raise ProcessNotFound(process=path)
        return node.source

    def diagram_state(self, case_id: int, path: str) -> dict[str, dict[str, Any]]:
        """element id -> what the case did there: done, current or overdue, in words, with the path of a called diagram."""
        case, _ = self.load(case_id)
        net = case.definition.net
        self._diagram_file(net, path)
        prefix = f"{path}/" if path else ""
        rows = self._connection.execute(sa.select(task.c.node, task.c.state, task.c.due_at).where(task.c.case_id == case_id)).all()
        seen: dict[str, list[str]] = {}
        for row in rows:
            state = "overdue" if row.state == "open" and row.due_at <= self._viewer.at else "current" if row.state == "open" else row.state
            if row.node.startswith(prefix):
                seen.setdefault(row.node.removeprefix(prefix).split("/")[0], []).append(state)
        for wait in case.waits():
            own_event = wait.node.id.startswith(prefix) and wait.kind in ("timer", "conditional") and wait.node.kind is Kind.CATCH
            if own_event:
                seen.setdefault(wait.node.id.removeprefix(prefix).split("/")[0], []).append("current")
            elif wait.kind == "service" and wait.node.id.startswith(prefix):
                seen.setdefault(wait.node.id.removeprefix(prefix).split("/")[0], []).append("stopped")
        result: dict[str, dict[str, Any]] = {}
        for element, states in seen.items():
            open_states = [state for state in states if state in ("overdue", "current", "stopped")]
            state = (
                "overdue"
                if "overdue" in states
                else "current"
                if open_states
                else "done"
                if "done" in states or "sent_back" in states
                else ""
            )
            if not state:
                continue
            label = "停止" if "stopped" in states and state == "current" else {"overdue": "超過", "current": "処理中", "done": "済"}[state]
            result[element] = {"state": state, "label": label, "count": len(open_states) or len(states), "calls": None}
        for node in net.nodes:
            if node.called and node.id.startswith(prefix) and "/" not in node.id.removeprefix(prefix):
                entry = result.setdefault(node.element, {"state": "", "label": "", "count": 0, "calls": None})
                entry["calls"] = node.id
        return result


class _Labels(dict[str, str]):
    """Names of units, and of people once they are asked for."""

    def __init__(self, connection: sa.Connection, units: Mapping[str, str]) -> None:
        super().__init__(units)
        self._connection = connection

    def get(self, key: str, default: Any = None) -> Any:
        """The name, or the default."""
        if key.startswith(PERSON) and key not in self:
            who = key.removeprefix(PERSON)
            self[key] = people.names(self._connection, [who]).get(who, who)
        return super().get(key, default)


def suggestion(move: Move, node: Node) -> str:
    """A suggestion the diagram asks to show beside the form (property `suggestion`, an expression); the human decides."""
    expression = node.properties.get("suggestion")
    value = move.evaluate(expression) if expression else None
    return "、".join(str(item) for item in value) if isinstance(value, (list, tuple)) else str(value or "")


def instant(value: Any) -> datetime | None:
    """An instant as facts keep it."""
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None

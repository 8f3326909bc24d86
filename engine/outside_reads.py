"""What an outside party sees of its own thread: the number, the state in plain words, the forms it sent, what is left to it. Nothing else.

Facts reach a party in two ways only: as it sent them, read from the record of its own forms; and through fields that a form for it declares
`readonly`, by which the diagram itself says what it is to be told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property, partial
from typing import Any

import sqlalchemy as sa

from engine import forms, links, people
from engine.clock import JST, civil_day
from engine.definitions import Definition, Definitions
from engine.errors import AttachmentNotFound, LinkNotUsable, NotFound, ProcessNotFound, StepOver, TaskNotFound
from engine.expressions import compile_expression
from engine.model import Row, attachment, case_file, task
from engine.model import history as history_table
from engine.moves import Move
from engine.net import FieldSpec, Node
from engine.organisation import Organisation
from engine.outside_views import OutsideButton, OutsideForm, OutsideStep, OutsideThread, SentForm
from engine.outside_work import SENT
from engine.paper_desk import PaperDesk
from engine.papers import Paper
from engine.store import OpenCase
from engine.tokens import Marking
from engine.views import AttachmentShown, FieldShown, PaperOffered

WAITING = "入力をお待ちしています。下の「お願いしている入力」から進めてください。"
AT_WORK = "担当で確認しています。入力をお願いするときは、担当の職員から連絡します。"
OVER = "手続は終わりました。結果は、担当の職員からの連絡で確かめてください。"
WITHDRAWN = "手続は取り下げられました。"
TO_START = "まだ送られていません。下の欄に記入して送ってください。"


_Sending = tuple[Row, Mapping[str, Any], Node, Mapping[str, Any], bool]


class OutsideReader:
    """Reads one link's thread over one connection."""

    def __init__(self, connection: sa.Connection, definitions: Definitions, office: Organisation, row: Row, now: datetime) -> None:
        self._connection, self._definitions, self._office, self._row, self._now = connection, definitions, office, row, now

    # ---------------------------------------------------------------- the thread

    def thread(self) -> OutsideThread:
        """The party's page."""
        case = self._case
        steps = self._steps()
        if case is None:
            state, text = "waiting", TO_START
        elif case.row["state"] == "withdrawn":
            state, text = "over", WITHDRAWN
        elif case.row["state"] == "closed":
            state, text = "over", OVER
        else:
            state, text = ("waiting", WAITING) if steps else ("open", AT_WORK)
        return OutsideThread(
            office=self._office.name,
            process=self._definition.name,
            party=self._row["party"],
            seat=self._office.seat_name(self._row["seat"]),
            expires_at=self._row["expires_at"],
            at=self._now,
            number=case.row["number"] if case is not None else "",
            state=state,
            state_text=text,
            may_start=case is None,
            steps=steps,
            sent=self.sent[::-1],
            files=self._files(),
            papers=self._papers(),
        )

    # ---------------------------------------------------------------- papers of the office's that are for the party

    def _papers(self) -> tuple[PaperOffered, ...]:
        """Those that are whole: what still lacks something has not been issued."""
        return tuple(one for one in self._desk.for_party() if self._desk.approval(one.id).complete) if self._desk is not None else ()

    def paper(self, paper_id: str) -> Paper:
        """One of them, without the notes to officials; raises NotFound for every other."""
        if self._desk is None or paper_id not in [one.id for one in self._papers()]:
            raise NotFound(paper=paper_id)
        return replace(self._desk.approval(paper_id), notes=())

    @cached_property
    def _desk(self) -> PaperDesk | None:
        if self._case is None:
            return None
        return PaperDesk(self._connection, self._case, self._office, partial(self._definitions.get, self._connection), self._now)

    def _steps(self) -> tuple[OutsideStep, ...]:
        """The open steps that are left to the party."""
        if self._case is None or self._case.row["state"] != "open":
            return ()
        mine = [node.id for node in self._definition.net.nodes if node.by_link]
        wanted = sa.select(task).where(task.c.case_id == self._case.id, task.c.state == "open", task.c.node.in_(mine))
        rows = self._connection.execute(wanted.order_by(task.c.id)).mappings()
        return tuple(OutsideStep(row["id"], row["name"], row["sent_back_reason"] or "") for row in rows)

    @cached_property
    def sent(self) -> tuple[SentForm, ...]:
        """The party's forms in the order in which they were sent, each as it was then."""
        return tuple(
            SentForm(data.get("name") or node.name, row["at"], self._as_sent(node, answers), own)
            for row, data, node, answers, own in self._sendings
        )

    @cached_property
    def _sendings(self) -> list[_Sending]:
        """(row, its data, the step, the answers, whether by the party) of each form, from the record.

        What an official entered on its behalf is only there when the link was issued so, and then as far as it changed a fact.
        """
        if self._case is None:
            return []
        sent = (history_table.c.chain == f"case:{self._case.id}", history_table.c.tag.in_(("case.started", "task.completed")))
        found: list[_Sending] = []
        for row in self._connection.execute(sa.select(history_table).where(*sent).order_by(history_table.c.seq)).mappings():
            node = self._definition.net.by_id.get(row["node"])
            if node is None or not node.by_link:
                continue
            data = json.loads(row["data"])
            if row["person"] == self._actor:
                found.append((row, data, node, data.get(SENT, {}), True))
            elif self._row["shares"] and not row["person"].startswith(people.LINK):
                found.append((row, data, node, _entered(node, data), False))
        return found

    def _as_sent(self, node: Node, answers: Mapping[str, Any]) -> tuple[FieldShown, ...]:
        specs = [spec for spec in node.form if not _told(spec) and answers.get(spec.id) not in (None, "", [])]
        fields = forms.show(specs, {spec.id: answers[spec.id] for spec in specs}, units=self._unit_names)
        return tuple(replace(item, readonly=True) for item in fields)

    def _files(self) -> tuple[AttachmentShown, ...]:
        """What the party itself has attached."""
        if self._case is None:
            return ()
        columns = [column for column in attachment.c if column.name != "content"]
        mine = sa.and_(attachment.c.case_id == self._case.id, attachment.c.added_by == self._actor)
        rows = self._connection.execute(sa.select(*columns).where(mine).order_by(attachment.c.id)).mappings()
        return tuple(_file(row, self._row["party"]) for row in rows)

    def file(self, attachment_id: int) -> tuple[AttachmentShown, bytes]:
        """One file that the party has attached itself, with its bytes; raises AttachmentNotFound for every other."""
        mine = (attachment.c.id == attachment_id, attachment.c.case_id == self._row["case_id"], attachment.c.added_by == self._actor)
        row = self._connection.execute(sa.select(attachment).where(*mine)).mappings().first()
        if row is None:
            raise AttachmentNotFound(attachment=attachment_id)
        return _file(row, self._row["party"]), row["content"]

    # ---------------------------------------------------------------- forms

    def start_form(self, typed: Mapping[str, Any] | None, errors: Mapping[str, str] | None) -> OutsideForm:
        """The form that starts the case; raises StepOver when it has been sent."""
        node = self._definition.net.start
        if self._case is not None:
            raise StepOver()
        own = self._row["seat"].partition("@")[2]
        values: dict[str, Any] = {"known_at": self._now.astimezone(JST).isoformat(timespec="minutes")}
        if own in self._units_to_choose:
            values["owning_unit"] = own
        unit = {"reporting_unit": own, "owning_unit": own}
        return self._form(node, None, self._definition.name, values, {}, unit, typed, errors, 0, "")

    def form(self, task_id: int, typed: Mapping[str, Any] | None, errors: Mapping[str, str] | None) -> OutsideForm:
        """The form of an open step; raises TaskNotFound for what is not the party's, StepOver for what is no longer open."""
        case = self._case
        row = self._connection.execute(sa.select(task).where(task.c.id == task_id)).mappings().first()
        node = self._definition.net.by_id.get(row["node"]) if row is not None else None
        if case is None or row is None or row["case_id"] != case.id or node is None or not node.by_link:
            raise TaskNotFound(task=task_id)
        wait = next((one for one in case.waits() if one.kind == "task" and one.key == row["wait"]), None)
        if row["state"] != "open" or case.row["state"] != "open" or wait is None:
            raise StepOver(task=task_id)
        known: dict[str, Any] = {}
        if not isinstance(wait.local.get("loop_index"), int):
            for *_, answers, _own in self._sendings:
                known.update(answers)
            known = {spec.id: known[spec.id] for spec in node.form if spec.id in known and spec.properties.get("as_buttons") != "true"}
        facts = {**case.facts, **wait.local}
        told = {spec.id: facts.get(spec.id) for spec in node.form if _told(spec)}
        return self._form(node, task_id, row["name"], known, told, facts, typed, errors, case.row["version"], row["sent_back_reason"] or "")

    def _form(
        self,
        node: Node,
        task_id: int | None,
        name: str,
        known: Mapping[str, Any],
        told: Mapping[str, Any],
        facts: Mapping[str, Any],
        typed: Mapping[str, Any] | None,
        errors: Mapping[str, str] | None,
        version: int,
        returned: str,
    ) -> OutsideForm:
        """A form with what the party knows of it: what it sent before and what it is told; `facts` only decide what is asked."""
        values = {**known, **(typed or {}), **told}
        fields, read = self._asked(node, forms.show(node.form, values, units=self._units_to_choose, errors=errors), values, facts)
        rules = self._office.rules.attachments
        return OutsideForm(
            task_id=task_id,
            name=name,
            documentation=node.documentation,
            fields=tuple(item for item in fields if not item.as_buttons and not (item.readonly and item.value in (None, "", []))),
            buttons=_buttons(node),
            returned=returned,
            facts={one: {**known, **told}.get(one) for one in sorted(read)},
            version=version,
            kinds=tuple(sorted(rules.types)),
            largest=rules.maximum_bytes,
        )

    def _asked(
        self, node: Node, fields: Sequence[FieldShown], values: Mapping[str, Any], facts: Mapping[str, Any]
    ) -> tuple[list[FieldShown], set[str]]:
        """The fields to be shown, and the names their conditions read in the page.

        A condition over facts that the party does not know is decided here: neither it nor the facts leave the server.
        """
        mine = {spec.id for spec in node.form}
        typed = forms.guess(node.form, values, now=self._now, units=self._units_to_choose)
        move = Move(self._definition, self._office, {**facts, **typed}, self._now)
        asked, read = [], set[str]()
        for item in fields:
            for text in filter(None, (item.shown_when, item.required_when)):
                names = compile_expression(text).names
                if names <= mine:
                    read |= names
                    continue
                holds = move.evaluate(text) is True
                if text == item.shown_when:
                    item = replace(item, shown_when="")
                    if not holds:
                        break
                else:
                    item = replace(item, required_when="", required=item.required or holds)
            else:
                asked.append(item)
        return asked, read

    # ---------------------------------------------------------------- loading

    @property
    def process_name(self) -> str:
        """What the procedure is called."""
        return self._definition.name

    @property
    def _actor(self) -> str:
        return links.actor_of(self._row)

    @cached_property
    def _definition(self) -> Definition:
        if self._case is not None:
            return self._case.definition
        try:
            found = self._definitions.in_force(self._connection, self._office.id, self._row["process_id"], self._now)
        except ProcessNotFound:
            raise LinkNotUsable() from None
        if not found.net.start.by_link:  # the version in force now leaves it to officials
            raise LinkNotUsable()
        return found

    @cached_property
    def _case(self) -> OpenCase | None:
        if self._row["case_id"] is None:
            return None
        row = self._connection.execute(sa.select(case_file).where(case_file.c.id == self._row["case_id"])).mappings().one()
        definition = self._definitions.get(self._connection, row["definition"])
        return OpenCase(dict(row), definition, self._office, Marking.load(row["marking"]), json.loads(row["facts"]))

    @cached_property
    def _units_to_choose(self) -> dict[str, str]:
        return {unit.id: unit.name for unit in self._office.owners(civil_day(self._now))}

    @cached_property
    def _unit_names(self) -> dict[str, str]:
        return {unit.id: unit.name for unit in self._office.units.values()}


def _told(spec: FieldSpec) -> bool:
    """Whether a field only tells the party something."""
    return spec.properties.get("readonly") == "true"


def _entered(node: Node, data: Mapping[str, Any]) -> dict[str, Any]:
    """What an official entered in a form of the party, as far as it changed a fact."""
    new = {name: value for name, (_, value) in data.get("facts", {}).items()}
    index = data.get("index")
    if isinstance(index, int):
        return (new.get(node.element) or [])[index] or {} if new.get(node.element) else {}
    return {spec.id: new[spec.id] for spec in node.form if spec.id in new}


def _buttons(node: Node) -> tuple[OutsideButton, ...]:
    choice = next((spec for spec in node.form if spec.properties.get("as_buttons") == "true"), None)
    if choice is None:
        return (OutsideButton(node.properties.get("button") or "送信する"),)
    options = [(option.value, option.label) for option in choice.choices] or [("true", "はい"), ("false", "いいえ")]
    return tuple(OutsideButton(label, choice.id, value) for value, label in options)


def _file(row: Row, party: str) -> AttachmentShown:
    return AttachmentShown(row["id"], row["name"], row["media_type"], row["size"], row["sha256"], party, row["added_at"])

"""The papers of one case: which can be made from it now, and one of them made. The caller has checked that the case is visible."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from engine import approval_paper, decision_paper, decision_record, paper_templates, papers
from engine.clock import civil_day
from engine.decision_record import Decision, Names
from engine.definitions import Definition
from engine.errors import NotFound
from engine.model import definition, task
from engine.moves import Move
from engine.net import FieldSpec, Net, Node
from engine.organisation import Organisation
from engine.paper_parts import DECISION, Template
from engine.store import OpenCase
from engine.views import CaseHead, ClockShown, Event, PaperOffered


class PaperDesk:
    """Papers of one case at one instant."""

    def __init__(
        self,
        connection: sa.Connection,
        case: OpenCase,
        organisation: Organisation,
        definitions: Callable[[int], Definition],
        at: datetime,
    ) -> None:
        self._connection, self._case, self._organisation, self._definitions, self._at = connection, case, organisation, definitions, at
        self._templates = paper_templates.office_templates(organisation.folder)

    # ---------------------------------------------------------------- which

    def offered(self, clocks: Sequence[ClockShown], node: Node | None, local: Mapping[str, Any] | None) -> tuple[PaperOffered, ...]:
        """The papers that can be made now. On a step, the one it is about (property `paper`) comes first.

        `paper` may name whom it is made out to: `division_report:1`. The letter of a step for one of the persons is that person's.
        """
        names = dict(papers.offered(self._case.facts, clocks, self._templates)) if self._of_incidents else {}
        asked, _, number = node.properties.get("paper", "").partition(":") if node else ("", "", "")
        indexes = {asked: int(number)} if number.isdecimal() else {}
        if node and node.multi and node.multi.collection == "persons" and local:
            indexes[papers.LETTER] = local["loop_index"]
        names |= self._of_decisions()
        if asked in self._templates.papers and not self._templates.papers[asked].process:
            names = {asked: self._templates.papers[asked].name, **names}
        elif asked in names:
            names = {asked: names[asked], **names}
        return tuple(PaperOffered(id, name, indexes.get(id), id == asked, self._for_party(id)) for id, name in names.items())

    def for_party(self) -> tuple[PaperOffered, ...]:
        """Those that a party outside may read by its link."""
        found = [template for template in self._of_approval if template.for_party and self._approved(template) is not None]
        return tuple(PaperOffered(template.id, template.name, for_party=True) for template in found)

    def _for_party(self, paper_id: str) -> bool:
        template = self._templates.papers.get(paper_id)
        return template is not None and template.for_party

    def _of_decisions(self) -> dict[str, str]:
        """Paper id -> name of the decision's own paper and of those of an approval."""
        deciding = [node.id for node in self._net.nodes if node.decides]
        if not deciding:
            return {}
        query = (
            sa.select(task.c.state)
            .where(task.c.case_id == self._case.id, task.c.node.in_(deciding), task.c.state != "cancelled")
            .distinct()
        )
        states = set(self._connection.scalars(query))
        drawn = any(node.properties.get("decision") == "true" for node in self._net.nodes)
        found = {}
        if "open" in states or (not states and drawn and self._case.row["state"] == "open"):
            found[DECISION] = f"{decision_paper.TITLE}（案）"
        elif states:
            found[DECISION] = decision_paper.TITLE
        if "done" in states:
            found |= {template.id: template.name for template in self._of_approval if self._approved(template) is not None}
        return found

    @property
    def _of_incidents(self) -> bool:
        """Whether the papers of incidents can be the case's: not of an approval, however it names its summary."""
        return not any(node.properties.get("decision") == "true" for node in self._net.nodes) or "event" in self._specs

    @property
    def _of_approval(self) -> list[Template]:
        return [template for template in self._templates.papers.values() if self._case.row["process_id"] in template.process]

    # ---------------------------------------------------------------- making one

    def made(
        self, paper_id: str, index: int | None, head: CaseHead, clocks: Sequence[ClockShown], events: Callable[[], Sequence[Event]]
    ) -> papers.Paper:
        """The paper.

        Args:
            index: for `decision` which one, from 0 (None: the one to come, else the last taken); for the others see `papers.gather`.
            events: the case's course in words, for the reports that tell it.

        Raises:
            NotFound: there is no such paper of this case.
        """
        if paper_id == DECISION:
            return self._decision(index)
        template = self._templates.papers.get(paper_id)
        if template is not None and template.process:
            return self.approval(paper_id)
        return papers.gather(
            paper_id,
            self._case.facts,
            head=head,
            clocks=clocks,
            organisation=self._organisation,
            at=self._at,
            history=events(),
            index=index,
            templates=self._templates,
        )

    def _decision(self, index: int | None) -> papers.Paper:
        taken, here = self._decisions, civil_day(self._at)
        if not any(node.decides for node in self._net.nodes) or (index is not None and not 0 <= index < len(taken)):
            raise NotFound(case=self._case.id, paper=DECISION, index=index)
        waits = any(wait.kind == "task" and wait.node.decides for wait in self._case.waits())
        decision = taken[index] if index is not None else taken[-1] if taken and not waits else None
        now = Names(decision_record.names_now(self._connection, self._case, self._case.facts, None, here))
        told = decision.row.data.get("names") if decision else None
        names = Names(told) if told else now
        used = self._definitions(decision.row.definition) if decision and decision.row.definition else self._case.definition
        since = self._connection.scalar(sa.select(definition.c.in_force_from).where(definition.c.id == used.id))
        ruling = decision_paper.Ruling(
            number=self._case.row["number"],
            rows=self._rows,
            decision=decision,
            net=used.net,
            procedure=used.name,
            version=used.version,
            in_force_from=since or self._at,
            names=names,
            later=now,
            at=self._at,
            open=self._case.row["state"] == "open",
            as_then=bool(told) or decision is None,
        )
        return decision_paper.build(ruling, tuple(taken), waits)

    def approval(self, paper_id: str) -> papers.Paper:
        """The paper of an approval of the case; raises NotFound."""
        template = next((one for one in self._of_approval if one.id == paper_id), None)
        found = self._approved(template) if template is not None else None
        if template is None or found is None:
            raise NotFound(case=self._case.id, paper=paper_id)
        decision, whole = found
        told = decision.row.data.get("names")
        names = Names(told or decision_record.names_now(self._connection, self._case, self._case.facts, decision.node, civil_day(self._at)))
        return approval_paper.gather(
            template,
            rows=self._rows,
            decision=decision,
            whole=whole,
            facts=self._case.facts,
            specs=self._specs,
            names=names,
            number=self._case.row["number"],
            procedure=self._case.definition.name,
            evaluate=self._evaluate,
            say=self._templates.words["text"],
        )

    def _approved(self, template: Template) -> tuple[Decision, decision_record.Row] | None:
        return approval_paper.approval(template, self._rows, self._decisions, self._evaluate)

    # ---------------------------------------------------------------- what they are made from

    @property
    def _net(self) -> Net:
        return self._case.definition.net

    @cached_property
    def _rows(self) -> tuple[decision_record.Row, ...]:
        return decision_record.rows_of(self._connection, self._case.id)

    @cached_property
    def _decisions(self) -> tuple[Decision, ...]:
        return decision_record.decisions(self._rows, self._net)

    @property
    def _specs(self) -> Mapping[str, FieldSpec]:
        return decision_record.declared(self._net)

    def _evaluate(self, text: str, facts: Mapping[str, Any]) -> Any:
        return Move(self._case.definition, self._organisation, dict(facts), self._at).evaluate(text)

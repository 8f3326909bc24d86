"""The token game alone beside stock SpiffWorkflow; and what a case costs that was sent back thousands of times."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from lxml import etree
from SpiffWorkflow.bpmn.script_engine import PythonScriptEngine
from SpiffWorkflow.bpmn.serializer import BpmnWorkflowSerializer
from SpiffWorkflow.bpmn.workflow import BpmnWorkflow
from SpiffWorkflow.camunda.parser.CamundaParser import CamundaParser
from SpiffWorkflow.camunda.serializer import DEFAULT_CONFIG
from SpiffWorkflow.util.task import TaskState

from engine import Engine, tokens
from engine.definitions import Definition
from engine.expressions import compile_expression
from engine.extensions import BPMN
from engine.marking import Marking
from engine.model import case_file, history, notice, task
from engine.moves import Move
from tests.bench.figures import BATCH, Figure, Samples, Sizes, microseconds
from tests.bench.office import MANAGER, REPORTER, STEP, installation, start_cases

PROCESS = "isa_incident"


class _Nobody:
    """A host for diagrams that ask nothing."""

    def evaluate(self, expression: str, local: Mapping[str, Any]) -> Any:
        """Nothing is known."""
        return None

    def run(self, node: Any, local: Mapping[str, Any]) -> None:
        """Nothing is done."""


NOBODY = _Nobody()


def owner_of(definition: Definition, marking: Marking, element: str) -> int:
    """The token that waits at an element."""
    return next(wait.owner for wait in tokens.waiting(definition.net, marking) if wait.node.id == element)


# ---------------------------------------------------------------- stock SpiffWorkflow


class _Expressions(PythonScriptEngine):
    """Our expression language in SpiffWorkflow: compiled once, so it costs the peer less than its own `eval`."""

    def evaluate(self, task: Any, expression: str, external_context: Any = None) -> Any:
        """The value over the task's data."""
        return compile_expression(expression).evaluate(getattr(task, "data", {}))


def stock_workflow(files: Mapping[str, bytes]) -> tuple[Any, Any]:
    """The same diagrams in SpiffWorkflow as it comes. What it cannot run stands as an empty script: decision tables and send tasks; timers
    are a day. It drops the event sub-processes by itself, so it has less to do than the token game."""
    parser = CamundaParser()
    for name, data in files.items():
        if not name.endswith(".bpmn"):
            continue
        root = etree.fromstring(data)
        for element in list(root.iter(*(f"{{{BPMN}}}{tag}" for tag in ("businessRuleTask", "sendTask", "serviceTask")))):
            element.tag = f"{{{BPMN}}}scriptTask"
            for attribute in [key for key in element.attrib if key.startswith("{")]:
                del element.attrib[attribute]
            etree.SubElement(element, f"{{{BPMN}}}script").text = "pass"
        for element in root.iter(f"{{{BPMN}}}timeDuration"):
            element.text = '"P1D"'
        for element in root.iter(f"{{{BPMN}}}timeDate"):
            element.text = '"2099-01-01"'
        parser.add_bpmn_xml(root, name)
    return parser.get_spec(PROCESS), parser.get_subprocess_specs(PROCESS)


def stock_acts(files: Mapping[str, bytes], count: int, ours: Callable[[], object]) -> tuple[float, float, float]:
    """Median µs of our act, of run + do_engine_steps alone, and of that with restoring the workflow from JSON before and serialising it after;
    taken in turns."""
    spec, called = stock_workflow(files)
    serializer = BpmnWorkflowSerializer(BpmnWorkflowSerializer.configure(DEFAULT_CONFIG))
    workflow = BpmnWorkflow(spec, called, script_engine=_Expressions())
    workflow.do_engine_steps()
    text = serializer.serialize_json(workflow)
    beside: list[float] = []
    act, whole = Samples(), Samples()
    for _ in range(count):
        beside += microseconds(ours, times=BATCH)
        with whole.one():
            workflow = serializer.deserialize_json(text)
            workflow.script_engine = _Expressions()
            ready = next(item for item in workflow.get_tasks(state=TaskState.READY) if item.task_spec.name == STEP)
            with act.one():
                ready.run()
                workflow.do_engine_steps()
            serializer.serialize_json(workflow)
        assert any(item.task_spec.name == "contain_further" for item in workflow.get_tasks(state=TaskState.READY))
    return statistics.median(beside), act.p50 * 1e3, whole.p50 * 1e3


def token_game(sizes: Sizes) -> list[Figure]:
    """One act on the incident diagram: load the marking, complete, settle, dump."""
    with installation() as engine:
        case_id, _ = start_cases(engine, 1)[0]
        with engine.reading() as connection:
            row = connection.execute(sa.select(case_file).where(case_file.c.id == case_id)).mappings().one()
            definition = engine.definitions.get(connection, row["definition"])
        text, facts = row["marking"], json.loads(row["facts"])
        host = Move(definition, engine.organisation(row["organisation"]), facts, engine.clock.now())
        owner = owner_of(definition, Marking.load(text), STEP)

        def act() -> str:
            return tokens.complete(definition.net, Marking.load(text), owner, host).marking.dump()

        ours, alone, whole = stock_acts(definition.files, max(2, sizes.acts // 50), act)
    title = f"one act on the incident diagram ({len(definition.net.nodes)} nodes)"
    return [
        Figure("tokens", title, "µs", ours, "stock SpiffWorkflow, without load and dump", alone, "≤ 50 µs; ≤ × 0.1"),
        Figure("tokens", title, "µs", ours, "stock SpiffWorkflow, with its serialiser", whole),
    ]


# ---------------------------------------------------------------- 差戻し


def played(definition: Definition, rounds: int) -> str:
    """The marking of a case after so many rounds, waiting at the first step."""
    marking = tokens.start(definition.net, NOBODY).marking
    for _ in range(rounds):
        marking = one_round(definition, marking)
    return marking.dump()


def one_round(definition: Definition, marking: Marking) -> Marking:
    """Complete the first step, send the second back."""
    marking = tokens.complete(definition.net, marking, owner_of(definition, marking, "draft"), NOBODY).marking
    return tokens.send_back(definition.net, marking, owner_of(definition, marking, "check"), "draft", NOBODY).marking


def open_task(engine: Engine, case_id: int) -> int:
    """The case's only open task."""
    with engine.reading() as connection:
        return connection.scalars(sa.select(task.c.id).where(task.c.case_id == case_id, task.c.state == "open")).one()


def round_by_engine(engine: Engine, case_id: int) -> None:
    """The same round as two people do it."""
    first = open_task(engine, case_id)
    with engine.work(by=REPORTER) as work:
        work.complete(first, {"text": "案"})
    second = open_task(engine, case_id)
    with engine.work(by=MANAGER) as work:
        work.send_back(second, "理由", "draft")


def grown(engine: Engine, rounds: int) -> int:
    """A case after so many rounds: three are played, and the rows of the last are there again for each of the others."""
    with engine.work(by=REPORTER) as work:
        case_id = work.start("rounds", {})
    before: dict[str, int] = {}
    for _ in range(3):
        with engine.reading() as connection:
            before = {table.name: connection.scalar(sa.select(sa.func.max(table.c.id))) or 0 for table in (history, task, notice)}
        round_by_engine(engine, case_id)
    again = range(1, rounds - 2)
    with engine.writing() as connection:
        for table in (history, task, notice):
            last = connection.execute(sa.select(table).where(table.c.case_id == case_id, table.c.id > before[table.name])).mappings().all()
            copies = []
            for number in again:
                for row in last:
                    copy = {name: value for name, value in row.items() if name != "id"}
                    if table is history:
                        copy["seq"] += number * len(last)
                    elif table is task:
                        copy["state"] = "done" if copy["state"] == "open" else copy["state"]
                    else:
                        copy["cause"] += f":{number}"
                    copies.append(copy)
            if copies:
                connection.execute(table.insert(), copies)
            if table is history and copies:
                values = {"history_seq": copies[-1]["seq"], "version": case_file.c.version + 2 * len(again)}
                connection.execute(case_file.update().where(case_file.c.id == case_id).values(values))
    return case_id


def send_backs(sizes: Sizes) -> list[Figure]:
    """The last of many rounds of 差戻し beside the third."""
    with installation() as engine:
        young, old = grown(engine, 3), grown(engine, sizes.rounds)
        with engine.reading() as connection:
            number = connection.scalar(sa.select(case_file.c.definition).where(case_file.c.id == young))
            definition = engine.definitions.get(connection, int(number or 0))
        third, last = played(definition, 3), played(definition, sizes.rounds)
        of_third, of_last = microseconds(
            lambda: one_round(definition, Marking.load(third)).dump(),
            lambda: one_round(definition, Marking.load(last)).dump(),
            times=max(1, sizes.acts // 4),
        )  # fmt: skip
        acts = {young: Samples(), old: Samples()}
        pages = {young: Samples(), old: Samples()}
        cases = {young: Samples(), old: Samples()}
        viewer = engine.viewer(REPORTER)
        for _ in range(sizes.round_samples):
            for case_id in (young, old):
                with acts[case_id].one():
                    round_by_engine(engine, case_id)
        for _ in range(max(2, sizes.round_samples // 10)):
            for case_id in (young, old):
                first = open_task(engine, case_id)
                with pages[case_id].one():
                    engine.task(viewer, first)
                with cases[case_id].one():
                    engine.case(viewer, case_id)
    what = f"round {sizes.rounds:,} of 差戻し"
    later, early = f"{sizes.round_samples} rounds after {what}", f"{sizes.round_samples} after round 3"
    return [
        Figure("rounds", f"{what}, tokens only", "µs", of_last, "round 3", of_third, "≤ × 1.1"),
        Figure("rounds", f"{what}, marking", "bytes", len(last.encode()), "round 3", len(third.encode())),
        Figure("rounds", f"{later}, two steps by the engine (SQLite)", "ms", acts[old].p50, early, acts[young].p50, "≤ × 1.1"),
        Figure("rounds", f"{later}, read of the task page", "ms", pages[old].p50, early, pages[young].p50),
        Figure("rounds", f"{later}, read of the case page", "ms", cases[old].p50, early, cases[young].p50),
    ]

"""Draws small diagrams in a few words and plays them, saving and reloading the marking before every act."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from engine import tokens
from engine.expressions import compile_expression
from engine.marking import Marking, Wait
from engine.net import Net, Node
from engine.parsing import parse_bundle
from engine.tokens import BpmnError, Step

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" targetNamespace="http://tadachi.example">'
)


def element(tag: str, id: str, inside: str = "", **attributes: str) -> str:
    """Any element; `camunda_x` becomes `camunda:x`."""
    given = "".join(f" {name.replace('camunda_', 'camunda:')}={quoteattr(value)}" for name, value in attributes.items())
    return f'<bpmn:{tag} id="{id}"{given}>{inside}</bpmn:{tag}>'


def start(id: str = "s", event: str = "", **more: str) -> str:
    return element("startEvent", id, event, **more)


def end(id: str = "e", event: str = "", **more: str) -> str:
    return element("endEvent", id, event, **more)


def user(id: str, inside: str = "", **more: str) -> str:
    return element("userTask", id, inside, camunda_candidateGroups="staff@owning_unit", **more)


def service(id: str, topic: str = "do", inside: str = "", **more: str) -> str:
    return element("serviceTask", id, inside, camunda_topic=topic, **more)


def exclusive(id: str, **more: str) -> str:
    return element("exclusiveGateway", id, **more)


def parallel(id: str) -> str:
    return element("parallelGateway", id)


def inclusive(id: str, **more: str) -> str:
    return element("inclusiveGateway", id, **more)


def catch(id: str, event: str, **more: str) -> str:
    return element("intermediateCatchEvent", id, event, **more)


def throw(id: str, event: str = "", **more: str) -> str:
    return element("intermediateThrowEvent", id, event, **more)


def boundary(id: str, on: str, event: str, *, interrupting: bool = True) -> str:
    return element("boundaryEvent", id, event, attachedToRef=on, cancelActivity=str(interrupting).lower())


def sub(id: str, *inside: str, **more: str) -> str:
    return element("subProcess", id, "".join(inside), **more)


def event_sub(id: str, *inside: str) -> str:
    return element("subProcess", id, "".join(inside), triggeredByEvent="true")


def call(id: str, of: str, inside: str = "") -> str:
    return element("callActivity", id, inside, calledElement=of)


def properties(**given: str) -> str:
    items = "".join(f'<camunda:property name="{name}" value={quoteattr(value)}/>' for name, value in given.items())
    return f"<bpmn:extensionElements><camunda:properties>{items}</camunda:properties></bpmn:extensionElements>"


def multi(*, sequential: bool = False, collection: str = "", variable: str = "", times: str = "", until: str = "") -> str:
    given = f' isSequential="{str(sequential).lower()}"'
    given += f" camunda:collection={quoteattr(collection)}" if collection else ""
    given += f' camunda:elementVariable="{variable}"' if variable else ""
    inside = f"<bpmn:loopCardinality>{times}</bpmn:loopCardinality>" if times else ""
    inside += f"<bpmn:completionCondition>{escape(until)}</bpmn:completionCondition>" if until else ""
    return f"<bpmn:multiInstanceLoopCharacteristics{given}>{inside}</bpmn:multiInstanceLoopCharacteristics>"


def flows(*chains: str) -> str:
    """`a > b > c`; one step with a condition: `a > b : count == 1`. The flow from a to b has the id `a_b`, a second one `a_b_2`."""
    drawn: list[str] = []
    seen: dict[str, int] = {}
    for chain in chains:
        way, _, condition = chain.partition(" : ")
        stops = [stop.strip() for stop in way.split(">")]
        for source, target in pairwise(stops):
            name = f"{source}_{target}"
            seen[name] = seen.get(name, 0) + 1
            name += f"_{seen[name]}" if seen[name] > 1 else ""
            inside = (
                f'<bpmn:conditionExpression xsi:type="bpmn:tFormalExpression">{escape(condition)}</bpmn:conditionExpression>'
                if condition
                else ""
            )
            drawn.append(f'<bpmn:sequenceFlow id="{name}" sourceRef="{source}" targetRef="{target}">{inside}</bpmn:sequenceFlow>')
    return "".join(drawn)


# Events. Their names are declared in every diagram below.
def message(name: str) -> str:
    return f'<bpmn:messageEventDefinition messageRef="m_{name}"/>'


def signal(name: str) -> str:
    return f'<bpmn:signalEventDefinition signalRef="s_{name}"/>'


def error(code: str = "") -> str:
    return f'<bpmn:errorEventDefinition errorRef="x_{code}"/>' if code else "<bpmn:errorEventDefinition/>"


def escalation(code: str = "") -> str:
    return f'<bpmn:escalationEventDefinition escalationRef="c_{code}"/>' if code else "<bpmn:escalationEventDefinition/>"


def link(name: str) -> str:
    return f'<bpmn:linkEventDefinition name="{name}"/>'


def terminate() -> str:
    return "<bpmn:terminateEventDefinition/>"


def timer(text: str) -> str:
    tag = "timeCycle" if text.startswith("R") else "timeDuration" if text.startswith("P") else "timeDate"
    body = f'<bpmn:{tag} xsi:type="bpmn:tFormalExpression">{escape(text)}</bpmn:{tag}>'
    return f"<bpmn:timerEventDefinition>{body}</bpmn:timerEventDefinition>"


def condition(text: str) -> str:
    inside = f'<bpmn:condition xsi:type="bpmn:tFormalExpression">{escape(text)}</bpmn:condition>'
    return f"<bpmn:conditionalEventDefinition>{inside}</bpmn:conditionalEventDefinition>"


DECLARED = "".join(f'<bpmn:message id="m_{name}" name="{name}"/><bpmn:signal id="s_{name}" name="{name}"/>' for name in ("go", "stop"))
DECLARED += "".join(
    f'<bpmn:error id="x_{code}" errorCode="{code}"/><bpmn:escalation id="c_{code}" escalationCode="{code}"/>' for code in ("A", "B")
)


def diagram(*parts: str, id: str = "p", head: str = "") -> bytes:
    """A file with one process."""
    return f'{HEAD}{DECLARED}{head}<bpmn:process id="{id}" name="手続" isExecutable="true">{"".join(parts)}</bpmn:process></bpmn:definitions>'.encode()


def net(*parts: str, **called: bytes) -> Net:
    """The net of a process and of those it calls (process id -> file)."""
    return parse_bundle({"p.bpmn": diagram(*parts)} | {f"{name}.bpmn": data for name, data in called.items()}, "p")


class Case:
    """A case at play: facts, marking, what services were run. Every act works on a reloaded marking."""

    def __init__(self, net: Net, *, event: str | None = None, **facts: Any) -> None:
        self.net, self.facts = net, facts
        self.ran: list[str] = []
        self.trace: list[tuple[str, str]] = []
        self.marking = Marking({}, {})
        self._take(tokens.start(net, self, event))

    # The host.

    def evaluate(self, expression: str, local: Mapping[str, Any]) -> Any:
        return compile_expression(expression).evaluate({**self.facts, **local})

    def run(self, node: Node, local: Mapping[str, Any]) -> None:
        self.ran.append(node.id + "".join(f"[{local['loop_index']}]" for _ in [0] if "loop_index" in local))
        topic = node.topic or ""
        if topic.startswith("fail:") and not self.facts.get("works"):
            raise BpmnError(topic.removeprefix("fail:"))
        if topic.startswith("set:"):
            self.facts[topic.removeprefix("set:")] = True

    # Acts.

    def _take(self, step: Step) -> Case:
        assert Marking.load(step.marking.dump()) == step.marking
        self.marking = Marking.load(step.marking.dump())
        self.trace = [(passed.node_id, passed.what) for passed in step.trace]
        return self

    def wait(self, node: str, number: int = 0) -> Wait:
        """The number-th wait at this id path."""
        found = [wait for wait in tokens.waiting(self.net, self.marking) if wait.node.id == node]
        assert len(found) > number, f"{node} does not wait; {self.waits}"
        return found[number]

    def complete(self, node: str, number: int = 0, **facts: Any) -> Case:
        self.facts |= facts
        return self._take(tokens.complete(self.net, self.marking, self.wait(node, number).owner, self))

    def send_back(self, node: str, target: str) -> Case:
        return self._take(tokens.send_back(self.net, self.marking, self.wait(node).owner, target, self))

    def fire(self, node: str) -> Case:
        return self._take(tokens.fire(self.net, self.marking, self.wait(node), self))

    def message(self, name: str, node: str | None = None) -> Case:
        wait = self.wait(node) if node else None
        return self._take(tokens.deliver(self.net, self.marking, "message", name, self, wait))

    def signal(self, name: str) -> Case:
        return self._take(tokens.deliver(self.net, self.marking, "signal", name, self))

    def touch(self, **facts: Any) -> Case:
        self.facts |= facts
        return self._take(tokens.touch(self.net, self.marking, self))

    # What shows.

    @property
    def waits(self) -> list[str]:
        """Every wait: id path, with its kind unless it is a task."""
        waits = tokens.waiting(self.net, self.marking)
        assert len({wait.key for wait in waits}) == len(waits)
        return sorted(wait.node.id if wait.kind == "task" else f"{wait.kind}:{wait.node.id}" for wait in waits)

    @property
    def ended(self) -> str | None:
        """The outcome."""
        assert (self.marking.ended is None) or not self.marking.tokens
        return self.marking.ended

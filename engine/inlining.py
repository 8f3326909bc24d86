"""Builds the net from parsed diagrams: numbers the nodes, inlines called processes under their call's id, finds what reaches each join."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from engine.net import Diagram, Flow, Kind, Net, Node, Scope
from engine.specs import NodeSpec, ProcessSpec


def build(specs: Mapping[str, ProcessSpec], process_id: str) -> Net:
    """The net of a process and everything it calls; the gate has made sure that calls resolve and do not go in circles."""
    return _Builder(specs).build(process_id)


class _Builder:
    """Collects while it walks; nodes are made twice, since the last things known of a node are the numbers of others."""

    def __init__(self, specs: Mapping[str, ProcessSpec]) -> None:
        self.specs = specs
        self.nodes: list[Node] = []
        self.flows: list[Flow] = []
        self.scopes: list[Scope] = []
        self.diagrams: list[Diagram] = []

    def build(self, process_id: str) -> Net:
        """Walk the main process, then close the relations."""
        main = self.specs[process_id]
        self.diagrams.append(Diagram("", main.id, main.name, main.source))
        self.open_scope("process", None, None)
        self.fill(main, 0, "", main)
        self.connect()
        self.send_backs()
        return Net(
            process_id=main.id,
            name=main.name,
            documentation=main.documentation,
            properties=main.properties,
            nodes=tuple(self.nodes),
            flows=tuple(self.flows),
            scopes=tuple(self.scopes),
            diagrams=tuple(self.diagrams),
            reach=self.reach(),
            by_id={node.id: node for node in self.nodes},
            conditional=any(node.event and node.event.kind == "conditional" for node in self.nodes),
        )

    def open_scope(self, kind: str, parent: int | None, owner: int | None) -> int:
        """Number a scope."""
        self.scopes.append(Scope(len(self.scopes), kind, parent, owner))
        return len(self.scopes) - 1

    def fill(self, spec: ProcessSpec, scope: int, prefix: str, home: ProcessSpec) -> None:
        """Put the elements of one process or sub-process into a scope. `home` is the process of the diagram they are drawn in."""
        number: dict[str, int] = {}
        inner: list[tuple[int, NodeSpec]] = []
        for item in spec.nodes:
            index = len(self.nodes)
            number[item.id] = index
            self.nodes.append(_node(item, index, scope, prefix, home))
            if item.body is not None or item.called is not None:
                inner.append((index, item))
        for item in spec.nodes:
            if item.attached is not None:
                self.nodes[number[item.id]] = replace(self.nodes[number[item.id]], attached=number[item.attached])
        for flow in spec.flows:
            source, target = number[flow.source], number[flow.target]
            self.flows.append(Flow(len(self.flows), prefix + flow.id, source, target, flow.condition, flow.name, flow.default))
        for item in spec.nodes:
            if item.multi is not None:
                index = number[item.id]
                multi = self.open_scope("multi", scope, index)
                self.nodes[index] = replace(self.nodes[index], multi=replace(item.multi, scope=multi))
        for index, item in inner:
            around = self.nodes[index].multi
            parent = around.scope if around else scope
            if item.called is not None:
                called = self.specs[item.called]
                body = self.open_scope("call", parent, index)
                self.diagrams.append(Diagram(prefix + item.id, called.id, called.name, called.source))
                self.fill(called, body, f"{prefix}{item.id}/", called)
            else:
                assert item.body is not None
                body = self.open_scope("event" if item.kind is Kind.EVENT_SUB_PROCESS else "sub", parent, index)
                self.fill(item.body, body, prefix, home)
            self.nodes[index] = replace(self.nodes[index], body=body)

    def connect(self) -> None:
        """Incoming and outgoing flows, boundaries, targets of links and event-based gateways, starts and joins of scopes."""
        incoming: dict[int, list[int]] = {}
        outgoing: dict[int, list[int]] = {}
        for flow in self.flows:
            outgoing.setdefault(flow.source, []).append(flow.index)
            incoming.setdefault(flow.target, []).append(flow.index)
        boundaries: dict[int, list[int]] = {}
        links: dict[tuple[int, str], int] = {}
        for node in self.nodes:
            if node.attached is not None:
                boundaries.setdefault(node.attached, []).append(node.index)
            if node.kind is Kind.CATCH and node.event and node.event.kind == "link":
                links[node.scope, node.event.name] = node.index
        for node in self.nodes:
            leaving = tuple(outgoing.get(node.index, ()))
            targets: tuple[int, ...] = ()
            if node.kind is Kind.THROW and node.event and node.event.kind == "link":
                targets = (links[node.scope, node.event.name],)
            elif node.kind is Kind.EVENT_GATEWAY:
                targets = tuple(self.flows[flow].target for flow in leaving)
            self.nodes[node.index] = replace(
                node,
                incoming=tuple(incoming.get(node.index, ())),
                outgoing=leaving,
                boundaries=tuple(boundaries.get(node.index, ())),
                targets=targets,
            )
        for scope in self.scopes:
            inside = [node for node in self.nodes if node.scope == scope.index]
            events = [node.body for node in inside if node.kind is Kind.EVENT_SUB_PROCESS]
            self.scopes[scope.index] = replace(
                scope,
                starts=tuple(node.index for node in inside if node.kind is Kind.START),
                event_starts=tuple(node.index for node in self.nodes if node.kind is Kind.START and node.scope in events),
                joins=tuple(node.index for node in inside if node.kind is Kind.INCLUSIVE and len(node.incoming) > 1),
            )

    def send_backs(self) -> None:
        """The ways back that `send_back_to` declares, as virtual flows. Names that do not resolve are the gate's to tell."""
        for node in list(self.nodes):
            back = []
            for element in node.listed("send_back_to"):
                target = self.send_back_target(node, element)
                if target is not None:
                    flow = Flow(len(self.flows), f"{node.id}~{element}", node.index, target.index, virtual=True)
                    self.flows.append(flow)
                    back.append(flow.index)
            self.nodes[node.index] = replace(self.nodes[node.index], send_backs=tuple(back))

    def send_back_target(self, node: Node, element: str) -> Node | None:
        """A user task of the same scope; a repeated task lies in its instance's scope, so neither end may be repeated from within."""
        for other in self.nodes:
            if other.element == element and other.scope == node.scope and other.kind is Kind.USER_TASK and node.multi is None:
                return other
        return None

    def reach(self) -> dict[int, tuple[tuple[int, int], ...]]:
        """See `Net.reach`; send-backs are no sequence flows and do not count (POLICIES in engine/tokens.py)."""
        before: dict[int, list[int]] = {}
        for flow in self.flows:
            if not flow.virtual:
                before.setdefault(flow.target, []).append(flow.source)
        for node in self.nodes:
            if node.attached is not None:
                before.setdefault(node.index, []).append(node.attached)
            if node.kind is Kind.THROW:
                for target in node.targets:
                    before.setdefault(target, []).append(node.index)
        result = {}
        for scope in self.scopes:
            for join in scope.joins:
                result[join] = tuple((flow, _bits(_backwards(self.flows[flow].source, join, before))) for flow in self.nodes[join].incoming)
        return result


def _node(item: NodeSpec, index: int, scope: int, prefix: str, home: ProcessSpec) -> Node:
    extension = item.extension
    return Node(
        index=index,
        id=prefix + item.id,
        element=item.id,
        kind=item.kind,
        name=item.name,
        scope=scope,
        source=home.source,
        process=home.id,
        prefix=prefix.rstrip("/"),
        documentation=item.documentation,
        lane=item.lane,
        candidate_groups=extension.candidate_groups,
        assignee=extension.assignee,
        form=extension.form,
        properties=extension.properties,
        topic=extension.topic,
        expression=extension.expression,
        decision=extension.decision,
        event=item.event,
        multi=item.multi,
        called=item.called,
    )


def _backwards(start: int, join: int, before: Mapping[int, Iterable[int]]) -> set[int]:
    """Nodes from which `start` can be reached, itself included, without passing the join."""
    seen: set[int] = set()
    todo = [start]
    while todo:
        index = todo.pop()
        if index not in seen and index != join:
            seen.add(index)
            todo.extend(before.get(index, ()))
    return seen


def _bits(indexes: Iterable[int]) -> int:
    return sum(1 << index for index in indexes)

"""What the parser hands to the net builder: one diagram as plain data, after SpiffWorkflow read it and before calls are inlined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.net import EventSpec, FieldSpec, Kind, MultiSpec


@dataclass(frozen=True, slots=True)
class Extension:
    """What the `camunda:` namespace says about an element."""

    candidate_groups: tuple[str, ...] = ()
    assignee: str | None = None
    form: tuple[FieldSpec, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    topic: str | None = None
    expression: str | None = None
    decision: str | None = None


@dataclass(frozen=True, slots=True)
class FlowSpec:
    """A sequence flow by element ids."""

    id: str
    source: str
    target: str
    condition: str | None
    name: str
    default: bool
    order: int


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """An element of a diagram; `order` is its place in the document."""

    id: str
    kind: Kind
    name: str
    order: int
    documentation: str
    lane: str
    extension: Extension
    event: EventSpec | None = None
    multi: MultiSpec | None = None
    called: str | None = None
    attached: str | None = None
    body: ProcessSpec | None = None


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A process or sub-process: its own elements and flows."""

    id: str
    name: str
    documentation: str
    source: str
    properties: Mapping[str, str]
    nodes: tuple[NodeSpec, ...]
    flows: tuple[FlowSpec, ...]

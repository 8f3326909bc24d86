"""Which element of one version is which of another, in the places where their nets use them; what a designer says himself goes before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from engine.board import WORKING, wait_kind
from engine.compare import matched
from engine.compare_elements import drawings
from engine.net import ACTIVITIES, Kind, Net, Node
from engine.xml_safety import read_xml


class Place(NamedTuple):
    """Where in the other net an element goes on.

    Attributes:
        node: its id path there; "" where it goes with nothing in its place, as with a branch that was taken out.
        anew: it is another step: what waits is taken away, and this one begins now. Else it is the same step, which keeps all it has.
    """

    node: str
    anew: bool = False

    @property
    def same(self) -> bool:
        """Whether it is the same element."""
        return bool(self.node) and not self.anew


#: Id path in the one net -> where it goes on in the other. Of a flow by which something has come to a join: the flow it came by there, or
#: (anew) the step that begins instead.
Mapped = Mapping[str, Place]


def read_place(text: str) -> Place:
    """A place as it is written in forms and commands: `same:ELEMENT`, `anew:ELEMENT` or `gone`.

    Raises:
        ValueError: it is none of these.
    """
    how, _, node = text.partition(":")
    if (how, bool(node)) not in (("same", True), ("anew", True), ("gone", False)):
        raise ValueError(text)
    return Place(node, how == "anew")


def written(place: Place) -> str:
    """A place as `read_place` reads it."""
    return f"{'anew' if place.anew else 'same'}:{place.node}" if place.node else "gone"


def counterparts(before: Net, after: Net, old: Mapping[str, bytes], new: Mapping[str, bytes]) -> dict[str, Place]:
    """The same elements by id, else by kind and name when that is one only (as comparing takes them), through every called diagram.

    Args:
        old, new: the files of the two bundles.
    """
    drawn, drawn_now = (
        drawings({name: read_xml(data, name) for name, data in files.items() if name.endswith(".bpmn")}) for files in (old, new)
    )
    found: dict[str, Place] = {}
    todo = [("", before.process_id, "", after.process_id)]
    while todo:
        path, process, path_now, process_now = todo.pop()
        for id_now, id in matched(drawn[process], drawn_now[process_now]).items():
            here, there = before.by_id.get(path + id), after.by_id.get(path_now + id_now)
            if here is None or there is None:
                continue  # a flow, a lane, an annotation
            found[here.id] = Place(there.id)
            if here.called and there.called:
                todo.append((f"{here.id}/", here.called, f"{there.id}/", there.called))
    return found


def rests_as(node: Node) -> str:
    """As what a token rests at a node: only what rests alike can be the same step. "" where nothing ever rests."""
    if node.kind in (Kind.EVENT_GATEWAY, Kind.EVENT_SUB_PROCESS):
        return str(node.kind.value)
    if node.body is not None:
        return "scope"
    if node.kind is Kind.CATCH and node.event is not None and node.event.kind == "link":
        return ""
    if node.waits:
        return wait_kind(node)
    if node.kind in WORKING:
        return "work" if node.kind in ACTIVITIES else "event"
    return ""


def may_begin(net: Net, node: Node) -> bool:
    """Whether a token can be put down at a node as if it had just come: a step or event that waits, by itself and once."""
    behind = {flow for one in net.nodes if one.kind is Kind.EVENT_GATEWAY for flow in one.outgoing}
    return node.waits and node.multi is None and rests_as(node) != "" and behind.isdisjoint(node.incoming)


__all__ = ["Mapped", "Place", "counterparts", "may_begin", "read_place", "rests_as", "written"]

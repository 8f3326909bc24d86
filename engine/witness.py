"""What cases pass on their way: the token game with somebody who notes every element and flow, for coverage and for the sandbox's picture."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from engine.board import Host
from engine.marking import Marking
from engine.net import Net, Node
from engine.play import Play


@dataclass
class Seen:
    """What was passed in one version: node ids (with the path of their calls) and flow ids, each with how often."""

    entered: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    flows: Counter[str] = field(default_factory=Counter)

    def copy(self) -> Seen:
        """What was passed until now."""
        return Seen(self.entered.copy(), self.left.copy(), self.flows.copy())

    def become(self, other: Seen) -> None:
        """Be as another one is: what was passed since is taken back."""
        self.entered, self.left, self.flows = other.entered.copy(), other.left.copy(), other.flows.copy()

    def add(self, other: Seen) -> None:
        """Count what was passed elsewhere too."""
        self.entered += other.entered
        self.left += other.left
        self.flows += other.flows


class Witness(Play):
    """One act, noted while it is played; it plays exactly as `Play` does."""

    __slots__ = ("seen",)

    def __init__(self, seen: Seen, net: Net, host: Host, marking: Marking) -> None:
        super().__init__(net, host, marking)
        self.seen = seen

    def arrive(self, frame: int, index: int, flow: int) -> None:
        """A token comes to a node, by a flow if by any."""
        if flow >= 0:
            self.seen.flows[self.net.flows[flow].id] += 1
        super().arrive(frame, index, flow)

    def note(self, node: Node, what: str) -> None:
        """Add a line to the trace."""
        super().note(node, what)
        if what == "entered":
            self.seen.entered[node.id] += 1
        elif what == "left":
            self.seen.left[node.id] += 1

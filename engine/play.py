"""How tokens move: one act played until everything rests. engine/tokens.py has the acts and the policies, with their sections of BPMN 2.0.2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.board import WORKING, Board, BpmnError, NotForeseen, ServiceFailed, rearmed
from engine.errors import BadInstances, NoWayOut, TooManySteps
from engine.expressions import truth
from engine.marking import Frame, Marking, Step, Token
from engine.net import ACTIVITIES, Kind, Node

STEP_LIMIT = 10_000
MAX_INSTANCES = 100


class Play(Board):
    """One act while it is played."""

    __slots__ = ()

    def settle(self) -> Step:
        """Play on until everything rests; the order is the first policy."""
        while True:
            while self.queue or self.late:
                self.arrive(*(self.queue or self.late).popleft())
            if self.ended is not None:
                break
            if not (self.net.conditional and self.conditions()) and not self.join() and not self.close():
                break
        return Step(Marking(self.frames, self.tokens, self.next, self.end, self.ended), tuple(self.trace))

    def arrive(self, frame: int, index: int, flow: int) -> None:
        """A token comes to a node."""
        node = self.nodes[index]
        self.steps += 1
        if self.steps > STEP_LIMIT:
            raise TooManySteps(node=node.name or node.id)
        if flow != _DEFERRED and node.event is not None and _throws(node):
            self.late.append((frame, index, _DEFERRED))
        elif node.kind in ACTIVITIES:
            self.activity(frame, node)
        else:
            _ARRIVALS[node.kind](self, frame, node, flow)

    # Flows (13.3.1).

    def holds(self, condition: str, frame: int) -> bool:
        """Whether a condition is true."""
        return truth(self.host.evaluate(condition, self.local(frame)), condition)

    def follow(self, frame: int, node: Node) -> None:
        """Leave by every flow without condition or with a true one; by the default if there is none."""
        flows = self.net.flows
        outgoing = node.outgoing
        if len(outgoing) == 1 and flows[outgoing[0]].condition is None:
            self.queue.append((frame, flows[outgoing[0]].target, outgoing[0]))
            return
        taken, default = 0, -1
        for index in outgoing:
            flow = flows[index]
            if flow.default:
                default = index
            elif flow.condition is None or self.holds(flow.condition, frame):
                self.queue.append((frame, flow.target, index))
                taken += 1
        if not taken and outgoing:
            if default < 0:
                raise NoWayOut(node=node.name or node.id)
            self.queue.append((frame, flows[default].target, default))

    # Gateways (13.4).

    def passing(self, frame: int, node: Node, _flow: int) -> None:
        """What only lets through: start events, plain throw events, catch side of a link, an inclusive or parallel split."""
        self.note(node, "entered")
        self.note(node, "left")
        self.follow(frame, node)

    def exclusive(self, frame: int, node: Node, _flow: int) -> None:
        """The first flow in document order whose condition is true, else the default (13.4.2)."""
        self.note(node, "entered")
        flows, chosen = self.net.flows, -1
        if len(node.outgoing) == 1:
            chosen = node.outgoing[0]
        else:
            for index in node.outgoing:
                flow = flows[index]
                if flow.default:
                    chosen = index
                elif flow.condition is None or self.holds(flow.condition, frame):
                    chosen = index
                    break
        if chosen < 0:
            raise NoWayOut(node=node.name or node.id)
        self.note(node, "left")
        self.queue.append((frame, flows[chosen].target, chosen))

    def parallel(self, frame: int, node: Node, flow: int) -> None:
        """One token from each incoming flow (13.4.1)."""
        if len(node.incoming) > 1:
            arrived = self.add_arrival(frame, flow)
            if not all(arrived.get(index) for index in node.incoming):
                return
            self.take_arrivals(frame, node.incoming)
        self.passing(frame, node, flow)

    def inclusive(self, frame: int, node: Node, flow: int) -> None:
        """A split goes on at once; a join is looked at when nothing moves."""
        if len(node.incoming) > 1:
            self.add_arrival(frame, flow)
        else:
            self.passing(frame, node, flow)

    def join(self) -> bool:
        """Fire one inclusive join that waits for nothing any more (13.4.3)."""
        ready = [
            (join, number)
            for number, frame in self.frames.items()
            if frame.arrivals
            for join in self.net.scopes[frame.scope].joins
            if self.enabled(number, frame, join)
        ]
        if not ready:
            return False
        join, number = min(ready)
        self.take_arrivals(number, self.nodes[join].incoming)
        self.passing(number, self.nodes[join], -1)
        return True

    def enabled(self, number: int, frame: Frame, join: int) -> bool:
        """A token somewhere in the frame holds the join up when it can still reach an empty flow of it and no filled one."""
        arrived = {flow for flow, _ in frame.arrivals}
        filled = empty = 0
        for flow, reach in self.net.reach[join]:
            if flow in arrived:
                filled |= reach
            else:
                empty |= reach
        if not any(flow in arrived for flow in self.nodes[join].incoming):
            return False
        places = {token.node for token in self.tokens.values() if token.frame == number}
        places.update(target for flow in arrived if (target := self.net.flows[flow].target) != join)
        return not any(empty >> place & 1 and not filled >> place & 1 for place in places)

    # Activities (13.3).

    def activity(self, frame: int, node: Node) -> None:
        """Enter an activity: arm its boundary events, then do what it is; a repeated one starts its instances."""
        if node.multi is not None and self.frames[frame].scope == node.multi.scope:
            self.perform(frame, node, self.put(frame, node))
            return
        self.note(node, "entered")
        token = self.put(frame, node, tuple((boundary, 0) for boundary in node.boundaries))
        if node.multi is not None:
            self.repeat(frame, node, token)
        else:
            self.perform(frame, node, token)

    def perform(self, frame: int, node: Node, token: int) -> None:
        """One performance of an activity; a task for a person just rests."""
        if node.body is not None:
            starts = self.net.scopes[node.body].starts
            plain = [index for index in starts if (event := self.nodes[index].event) is None or event.kind == "none"]
            self.open(node.body, frame, token, (plain or starts)[0])
        elif not node.waits:
            self.carry_out(frame, node, token)

    def carry_out(self, frame: int, node: Node, token: int) -> None:
        """A task that needs no person: its work, the message it sends, and on."""
        if node.kind in WORKING and not self.work(frame, node, token):
            return
        if token in self.tokens and node.kind is Kind.SEND_TASK and node.event is not None and node.event.kind == "message":
            self.message(node.event.name)
        if token in self.tokens:
            self.leave(token)

    def work(self, frame: int, node: Node, token: int) -> bool:
        """Let the host do the work; what it throws is searched for from this token outward. False: the token rests here to try again."""
        try:
            self.host.run(node, self.local(frame))
        except BpmnError as error:
            self.error(error.code, frame, token)
        except ServiceFailed:
            # An error without a code: only an event that catches any error hears it (8.4.3), and nobody hearing it does not end the case.
            return self.search("error", None, frame, token)
        except NotForeseen:
            return False
        return True

    def again(self, token: int) -> None:
        """Try the failed work of a resting token once more."""
        here = self.tokens[token]
        node = self.nodes[here.node]
        if node.kind in (Kind.THROW, Kind.END):
            self.throw(here.frame, node, token)
        else:
            self.carry_out(here.frame, node, token)

    def leave(self, token: int) -> None:
        """An activity is done: its boundary events are disarmed and its flows taken."""
        frame, index, _, _ = self.tokens.pop(token)
        node = self.nodes[index]
        if node.multi is not None and self.frames[frame].scope == node.multi.scope:
            return  # one instance: its frame is empty now and will be closed
        self.note(node, "left")
        self.follow(frame, node)

    def repeat(self, frame: int, node: Node, token: int) -> None:
        """Start a repeated activity (13.3.7)."""
        assert node.multi is not None
        source = node.multi.collection or node.multi.cardinality or ""
        value = self.host.evaluate(source, self.local(frame))
        items: tuple[Any, ...] = ()
        if node.multi.collection is not None:
            if value is not None and not isinstance(value, (list, tuple)):
                raise BadInstances(node=node.name or node.id, why=f"「{source}」はリストではありません")
            items = tuple(value or ())
            total = len(items)
        else:
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise BadInstances(node=node.name or node.id, why=f"「{source}」は0以上の整数ではありません")
            total = value
        if total > MAX_INSTANCES:
            raise BadInstances(node=node.name or node.id, why=f"{total}件、上限{MAX_INSTANCES}件")
        self.tokens[token] = self.tokens[token]._replace(multi=(total, 0, 0, items))
        if not total:
            self.leave(token)
        for _ in range(min(total, 1) if node.multi.sequential else total):
            self.instance(token)

    def instance(self, token: int) -> None:
        """Start the next instance of a repeated activity in a frame of its own."""
        here = self.tokens[token]
        node = self.nodes[here.node]
        assert here.multi is not None
        assert node.multi is not None
        total, started, done, items = here.multi
        local: dict[str, Any] = {"loop_index": started}
        if items and node.multi.variable:
            local[node.multi.variable] = items[0]
        self.tokens[token] = here._replace(multi=(total, started + 1, done, items[1:]))
        number = self.next
        self.next += 1
        self.frames[number] = Frame(node.multi.scope, here.frame, token, local=local)
        self.queue.append((number, node.index, -1))

    def instance_done(self, token: int, local: Mapping[str, Any]) -> None:
        """After an instance: enough, all, or the next one."""
        here = self.tokens[token]
        node = self.nodes[here.node]
        assert here.multi is not None
        assert node.multi is not None
        total, started, done, items = here.multi
        done += 1
        self.tokens[token] = here._replace(multi=(total, started, done, items))
        enough = done == total
        if not enough and node.multi.completion is not None:
            counters = {"nrOfInstances": total, "nrOfCompletedInstances": done, "nrOfActiveInstances": started - done}
            counters |= {"numberOfInstances": total, "numberOfCompletedInstances": done, "numberOfActiveInstances": started - done}
            names = {**self.local(here.frame), **local, **counters}
            enough = truth(self.host.evaluate(node.multi.completion, names), node.multi.completion)
        if enough:
            self.cancel_inside(token)
            self.leave(token)
        elif node.multi.sequential:
            self.instance(token)

    # Frames.

    def open(self, scope: int, parent: int, owner: int, start_node: int) -> None:
        """Open a frame with its event sub-processes armed and a token at its start."""
        number = self.next
        self.next += 1
        armed = tuple((index, 0) for index in self.net.scopes[scope].event_starts)
        self.frames[number] = Frame(scope, parent, owner, (), armed)
        self.queue.append((number, start_node, -1))

    def close(self) -> bool:
        """Close one frame in which nothing is left, the innermost first."""
        used = {token.frame for token in self.tokens.values()}
        used.update(frame.parent for frame in self.frames.values())
        for number in sorted(self.frames, reverse=True):
            if number not in used and not self.frames[number].arrivals:
                self.closed(self.frames.pop(number))
                return True
        return False

    def closed(self, frame: Frame) -> None:
        """What the end of a frame means to the one around it."""
        scope = self.net.scopes[frame.scope]
        if scope.kind == "process":
            self.finish(self.nodes[self.end].id if self.end >= 0 else "")
        elif scope.kind == "multi":
            self.instance_done(frame.owner, frame.local)
        elif scope.kind == "event":
            assert scope.owner is not None
            self.note(self.nodes[scope.owner], "left")
        else:
            self.leave(frame.owner)

    # Events (13.5).

    def resting(self, frame: int, node: Node, _flow: int) -> None:
        """A catch event or event-based gateway waits; the catch side of a link lets through."""
        if node.event is not None and node.event.kind == "link":
            self.passing(frame, node, -1)
        else:
            self.note(node, "entered")
            self.put(frame, node)

    def throwing(self, frame: int, node: Node, flow: int) -> None:
        """An intermediate throw or end event is reached; a link jumps."""
        self.note(node, "entered")
        if node.event is not None and node.event.kind == "link":
            self.note(node, "left")
            self.queue.append((frame, node.targets[0], -1))
        else:
            self.throw(frame, node, self.put(frame, node))

    def throw(self, frame: int, node: Node, token: int) -> None:
        """What an intermediate throw or end event does; it goes on only if what it throws does not interrupt it."""
        event = node.event
        kind = event.kind if event else "none"
        if event is not None and kind != "none":
            if kind == "message":
                if (node.topic or node.expression) and not self.work(frame, node, token):
                    return
                if token in self.tokens:
                    self.message(event.name)
            elif kind == "signal":
                self.signal(event.name)
            elif kind == "escalation":
                self.escalate(event.code, frame)
            elif kind == "error":
                del self.tokens[token]
                self.note(node, "left")
                self.error(event.code or "", frame)
        if self.tokens.pop(token, None) is None:
            return
        self.note(node, "left")
        if node.kind is not Kind.END:
            self.follow(frame, node)
            return
        self.reached(frame, node)
        if kind == "terminate":
            self.clear(frame)
            self.frames[frame] = self.frames[frame]._replace(armed=())

    def reached(self, frame: int, node: Node) -> None:
        """An end event decides the outcome if its frame is the process, or an interrupting event sub-process directly in it."""
        here = self.frames[frame]
        if not here.parent:
            self.end = node.index
        elif self.net.scopes[here.scope].kind == "event" and not self.frames[here.parent].parent:
            event = self.nodes[self.net.scopes[here.scope].starts[0]].event
            if event is not None and event.interrupting:
                self.end = node.index

    def trigger(self, owner: int, index: int) -> None:
        """What waits at a node happens."""
        node = self.nodes[index]
        if node.kind is Kind.BOUNDARY:
            self.boundary(owner, node)
        elif node.kind is Kind.START:
            self.event_start(owner, node)
        else:
            token = self.tokens[owner]
            if token.node != index:  # an event-based gateway: the first of its events decides (13.4.4)
                self.note(self.nodes[token.node], "left")
                self.note(node, "entered")
            elif node.kind is Kind.RECEIVE_TASK:
                self.leave(owner)
                return
            del self.tokens[owner]
            self.note(node, "left")
            self.follow(token.frame, node)

    def boundary(self, owner: int, node: Node) -> None:
        """A boundary event fires (13.5.3): its activity ends, or a token is added."""
        token = self.tokens[owner]
        assert node.event is not None
        if node.event.interrupting:
            self.cancel_inside(owner)
            self.cancelled(owner)
        else:
            self.tokens[owner] = token._replace(armed=rearmed(token.armed, node))
        self.note(node, "entered")
        self.note(node, "left")
        self.follow(token.frame, node)

    def event_start(self, number: int, node: Node) -> None:
        """The start event of an event sub-process fires (13.5.4)."""
        assert node.event is not None
        scope = self.net.scopes[node.scope]
        assert scope.owner is not None
        if node.event.interrupting:
            self.clear(number)
            self.frames[number] = self.frames[number]._replace(armed=())
        else:
            self.frames[number] = self.frames[number]._replace(armed=rearmed(self.frames[number].armed, node))
        self.note(self.nodes[scope.owner], "entered")
        self.open(node.scope, number, 0, node.index)

    def message(self, name: str) -> bool:
        """One catcher hears it."""
        for owner, index in self.catchers("message", name):
            self.trigger(owner, index)
            return True
        return False

    def signal(self, name: str) -> None:
        """Everything armed at this moment hears it, if it is still there when its turn comes."""
        for owner, index in self.catchers("signal", name):
            if any((owner, index) == (other, node) for _, other, node, _ in self.waits()):
                self.trigger(owner, index)

    def error(self, code: str, frame: int, token: int = 0) -> None:
        """Search outward for who catches the error; nobody: the case ends with it."""
        if not self.search("error", code, frame, token):
            self.finish(f"error:{code}")

    def escalate(self, code: str | None, frame: int) -> None:
        """Search outward for who catches the escalation."""
        self.search("escalation", code, frame, 0)

    def search(self, kind: str, code: str | None, frame: int, token: int) -> bool:
        """The innermost catcher of an error or escalation takes it; an event sub-process does not hear what is thrown inside itself."""
        skip = -1
        while True:
            if token:
                index = self.match(self.tokens[token].armed, kind, code)
                if index is not None:
                    self.boundary(token, self.nodes[index])
                    return True
            if not frame:
                return False
            here = self.frames[frame]
            index = self.match(here.armed, kind, code, skip)
            if index is not None:
                self.event_start(frame, self.nodes[index])
                return True
            scope = self.net.scopes[here.scope]
            skip = scope.starts[0] if scope.kind == "event" else -1
            token, frame = here.owner, here.parent

    def becomes(self, owner: int, node: Node, frame: int) -> bool:
        """Whether an armed conditional event sees its condition true; the checker asks otherwise, since it does not hold all facts."""
        assert node.event is not None
        return self.holds(node.event.condition or "", frame)

    def conditions(self) -> bool:
        """Look at every conditional event once; whether one fired."""
        waits = [(owner, index) for kind, owner, index, _ in self.waits() if kind == "conditional"]
        # Frames first: what ends a whole frame makes looking inside it needless.
        waits.sort(key=lambda wait: (wait[0] in self.tokens, wait[0]))
        fired = False
        for owner, index in waits:
            node = self.nodes[index]
            holder: Frame | Token | None = self.tokens.get(owner) or self.frames.get(owner)
            if holder is None or (node.kind in (Kind.BOUNDARY, Kind.START) and not any(index == armed for armed, _ in holder.armed)):
                continue
            assert node.event is not None
            assert node.event.condition is not None
            true = self.becomes(owner, node, holder.frame if isinstance(holder, Token) else owner)
            seen = dict(holder.armed).get(index, 0)
            if true and not seen:
                self.trigger(owner, index)
                fired = True
            elif seen and not true:
                armed = tuple((key, 0 if key == index else state) for key, state in holder.armed)
                if isinstance(holder, Token):
                    self.tokens[owner] = holder._replace(armed=armed)
                else:
                    self.frames[owner] = holder._replace(armed=armed)
        return fired


#: Instead of a flow number: a throw that has already been put off.
_DEFERRED = -2


def _throws(node: Node) -> bool:
    """Whether arriving here sends a message or signal, which others armed in the same act shall hear."""
    event = node.event
    return event is not None and event.kind in ("message", "signal") and node.kind in (Kind.THROW, Kind.END, Kind.SEND_TASK)


_ARRIVALS: Mapping[Kind, Callable[[Play, int, Node, int], None]] = {
    Kind.START: Play.passing,
    Kind.END: Play.throwing,
    Kind.THROW: Play.throwing,
    Kind.CATCH: Play.resting,
    Kind.EVENT_GATEWAY: Play.resting,
    Kind.EXCLUSIVE: Play.exclusive,
    Kind.PARALLEL: Play.parallel,
    Kind.INCLUSIVE: Play.inclusive,
}

"""The token game: marking × act -> marking, over a net. Pure: no clock, no storage, no facts; the host answers what needs them.

Sections are those of BPMN 2.0.2 (OMG formal/2013-12-09); docs/conformance.md tells element by element what is run, and which tests show
each policy.

POLICIES, where the standard leaves the choice to us or we go beyond it:

*Order of one act.* Tokens move, oldest first, until nothing moves; elements that throw a message or signal go last, so that a catcher
armed in the same act hears them. Then conditional events are looked at, outer frames first, then tokens by age. Then one inclusive join,
a level before those in it, in document order within a level. Then one empty frame is closed, the youngest first. Then all of it again. More than STEP_LIMIT steps in one act is an
error, and the act does not happen.

*Joins* count arrivals for each incoming flow (13.4.1). An inclusive join follows 13.4.3; boundary events are exits of their activity and
links are flows, while ways back by `send_back_to` are no sequence flows: a join does not wait for something that could only be sent back.

*Conditions* take true, false or null. A gateway without a true condition or default is an error (13.4.2, 13.4.3), the act does not happen.

*Errors* and *escalations* (propagation, 10.5.1 and 10.5.6) search outward from where they are thrown: event sub-processes of the frame,
then boundary events of the activity that opened it, then the frame around; the exact code before one without, which catches all (8.4.3).
An error nobody catches ends the case with the outcome `error:CODE`; an escalation nobody catches is dropped. Only the innermost catcher
hears it, and an event sub-process does not hear what is thrown inside itself.

*Work that fails* without naming a code (`ServiceFailed`) is an error that only an event without a code hears, searched for outward like
any other. Heard by nobody, it does not end the case, as the diagram says nothing about it: the token rests where it is, a wait of kind
`service`, its boundary events armed; the rest of the act happens. The act `retry` tries the work again, and only when it is done does
what follows it happen (flows, a send task's message, the end an end event means).

*Signals* (publication, 10.5.1) are heard by everything armed in the case at that moment, *messages* by one catcher: the one named by the act, else the
first in the order of `waiting`. A message thrown inside the case can be caught inside it. A throw whose own frame is interrupted by its catcher does not go on.

*Conditional events* fire when the condition becomes true; being true when they are armed counts as becoming true. A non-interrupting one
stays armed and fires again only after it was seen false. Conditions are looked at after every act.

*Boundary and event sub-process timers* that do not interrupt fire once; a cycle `Rn/…` n times, `R/…` without end. Non-interrupting message,
signal and escalation events stay armed. An interrupting event sub-process clears its frame (tokens, other event sub-processes running in
it), disarms all event starts of it, and when it is through the frame ends normally (10.5.6, 13.5.4).

*Terminate* (13.5.6) ends the scope that holds the event: the process with everything, one sub-process, one called process, one event
sub-process, or one instance of a repeated one.

*Repeated activities* (13.3.7): the list is read once, when the activity is entered; at most MAX_INSTANCES; none means it is passed.
The completion condition is read after each instance and sees that instance's locals and the counters. Boundary events belong to the whole.

*The outcome* is the end event that a token of the process itself reached last, or of an interrupting event sub-process directly in it.
End events of non-interrupting event sub-processes do not change the outcome.

*A send-back* leaves the step by its virtual flow: other branches are not touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.board import BpmnError, Host, NotForeseen, ServiceFailed
from engine.errors import BadInstances, NotSendBack, NotWaiting, NoWayOut, TooManySteps, UnknownFormat
from engine.marking import ROOT, Marking, Passed, Step, Wait
from engine.net import Kind, Net, Node
from engine.play import Play

# --- acts -------------------------------------------------------------------------------------------------------------------------------


def start(net: Net, host: Host, event: str | None = None) -> Step:
    """Start a case (13.2). `event` is the message or signal name, or the element id, of a start event other than the plain one.

    Raises:
        NotWaiting: there is no such start event.
    """
    node = net.start
    if event is not None:
        found = [item for item in net.starts if event in (item.element, item.event.name if item.event else None)]
        if not found:
            raise NotWaiting(wait=event)
        node = found[0]
    play = _play(net, host, Marking({}, {}))
    play.open(0, 0, 0, node.index)
    return play.settle()


def complete(net: Net, marking: Marking, token: int, host: Host) -> Step:
    """Complete a waiting user, manual or receive task.

    Raises:
        NotWaiting: no task waits with this token.
    """
    play = _play(net, host, marking)
    node = play.task(token)
    if node is None:
        raise NotWaiting(wait=token)
    play.leave(token)
    return play.settle()


def send_back(net: Net, marking: Marking, token: int, target: str, host: Host) -> Step:
    """Return a waiting user task to a step listed in its `send_back_to`; `target` is an id path or an element id beside it.

    Raises:
        NotWaiting: no task waits with this token.
        NotSendBack: the step may not return there.
    """
    play = _play(net, host, marking)
    node = play.task(token)
    if node is None:
        raise NotWaiting(wait=token)
    for index in node.send_backs:
        flow = net.flows[index]
        if target in (net.nodes[flow.target].id, net.nodes[flow.target].element):
            frame = play.tokens.pop(token).frame
            play.note(node, "left")
            play.queue.append((frame, flow.target, index))
            return play.settle()
    raise NotSendBack(to=target)


def fire(net: Net, marking: Marking, wait: Wait, host: Host) -> Step:
    """Let a timer happen that is due (13.5.2 to 13.5.4).

    Raises:
        NotWaiting: the timer is no longer armed.
    """
    return _one(net, marking, wait, "timer", None, host)


def retry(net: Net, marking: Marking, wait: Wait, host: Host) -> Step:
    """Try the work again at which a token rests because it failed; when it fails again, the token goes on resting.

    Raises:
        NotWaiting: no failed work waits there any more.
    """
    play = _play(net, host, marking)
    if not any((owner, node, kind) == (wait.owner, wait.node.index, "service") for kind, owner, node, _ in play.waits()):
        raise NotWaiting(wait=wait.key)
    play.again(wait.owner)
    return play.settle()


def deliver(net: Net, marking: Marking, kind: str, name: str, host: Host, wait: Wait | None = None) -> Step:
    """Hand over a "message" or "signal"; `wait` narrows to one catcher.

    Raises:
        NotWaiting: nobody waits for the message. A signal nobody waits for is no error.
    """
    if wait is not None:
        return _one(net, marking, wait, kind, name, host)
    play = _play(net, host, marking)
    if kind == "signal":
        play.signal(name)
    elif not play.message(name):
        raise NotWaiting(wait=name)
    return play.settle()


def touch(net: Net, marking: Marking, host: Host) -> Step:
    """Facts have changed: look at conditional events."""
    return _play(net, host, marking).settle()


def resume(net: Net, marking: Marking, host: Host) -> Step:
    """Go on in a net that the marking was carried over to (`remap`): parallel joins that have all they wait for there let it through, and
    whatever else has come to be so happens."""
    play = _play(net, host, marking)
    for number, frame in marking.frames.items():
        arrived = dict(frame.arrivals)
        for flow in arrived:
            join = net.nodes[net.flows[flow].target]
            if join.kind is Kind.PARALLEL and flow == join.incoming[0]:
                for _ in range(min(arrived.get(other, 0) for other in join.incoming)):
                    play.take_arrivals(number, (flow,))
                    play.queue.append((number, join.index, flow))
    return play.settle()


def cancel(net: Net, marking: Marking, outcome: str) -> Step:
    """End the case from outside with an outcome of its own.

    Raises:
        NotWaiting: it has ended already.
    """
    if marking.ended is not None:
        raise NotWaiting(wait=marking.ended)
    play = Play(net, _NOBODY, marking)
    play.finish(outcome)
    return play.settle()


def waiting(net: Net, marking: Marking) -> tuple[Wait, ...]:
    """Everything that an act or event can move: tasks and catch events by age, each followed by its boundary events; then event
    sub-processes. Errors and escalations wait for nothing from outside and are not listed."""
    play = Play(net, _NOBODY, marking)
    locals_of: dict[int, Mapping[str, Any]] = {}
    result = []
    for kind, owner, index, count in play.waits():
        frame = marking.tokens[owner].frame if owner in marking.tokens else owner
        if frame not in locals_of:
            locals_of[frame] = play.local(frame)
        result.append(Wait(kind, owner, net.nodes[index], locals_of[frame], count))
    return tuple(result)


def _one(net: Net, marking: Marking, wait: Wait, kind: str, name: str | None, host: Host) -> Step:
    play = _play(net, host, marking)
    index, event = wait.node.index, wait.node.event
    armed = any((owner, node) == (wait.owner, index) and found == kind for found, owner, node, _ in play.waits())
    if not armed or (name is not None and (event is None or event.name != name)):
        raise NotWaiting(wait=wait.key)
    play.trigger(wait.owner, index)
    return play.settle()


def _play(net: Net, host: Host, marking: Marking) -> Play:
    """The act about to be played. A host may bring the player (`Move.play`): one that notes what is passed and plays the same."""
    make = getattr(host, "play", Play)
    return make(net, host, marking)


class _Nobody:
    """Stands in where no fact can be asked for."""

    def evaluate(self, expression: str, local: Mapping[str, Any]) -> Any:
        """Nothing is known."""
        return None

    def run(self, node: Node, local: Mapping[str, Any]) -> None:
        """Nothing is done."""


_NOBODY = _Nobody()


__all__ = [
    "ROOT",
    "BadInstances",
    "BpmnError",
    "Host",
    "Marking",
    "NoWayOut",
    "NotForeseen",
    "NotWaiting",
    "Passed",
    "ServiceFailed",
    "Step",
    "TooManySteps",
    "UnknownFormat",
    "Wait",
    "cancel",
    "complete",
    "deliver",
    "fire",
    "resume",
    "retry",
    "send_back",
    "start",
    "touch",
    "waiting",
]

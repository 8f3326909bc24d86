"""Which facts can still make a difference: one that is answered anew before anything reads it need not be remembered."""

from __future__ import annotations

from collections.abc import Iterable

from engine.checker.footprint import Footprints, Move
from engine.checker.world import State, World


class Liveness:
    """Forgets what no longer matters.

    Args:
        always: facts that the office's own rules read at the end.
    """

    def __init__(self, world: World, prints: Footprints, always: Iterable[str] = ()) -> None:
        self.world, self.net = world, world.net
        held = world.facts.held
        always = frozenset(always)
        #: Per place of a held fact: where a token may rest, or an event be armed, that can still come to read it.
        self.read_from: list[int] = []
        places = {move: footprint.place for move, footprint in prints.all.items()}
        lands = {move: footprint.lands for move, footprint in prints.all.items()}
        for name in held:
            if name in always:
                self.read_from.append(-1)
                continue
            reads = [move for move in prints.all if name in prints.all[move].exposed]
            passes = [move for move in prints.all if name not in prints.all[move].renewed]
            mask = 0
            for move in reads:
                mask |= places[move]
            grown = True
            while grown:
                grown = False
                for move in passes:
                    if lands[move] & mask and places[move] & ~mask:
                        mask |= places[move]
                        grown = True
            self.read_from.append(mask)
        self._known: dict[int, tuple[int, ...]] = {}
        self._starts = {scope.index: sum(1 << start for start in scope.event_starts) for scope in self.net.scopes}

    def forget(self, state: State) -> State:
        """The state without facts that no longer matter."""
        if state.marking.ended is not None:
            here = 0
        else:
            here = 0
            for token in state.marking.tokens.values():
                here |= 1 << token.node
            for frame in state.marking.frames.values():
                here |= self._starts[frame.scope]
                for flow, _ in frame.arrivals:
                    here |= 1 << self.net.flows[flow].target
        if here not in self._known:
            self._known[here] = tuple(place for place, mask in enumerate(self.read_from) if not mask & here and mask != -1)
        dead = [place for place in self._known[here] if state.held[place] != self.world.null]
        if not dead:
            return state
        kept = list(state.held)
        for place in dead:
            kept[place] = self.world.null
        return state._replace(held=tuple(kept))


__all__ = ["Liveness", "Move"]

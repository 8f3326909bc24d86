"""Plays scenarios behind the pages, one after another, so that what they reach is known the next time; nobody waits longer than he said."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine import coverage
from engine.matrix import Shown
from engine.sandbox import Base
from engine.sandbox_views import ScenarioPlayed
from engine.witness import Seen

if TYPE_CHECKING:
    from engine.service import Engine

log = logging.getLogger(__name__)

#: A procedure's base with one of its scenarios: file name and text.
Wanted = tuple[Base, str, str]


class Reach:
    """What scenarios do, as far as they have been played. One thread plays, as long as there is something to be played."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._todo: deque[Wanted] = deque()
        self._queued: set[tuple[str, str, str]] = set()
        self._broken: set[tuple[str, str, str]] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False

    def of(self, wanted: Sequence[Wanted], *, wait: float | None) -> tuple[Shown, ...]:
        """What each of these scenarios does.

        Args:
            wait: seconds to wait for those that have not been played; None = until all have been. What is late is told as `waiting`.
        """
        with self._changed:
            for one in wanted:
                key = _key(one)
                if key not in self._queued and key not in self._broken and coverage.known(*one) is None:
                    self._queued.add(key)
                    self._todo.append(one)
            if self._todo and self._thread is None and not self._closing:
                self._thread = threading.Thread(target=self._play, name="scenarios", daemon=True)
                self._thread.start()
            self._changed.wait_for(lambda: self._closing or self._queued.isdisjoint(map(_key, wanted)), wait)
        return tuple(self._shown(one) for one in wanted)

    def close(self) -> None:
        """Play no further; waits for the scenario at hand."""
        with self._changed:
            self._closing = True
            thread = self._thread
            self._changed.notify_all()
        if thread is not None:
            thread.join(30)

    def _play(self) -> None:
        while True:
            with self._changed:
                if self._closing or not self._todo:
                    self._thread = None
                    return
                base, name, text = one = self._todo.popleft()
            broken = False
            try:
                coverage.play_one(type(self._engine), self._engine.settings, base, name, text)
            except Exception:  # a fault of ours must not end the thread; the page says that this one could not be played
                log.exception("the scenario %s could not be played", name)
                broken = True
            with self._changed:
                self._queued.discard(_key(one))
                if broken:
                    self._broken.add(_key(one))
                self._changed.notify_all()

    def _shown(self, one: Wanted) -> Shown:
        base, name, text = one
        if _key(one) in self._broken:
            return Shown(name, coverage.scenario_of(text, name).title, base.process_id, "failed")
        found = coverage.known(base, name, text)
        if found is None:
            return Shown(name, coverage.scenario_of(text, name).title, base.process_id, "waiting")
        return tell(base, *found)


def tell(base: Base, played: ScenarioPlayed, seen: Seen) -> Shown:
    """What a scenario that was played does."""
    state = "passed" if played.passed else "failed"
    return Shown(played.name, played.title, base.process_id, state, coverage.done(base.net, seen))


def _key(one: Wanted) -> tuple[str, str, str]:
    base, name, text = one
    return base.digest, name, text


__all__ = ["Reach", "Wanted", "tell"]

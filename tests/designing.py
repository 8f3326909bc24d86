"""Offices for the tests of the designer: two people who may put diagrams in force, one who may not, and the application over their engine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from waitress import create_server, wasyncore

from engine import Engine, SetClock, Viewer, hash_password
from engine.checker.proving import Prover
from tests.support import SINCE, World, make_world
from webui import create_app

PASSWORD = "a-long-and-quiet-password"
#: Both may put diagrams in force; the third may not; the last may, in another office.
ONE, TWO, OTHER, STRANGER = "designer.one", "designer.two", "official", "designer.elsewhere"


@cache
def hashed_password() -> str:
    """Of `PASSWORD`."""
    return hash_password(PASSWORD)


@dataclass
class Studio:
    """A world with people who design."""

    world: World
    address: str = ""

    @property
    def engine(self) -> Engine:
        return self.world.engine

    @property
    def clock(self) -> SetClock:
        return self.world.clock

    def viewer(self, person: str = ONE) -> Viewer:
        """Who is looking."""
        return self.engine.viewer(person)


def furnish(world: World) -> Studio:
    """The people, with a password each."""
    office = world.engine.organisation(world.office)
    role = office.rules.deployers[0]
    seat = next(seat for seat in office.seats(SINCE) if seat.startswith(f"{role}@"))
    plain = next(seat for seat in office.seats(SINCE) if seat.startswith("staff@"))
    for person, name, held in ((ONE, "設計の担当", seat), (TWO, "設計の補佐", seat), (OTHER, "一般の職員", plain)):
        world.engine.register(person, office.id, name, email=None, password_hash=hashed_password())
        world.engine.appoint(person, held, since=SINCE)
    if "elsewhere" in world.engine.organisations:
        world.engine.register(STRANGER, "elsewhere", "よその設計の担当", email=None, password_hash=hashed_password())
        world.engine.appoint(STRANGER, "general_protection_manager@elsewhere", since=SINCE)
    return Studio(world)


def make_studio(folder: Path, *, isa: bool = False) -> Studio:
    """A studio on a fresh database. Its office's own diagrams are in force without a proof; drafts are proven for real."""
    return furnish(make_world(folder, isa=isa, prove=Prover(None)))


@contextmanager
def served(studio: Studio) -> Iterator[Studio]:
    """The studio behind a real server on loopback."""
    server = create_server(create_app(studio.engine, secret_key="test"), host="127.0.0.1", port=0, threads=6, ident="")
    thread = threading.Thread(target=server.run, name="web", daemon=True)
    thread.start()
    studio.address = f"http://127.0.0.1:{server.effective_port}"
    try:
        yield studio
    finally:
        # A page may still be asking: its answer is waited for, then the server's own thread closes what it selects from.
        server.task_dispatcher.shutdown()
        server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map, ignore_all=True))
        thread.join(10)
        studio.engine.close()

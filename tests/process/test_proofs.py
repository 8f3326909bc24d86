"""The shipped procedures come into force with their proofs; every other test takes them as proven."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from engine import Engine, SetClock
from engine.model import definition
from tests.process.conftest import Office
from tests.support import MONDAY, make_engine, populate


def in_force(engine: Engine) -> set[str]:
    with engine.reading() as connection:
        return set(connection.scalars(sa.select(definition.c.process_id)))


def test_the_agencys_procedures_are_proven_before_they_come_into_force(office: Office, tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/proven.sqlite", SetClock(MONDAY), isa=True, prove=None)
    engine.migrate()
    populate(engine, ("isa",))
    assert in_force(engine) == in_force(office.engine) != set(), "what the other tests run, nothing is refused"
    engine.close()

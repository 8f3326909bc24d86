"""The demonstration: one account per seat, and the nine real incidents at different stages; told by data in the office's folder."""

from __future__ import annotations

import dataclasses
import tempfile
import tomllib
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

from engine import JST, Engine, Player, SetClock, Settings, civil_day, hash_password, load_scenario

PASSWORD = "tadachi-demo-2026"  # noqa: S105 - printed on the sign-in page of the demonstration, and nowhere else of use
ORGANISATION = "isa"
SINCE = date(2022, 4, 1)


def prepare(engine: Engine) -> bool:
    """Fill an empty database with the demonstration; False when there are people already."""
    office = engine.organisation(ORGANISATION)
    if engine.people_of(ORGANISATION):
        return False
    told = tomllib.loads((office.folder / "demo.toml").read_text("utf-8"))
    populate(engine, set(told["units"]))
    play_cases(engine, told["cases"])
    return True


def populate(engine: Engine, units: set[str]) -> None:
    """One account per seat of these units, named by title; one hash serves all, as all share the demo's password."""
    office = engine.organisation(ORGANISATION)
    hashed = hash_password(PASSWORD)
    for seat in office.seats(civil_day(engine.clock.now())):
        role, _, unit = seat.partition("@")
        if unit not in units:
            continue
        person = f"{unit}.{role}".replace("_", "-")
        engine.register(person, ORGANISATION, office.seat_name(seat), email=f"{person}@example.go.jp", password_hash=hashed)
        engine.appoint(person, seat, since=SINCE)


def play_cases(engine: Engine, cases: list[dict[str, object]]) -> None:
    """Put the diagrams in force and play each case on a clock of its own, so that open ones look as if they happened lately."""
    office = engine.organisation(ORGANISATION)
    real = engine.clock
    clock = SetClock(datetime(SINCE.year, SINCE.month, SINCE.day, tzinfo=JST))
    engine.clock = clock
    try:
        engine.deploy(ORGANISATION, f"{ORGANISATION}.designer")
        order = []
        for told in cases:
            scenario = load_scenario(office.folder / "scenarios" / str(told["scenario"]))
            starts = scenario.starts
            if "days_ago" in told:
                day = civil_day(real.now()) - timedelta(days=int(str(told["days_ago"])))
                starts = datetime.combine(day, starts.astimezone(JST).time(), JST)
            order.append((starts, scenario, str(told["until"]) if "until" in told else None))
        for starts, scenario, until in sorted(order, key=lambda item: item[0]):
            Player(engine, clock, ORGANISATION, limit=real.now(), rounds=False).play(scenario, starts=starts, until=until)
        Player(engine, clock, ORGANISATION, rounds=False).move_to(real.now())  # years of nightly rounds would bury the cases
    finally:
        engine.clock = real


def remove(settings: Settings) -> None:
    """Delete the embedded database; refuses to touch any other."""
    prefix = "sqlite:///"
    if not settings.database.startswith(prefix):
        raise SystemExit("demo-reset は組込みのデータベース（SQLite）だけを消せます。")
    path = Path(settings.database.removeprefix(prefix))
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def play(file: Path, organisation: str, say: Callable[[str], None]) -> None:
    """Play a scenario on a database that is thrown away, with a person in every seat."""
    scenario = load_scenario(file)
    with tempfile.TemporaryDirectory() as folder:
        settings = dataclasses.replace(Settings.from_environment(), database=f"sqlite:///{folder}/play.sqlite", mail="")
        clock = SetClock(scenario.starts)
        engine = Engine(settings, clock=clock, prove=Engine.unproven)  # a run that shows a fault must be playable too
        try:
            engine.migrate()
            office = engine.organisation(organisation)
            for seat in office.seats(civil_day(scenario.starts)):
                person = seat.replace("@", ".")
                engine.register(person, organisation, office.seat_name(seat), email=None, password_hash=None)
                engine.appoint(person, seat, since=SINCE)
            engine.deploy(organisation, f"designer.{office.id}")
            player = Player(engine, clock, organisation, say)
            say(player.stands(player.play(scenario)))
        finally:
            engine.close()

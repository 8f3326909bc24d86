"""Signing in: passwords, delays after failures, sessions that end, and what an unknown id can learn."""

from __future__ import annotations

import importlib.util
import time
from datetime import timedelta

import pytest
from argon2 import PasswordHasher, Type, extract_parameters

from engine import FormInvalid, Locked, PersonNotFound, SignInRefused, accounts, check_new_password, hash_password
from engine.model import metadata
from tests.support import STAFF, World

# The office of the tests says so in its rules.toml.
FREE_TRIES, LOCK, IDLE, ABSOLUTE = 5, timedelta(minutes=15), timedelta(minutes=30), timedelta(hours=10)

PASSWORD = "長くて推測されない合言葉2026"
HASHED = hash_password(PASSWORD)


@pytest.fixture
def user(world: World) -> str:
    """Somebody with a password."""
    world.engine.register("user", "office", "利用者", email=None, password_hash=HASHED)
    world.engine.appoint("user", STAFF)
    return "user"


def fail(world: World, person: str, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(SignInRefused):
            world.engine.sign_in(person, "まちがい")


def tags(world: World) -> list[str]:
    return [row["tag"] for row in world.rows("history") if row["tag"].startswith("person.") if "sign" in row["tag"]]


def test_the_right_password_signs_in_and_is_recorded(world: World, user: str) -> None:
    assert world.engine.sign_in(user, PASSWORD) == user
    fail(world, user)
    assert tags(world) == ["person.signed_in", "person.sign_in_refused"]
    assert PASSWORD not in str(world.rows("history")) + str(world.rows("person"))
    assert world.engine.verify_history() == ()


@pytest.mark.parametrize("person", ["nobody", "", "x" * 5_000, "a\x00b", "\ud800", "' OR 1=1 --", "USER"], ids=range(7))
def test_an_unknown_id_gets_the_same_answer(both: World, person: str) -> None:
    with pytest.raises(SignInRefused) as refused:
        both.engine.sign_in(person, PASSWORD)
    assert refused.value.text == SignInRefused.message


@pytest.mark.parametrize("password", ["", "x" * 100_000, "\x00", "\ud800"], ids=range(4))
def test_any_password_can_be_wrong(world: World, user: str, password: str) -> None:
    with pytest.raises(SignInRefused):
        world.engine.sign_in(user, password)


def test_unknown_ids_cost_as_much_time_as_known_ones(world: World, user: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_hasher", PasswordHasher())
    with world.engine.writing() as connection:
        connection.execute(metadata.tables["person"].update().values(password_hash=hash_password(PASSWORD)))

    def cost(person: str) -> float:
        took = []
        for _ in range(3):
            begin = time.process_time()
            fail(world, person)
            took.append(time.process_time() - begin)
        return min(took)

    known, unknown = cost(user), cost("nobody")
    assert 0.4 < known / unknown < 2.5, "both hash a password"


def test_installations_hash_as_rfc_9106_asks_for_and_nobodys_hash_like_everybodys() -> None:
    """Memory-constrained choice of RFC 9106, section 4; the module is read anew, as the tests' own hasher is weak."""
    found = importlib.util.find_spec("engine.accounts")
    assert found is not None
    assert found.loader is not None
    anew = importlib.util.module_from_spec(found)
    found.loader.exec_module(anew)
    parameters = extract_parameters(anew.hash_password(PASSWORD))
    assert parameters.type is Type.ID
    assert parameters.memory_cost >= 64 * 1024, "KiB"
    assert parameters.time_cost >= 3
    assert extract_parameters(anew._nobody()) == parameters


def test_an_ended_account_and_one_without_a_password(world: World, user: str) -> None:
    for person in ("staff.a", user):
        world.disable(user)
        with pytest.raises(SignInRefused):
            world.engine.sign_in(person, PASSWORD)
    with pytest.raises(PersonNotFound):
        world.viewer(f"person:{user}")


def test_five_failures_lock_for_a_quarter_of_an_hour(world: World, user: str) -> None:
    fail(world, user, FREE_TRIES)
    for _ in range(3):
        with pytest.raises(Locked):
            world.engine.sign_in(user, PASSWORD)
    world.clock.advance(seconds=LOCK.total_seconds() - 1)
    with pytest.raises(Locked):
        world.engine.sign_in(user, PASSWORD)
    world.clock.advance(seconds=1)
    assert world.engine.sign_in(user, PASSWORD) == user
    fail(world, user, FREE_TRIES - 1)
    assert world.engine.sign_in(user, PASSWORD) == user, "a success starts the count anew"
    fail(world, user, FREE_TRIES - 1)
    assert world.engine.sign_in(user, PASSWORD) == user


def test_sessions_end_when_idle_when_old_and_at_once(world: World, user: str) -> None:
    engine, clock = world.engine, world.clock
    token = engine.open_session(user)
    assert token not in str(world.rows("session")), "a read of the table signs nobody in"
    for _ in range(3):
        clock.advance(seconds=IDLE.total_seconds())
        assert engine.session_person(token) == user
    clock.advance(seconds=IDLE.total_seconds() + 1)
    assert engine.session_person(token) is None
    token = engine.open_session(user)
    for _ in range(int(ABSOLUTE / timedelta(minutes=20))):
        clock.advance(minutes=20)
        assert engine.session_person(token) == user
    clock.advance(minutes=1)
    assert engine.session_person(token) is None, "ten hours, however busy"
    first, second = engine.open_session(user), engine.open_session(user)
    engine.end_session(first)
    assert (engine.session_person(first), engine.session_person(second)) == (None, user)
    third = engine.open_session(user)
    engine.end_sessions_of(user, keep=third)
    assert (engine.session_person(second), engine.session_person(third)) == (None, user)
    world.disable(user)
    assert engine.session_person(third) is None
    assert engine.session_person("made up") is None and engine.session_person("") is None


def test_reading_pages_does_not_write_each_time(world: World, user: str) -> None:
    token = world.engine.open_session(user)
    before = world.checksums()["session"]
    world.clock.advance(seconds=59)
    world.engine.session_person(token)
    assert world.checksums()["session"] == before


@pytest.mark.parametrize(
    "password", ["短い", "password1234", "PasswordPassword", "aaaaaaaaaaaa", "abababababab", "staff.member.one", "x" * 201]
)
def test_weak_passwords(password: str) -> None:
    with pytest.raises(FormInvalid) as refused:
        check_new_password(password, "staff.member.one")
    assert list(refused.value.fields) == ["new"]


def test_changing_a_password(world: World, user: str) -> None:
    with pytest.raises(FormInvalid) as refused:
        world.engine.change_password(user, "まちがい", "新しくて長い合言葉です")
    assert list(refused.value.fields) == ["old"]
    with pytest.raises(FormInvalid):
        world.engine.change_password(user, PASSWORD, "短い")
    world.engine.change_password(user, PASSWORD, "新しくて長い合言葉です2027")
    with pytest.raises(SignInRefused):
        world.engine.sign_in(user, PASSWORD)
    assert world.engine.sign_in(user, "新しくて長い合言葉です2027") == user

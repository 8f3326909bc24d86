"""Identities of sign-in sources: whom they stand for, and what is written when somebody comes with one."""

from __future__ import annotations

import json

import pytest

from engine import AccountEnded, IdentityInvalid, IdentityNotFound, IdentityTaken, IdentityUnknown, PersonNotFound, civil_day
from engine.model import metadata
from tests.support import World

WHO = "protection_manager.a"


def recorded(world: World) -> list[tuple[str, str, str, dict[str, str]]]:
    """Sign-ins in the record: office, tag, person, data."""
    rows = [row for row in world.rows("history") if "sign" in row["tag"]]
    return [(row["organisation"], row["tag"], row["person"], json.loads(row["data"])) for row in rows]


def test_an_identity_stands_for_the_person_it_was_linked_with(both: World) -> None:
    engine = both.engine
    engine.link_identity(WHO, "oidc", "sub-1", "admin")
    engine.link_identity(WHO, "oidc", "sub-2", "admin")
    assert engine.sign_in_by("oidc", "sub-1") == engine.sign_in_by("oidc", "sub-2") == WHO
    assert [(link.subject, link.linked_by) for link in engine.links_of(WHO)] == [("sub-1", "admin"), ("sub-2", "admin")]
    assert recorded(both) == [("office", "person.signed_in", WHO, {"source": "oidc"})] * 2
    assert engine.unlink_identity("oidc", "sub-1", "admin") == WHO
    with pytest.raises(IdentityUnknown):
        engine.sign_in_by("oidc", "sub-1")
    about = [(row["tag"], row["person"]) for row in both.rows("history") if row["tag"].startswith("identity.")]
    assert about == [("identity.linked", "admin"), ("identity.linked", "admin"), ("identity.unlinked", "admin")]
    assert engine.verify_history() == ()


def test_what_cannot_be_linked(both: World) -> None:
    engine = both.engine
    engine.link_identity(WHO, "oidc", "sub-1", "admin")
    history = both.rows("history")
    with pytest.raises(IdentityTaken) as taken:
        engine.link_identity("staff.a", "oidc", "sub-1", "admin")
    assert WHO in taken.value.text
    with pytest.raises(PersonNotFound):
        engine.link_identity("nobody", "oidc", "sub-2", "admin")
    for source, subject in (
        ("", "x"),
        ("OIDC", "x"),
        ("oidc", ""),
        ("oidc", "x" * 256),
        ("oidc", "x\0"),
        ("oidc", "\ud800"),
        ("directory", "x"),
    ):
        with pytest.raises(IdentityInvalid):
            engine.link_identity(WHO, source, subject, "admin")
    with pytest.raises(IdentityNotFound):
        engine.unlink_identity("oidc", "sub-2", "admin")
    assert both.rows("history") == history and len(both.rows("identity")) == 1


@pytest.mark.parametrize("subject", ["unknown", "", "SUB-1", "sub-1 ", "x" * 5_000, "a\x00b", "\ud800", "' OR 1=1 --", WHO], ids=range(9))
def test_an_identity_nobody_knows(both: World, subject: str) -> None:
    both.engine.link_identity(WHO, "oidc", "sub-1", "admin")
    with pytest.raises(IdentityUnknown) as refused:
        both.engine.sign_in_by("oidc", subject)
    assert refused.value.text == "この認証の利用者は、この庁のタダチに登録されていません。"
    assert recorded(both) == [], "with two offices here, none can be told"


def test_where_there_is_one_office_it_is_told_of_identities_nobody_knows(isa: World) -> None:
    with pytest.raises(IdentityUnknown):
        isa.engine.sign_in_by("oidc", "somebody\0")
    assert recorded(isa) == [("isa", "person.sign_in_refused", "system", {"source": "oidc", "subject": "somebody\ufffd"})]


def test_a_claim_that_is_the_person_id(world: World) -> None:
    with pytest.raises(IdentityUnknown):
        world.engine.sign_in_by("oidc", WHO)
    assert world.engine.sign_in_by("oidc", WHO, as_id=True) == WHO
    world.engine.link_identity("staff.a", "oidc", WHO, "admin")
    assert world.engine.sign_in_by("oidc", WHO, as_id=True) == "staff.a", "a link goes before the name"
    with pytest.raises(IdentityUnknown):
        world.engine.sign_in_by("oidc", "system", as_id=True)


def test_taking_an_identity_away_signs_the_person_out(world: World) -> None:
    world.engine.link_identity(WHO, "oidc", "sub-1", "admin")
    token = world.engine.open_session(WHO)
    world.engine.unlink_identity("oidc", "sub-1", "admin")
    assert world.engine.session_person(token) is None and world.engine.viewer(WHO).person == WHO


def test_an_office_links_its_own_people_only(world: World) -> None:
    with pytest.raises(PersonNotFound):
        world.engine.link_identity(WHO, "oidc", "sub-1", "admin", "elsewhere")
    world.engine.link_identity(WHO, "oidc", "sub-1", "admin", "office")
    with pytest.raises(IdentityNotFound):
        world.engine.unlink_identity("oidc", "sub-1", "admin", "elsewhere")
    assert world.engine.unlink_identity("oidc", "sub-1", "admin", "office") == WHO


def test_an_ended_account(world: World) -> None:
    world.engine.link_identity(WHO, "oidc", "sub-1", "admin")
    world.disable(WHO)
    with pytest.raises(AccountEnded):
        world.engine.sign_in_by("oidc", "sub-1")
    assert recorded(world) == [("office", "person.sign_in_refused", WHO, {"source": "oidc"})]


def test_an_account_past_its_last_day(world: World) -> None:
    world.engine.link_identity(WHO, "oidc", "sub-1", "admin")
    table = metadata.tables["person"]
    with world.engine.writing() as connection:
        connection.execute(table.update().where(table.c.id == WHO).values(ends_on=civil_day(world.clock.now())))
    assert world.engine.sign_in_by("oidc", "sub-1") == WHO, "the last day is included"
    world.clock.advance(days=1)
    with pytest.raises(AccountEnded):
        world.engine.sign_in_by("oidc", "sub-1")

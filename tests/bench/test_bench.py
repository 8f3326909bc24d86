"""Every bench runs and yields figures of the right shape; no time is looked at."""

from __future__ import annotations

import json

import pytest

from tests.bench.figures import Figure, Sizes, short, table
from tests.bench.run import ALONE, BENCHES, ON_DATABASES

YIELDED = {
    "step": ["step"],
    "http": ["http"],
    "inbox": ["inbox", "poll"],
    "due": ["due"],
    "tokens": ["tokens"],
    "rounds": ["rounds"],
    "checks": ["checks"],
}


def check(figures: list[Figure], *benches: str) -> None:
    """What every list of figures has in common."""
    assert {figure.bench for figure in figures} == set(benches)
    for figure in figures:
        assert figure.value is not None and figure.value > 0, figure
        assert (figure.peer != "") == (figure.peer_value is not None), figure
        assert (figure.ratio is None) == (figure.peer == ""), figure
    assert len({(figure.what, figure.peer) for figure in figures}) == len(figures)
    assert json.loads(json.dumps([figure.as_json() for figure in figures]))[0]["bench"] == figures[0].bench
    assert all(figure.what in table(figures) for figure in figures)


@pytest.mark.parametrize("name", ON_DATABASES)
def test_on_sqlite(name: str) -> None:
    check(ON_DATABASES[name]("SQLite", None, Sizes.tiny()), *YIELDED[name])


@pytest.mark.parametrize("name", ON_DATABASES)
def test_on_postgresql(name: str, fresh_postgresql: str) -> None:
    check(ON_DATABASES[name]("PostgreSQL", fresh_postgresql, Sizes.tiny()), *YIELDED[name])


@pytest.mark.parametrize("name", ALONE)
def test_without_a_database(name: str) -> None:
    check(ALONE[name](Sizes.tiny()), *YIELDED[name])


def test_what_was_not_measured_is_said() -> None:
    text = table([Figure("step", "PostgreSQL: step", "", None, note="no server")])
    assert "not measured" in text and "no server" in text
    assert [short(value) for value in (None, 1234.5, 3.0, 0.01234)] == ["not measured", "1,234", "3", "0.0123"]
    assert set(BENCHES) == set(YIELDED)

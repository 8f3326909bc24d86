"""The rows of rules.toml and the roles of organisation.toml, each with the clauses it names and those its basis cites."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import TypeVar

from engine.citations import Place, named, split
from engine.matrix_views import BASIS, NAMED, ClauseLink, RowOfMatrix
from engine.office_files import Dated, in_force
from engine.organisation import Organisation
from engine.rules import Property

Row = TypeVar("Row", bound=Dated)


class Reader:
    """Reads which clauses of an office a sentence cites."""

    def __init__(self, office: Organisation, places: Mapping[str, tuple[Place, ...]]) -> None:
        self._places = places
        self._sources = tuple(dict.fromkeys(split(row.citation)[0] for row in office.clause_rows))

    def links(self, names: Iterable[str], text: str) -> tuple[ClauseLink, ...]:
        """The ways of something that names these clauses, and cites others in this text."""
        told = tuple(dict.fromkeys(names))
        found = named(text, self._sources) if text else ()
        cited = (one for one, places in self._places.items() if one not in told and any(a.meets(b) for a in places for b in found))
        return (*(ClauseLink(one, NAMED) for one in told), *(ClauseLink(one, BASIS) for one in cited))


def standing(rows: Iterable[Row], key: str, on: date) -> Iterator[tuple[Row, str]]:
    """Of each id (`key` is the attribute) the row in force on a day and those still to come; with the day they begin, "" when they have."""
    by_id: dict[str, list[Row]] = {}
    for row in rows:
        by_id.setdefault(getattr(row, key), []).append(row)
    for same in by_id.values():
        current = in_force(same, on)
        if current is not None:
            yield current, ""
        yield from ((row, row.valid_from.isoformat()) for row in same if row.valid_from > on)


def rows_of(office: Organisation, on: date, reader: Reader) -> tuple[RowOfMatrix, ...]:
    """Every row that names or cites a clause, or could: duties, clocks, ledgers, urgency words, properties, settings, sight, roles."""
    rules, read = office.rules, reader.links
    found: list[RowOfMatrix] = []
    for duty in rules.duties:
        if (begins := _begins(duty, on)) is not None:
            links = read((duty.clause, *duty.recorded_by), "")
            found.append(RowOfMatrix("duty", duty.clause, duty.name, "", links, duty.processes, since=begins))
    for clock, begins in standing(rules.statutory, "id", on):
        found.append(RowOfMatrix("clock", clock.id, clock.name, clock.basis, read(clock.clauses, clock.basis), since=begins))
    for ledger, begins in standing(rules.ledgers, "id", on):
        found.append(RowOfMatrix("ledger", ledger.id, ledger.name, ledger.basis, read(ledger.clauses, ledger.basis), since=begins))
    for word, begins in standing(rules.urgencies, "id", on):
        found.append(RowOfMatrix("urgency", word.id, word.label, word.basis, read((), word.basis), since=begins))
    for item, begins in standing(rules.properties, "id", on):
        steps = _steps(item)
        links = read((one for one in steps if one in office.clauses), item.basis)
        elements = tuple(one for one in steps if one not in office.clauses)
        found.append(RowOfMatrix("property", item.id, item.name, item.basis, links, item.processes, elements, begins))
    for setting, begins in standing(rules.settings, "id", on):
        found.append(RowOfMatrix("setting", setting.id, setting.name, setting.basis, read((), setting.basis), since=begins))
    for sight, begins in standing(rules.visibility, "role", on):
        name = office.roles[sight.role].name if sight.role in office.roles else sight.role
        found.append(RowOfMatrix("visibility", sight.role, name, sight.basis, read((), sight.basis), since=begins))
    for role in office.roles.values():
        found.append(RowOfMatrix("role", role.id, role.name, "", read((role.clause,) if role.clause else (), "")))
    return tuple(found)


def _begins(row: Dated, on: date) -> str | None:
    """ "" for a row in force, the day for one to come, None for one that is over."""
    if row.valid_to is not None and row.valid_to < on:
        return None
    return "" if row.valid_from <= on else row.valid_from.isoformat()


def _steps(item: Property) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*item.steps, *item.after, *item.without)))


__all__ = ["Reader", "rows_of", "standing"]

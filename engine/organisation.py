"""An office as its folder describes it: units, roles, seats, clauses and rules, by date; and everything that is wrong with the folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from engine.errors import ExpressionError, OrganisationBroken, OrganisationNotFound, UnknownUnit
from engine.expressions import compile_expression
from engine.notice_texts import MailText, read_texts
from engine.office_files import Findings, Table, in_force, read_csv, read_toml
from engine.rules import Rules
from engine.rules_file import read_rules
from engine.shown_by import ShownBy, read_tests

PERSON = "person:"  # a seat that belongs to one person, not to a unit

_COLUMNS = ("clause_id", "citation", "actor", "trigger", "action", "addressee", "urgency", "condition", "record", "plain", "valid_from")
_OPTIONAL = ("note", "valid_to", "no_procedure")


@dataclass(frozen=True)
class Role:
    """A part that the regulation gives someone to play, such as 保護管理者; `next` is the rung above, told on escalation."""

    id: str
    name: str
    clause: str = ""
    next: str = ""


@dataclass(frozen=True)
class Unit:
    """A part of the office, the seats it has, and the posts that fill them where the regulation fixes the post."""

    id: str
    name: str
    parent: str
    kind: str
    order: int
    valid_from: date
    valid_to: date | None
    seats: tuple[str, ...]
    posts: Mapping[str, str] = field(default_factory=dict)
    successor: str = ""  # the unit that takes its place when it ends

    def exists(self, on: date) -> bool:
        """Whether the office has this unit on a day; the last day is included."""
        return self.valid_from <= on and (self.valid_to is None or on <= self.valid_to)


@dataclass(frozen=True)
class Clause:
    """One duty of the regulation or of a statute, restated in our own words; `plain` is what officials read."""

    clause_id: str
    citation: str
    actor: str
    trigger: str
    action: str
    addressee: str
    urgency: str
    condition: str
    record: str
    plain: str
    valid_from: date
    note: str = ""
    valid_to: date | None = None  # empty for most: a later row of the same id already takes its place
    no_procedure: str = ""  # why no procedure carries it, where none is meant to


def split_seat(seat: str) -> tuple[str, str] | None:
    """Role and unit of `role@unit`; None for the seat of a person."""
    role, at, unit = seat.partition("@")
    return (role, unit) if at and not seat.startswith(PERSON) else None


@dataclass(frozen=True)
class Organisation:
    """One office. Everything asked about seats is asked for a day: a unit that begins tomorrow has no seats today."""

    id: str
    name: str
    short: str
    head_title: str
    owner_role: str  # who manages information: the units a form may name are those for which this role is answered
    folder: Path
    digest: str
    units: Mapping[str, Unit]
    roles: Mapping[str, Role]
    clauses: Mapping[str, Clause]  # of each id the newest row
    rules: Rules
    clause_rows: tuple[Clause, ...] = ()
    reporter_role: str = ""  # from whose seat anyone reports, for people without a main post
    successors: Mapping[str, str] = field(default_factory=dict)  # unit that ended -> the one that took its place
    notice_texts: Mapping[str, MailText] = field(default_factory=dict)  # the office's own words for mails, by template
    shown_by: tuple[ShownBy, ...] = ()  # which tests show which clause
    amendments: str = ""  # JSON of the orders laid over the folder; part of what a proof depends on
    _answered: dict[date, dict[str, tuple[str, ...]]] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def unit_names(self) -> Mapping[str, str]:
        """Unit id -> name, of units that are gone too."""
        return {unit.id: unit.name for unit in self.units.values()}

    def clause(self, clause_id: str, on: date) -> Clause | None:
        """The row of a clause in force on a day."""
        return in_force((row for row in self.clause_rows if row.clause_id == clause_id), on)

    def current_unit(self, unit_id: str, on: date) -> str:
        """The unit itself, or the one that had taken its place by a day (所管替え); the last known one when there is none."""
        seen = {unit_id}
        while (unit := self.units.get(unit_id)) is not None and unit.valid_to is not None and unit.valid_to < on:
            after = self.successors.get(unit_id)
            if after is None or after in seen or after not in self.units:
                break
            seen.add(after)
            unit_id = after
        return unit_id

    def current_seat(self, seat: str, on: date) -> str | None:
        """The seat that answers on a day for one that may belong to a unit of the past; None when nobody does."""
        parts = split_seat(seat)
        if parts is None:
            return seat
        unit = self.units.get(parts[1])
        if unit is not None and unit.exists(on) and parts[0] in unit.seats:
            return seat
        return self.resolve(parts[0], parts[1], on)

    def answered_by(self, seat: str, on: date) -> tuple[str, ...]:
        """The seats of units of the past that this seat answers for on a day."""
        if on not in self._answered:
            found: dict[str, tuple[str, ...]] = {}
            for unit in self.units.values():
                if unit.valid_to is None or unit.valid_to >= on:
                    continue
                for role in unit.seats:
                    old = f"{role}@{unit.id}"
                    heir = self.current_seat(old, on)
                    if heir is not None and heir != old:
                        found[heir] = (*found.get(heir, ()), old)
            self._answered[on] = found
        return self._answered[on].get(seat, ())

    def chain(self, unit_id: str, on: date) -> list[Unit]:
        """The unit, its parents, and the root last. Units absent on the day are passed over: a case of an abolished unit climbs.

        A unit whose place another has taken is that other from then on.
        """
        if unit_id not in self.units:
            raise UnknownUnit(unit=unit_id)
        found: list[Unit] = []
        seen: set[str] = set()
        step = self.current_unit(unit_id, on)
        while step and step not in seen:
            seen.add(step)
            unit = self.units[step]
            if unit.exists(on):
                found.append(unit)
            step = self.parent_of(unit, on)
        return found

    def parent_of(self, unit: Unit, on: date) -> str:
        """The unit above on a day: the one that took its place, when the one above is no more; empty for the root."""
        above = self.current_unit(unit.parent, on) if unit.parent else ""
        return unit.parent if above == unit.id else above

    def resolve(self, role: str, unit_id: str, on: date) -> str | None:
        """The seat of a role that answers for a unit: its own, or that of the nearest unit above; None when there is none."""
        if unit_id not in self.units:
            return None
        return next((f"{role}@{unit.id}" for unit in self.chain(unit_id, on) if role in unit.seats), None)

    def owners(self, on: date) -> list[Unit]:
        """The units that can be named as managing information on a day."""
        return self.units_with(self.owner_role, on)

    def units_with(self, role: str, on: date) -> list[Unit]:
        """The units for which a role is answered by someone: what a form may offer as 情報を管理する課室."""
        return [unit for unit in self.units.values() if unit.exists(on) and self.resolve(role, unit.id, on) is not None]

    def changes(self) -> list[date]:
        """The days on which units come to be or are no more, as far as known."""
        days = {unit.valid_from for unit in self.units.values()}
        days |= {unit.valid_to + timedelta(days=1) for unit in self.units.values() if unit.valid_to is not None}
        return sorted(days)

    def seats(self, on: date) -> list[str]:
        """Every seat of the office on a day, in the order of its units."""
        return [f"{role}@{unit.id}" for unit in self.units.values() if unit.exists(on) for role in unit.seats]

    def seat_name(self, seat: str) -> str:
        """A seat as officials write it: 審判課 保護管理者. Old records may name what no longer exists, so nothing is refused here."""
        parts = split_seat(seat)
        if parts is None:
            return "本人" if seat.startswith(PERSON) else seat
        role, unit = self.roles.get(parts[0]), self.units.get(parts[1])
        return f"{unit.name if unit else parts[1]} {role.name if role else parts[0]}"

    def post_name(self, seat: str) -> str:
        """The post that fills a seat (審判課長), or the seat's name where the regulation fixes no post (Article 5(1), second half)."""
        parts = split_seat(seat)
        unit = self.units.get(parts[1]) if parts else None
        return (unit.posts.get(parts[0], "") if unit and parts else "") or self.seat_name(seat)

    def next_seat(self, seat: str, on: date) -> str | None:
        """The next rung above a seat. A rung that the unit and its parents lack is skipped: an escalation never falls into nothing."""
        parts = split_seat(seat)
        role = self.roles.get(parts[0]) if parts else None
        while parts and role and role.next:
            above = self.resolve(role.next, parts[1], on)
            if above is not None:
                return above
            role = self.roles.get(role.next)
        return None

    def rungs(self, seat: str, on: date) -> tuple[str, ...]:
        """Every rung above a seat, from the next one up."""
        found: list[str] = []
        above = self.next_seat(seat, on)
        while above is not None and above not in found and above != seat:
            found.append(above)
            above = self.next_seat(above, on)
        return tuple(found)


def load(folder: Path) -> Organisation:
    """The office of a folder, or `OrganisationBroken` with everything that is wrong."""
    folder = Path(folder)
    if not folder.is_dir():
        raise OrganisationNotFound(organisation=folder.name)
    findings = Findings()
    rows = _read_clauses(folder / "clauses.csv", findings)
    rules = read_rules(folder / "rules.toml", findings)
    texts = read_texts(folder / "notices.toml", findings)
    shown_by = read_tests(folder / "tests.csv", {row.clause_id for row in rows}, findings)
    top = read_toml(folder / "organisation.toml", findings)
    own_id = top.identifier() if top else ""
    identity = {key: top.text(key) if top else "" for key in ("name", "short", "head_title", "owner_role")}
    identity["reporter_role"] = top.text("reporter_role", required=False) if top else ""
    roles = _read_roles(top, findings) if top else {}
    units = _read_units(top, findings) if top else {}
    if top:
        top.close()
        _check_tree(own_id, units, findings)
        _check_seats(units, roles, findings)
        for key in ("owner_role", "reporter_role"):
            if identity[key] and identity[key] not in roles:
                findings.add("unknown-role", f"{key} の役「{identity[key]}」は [[role]] にありません。", own_id, "organisation.toml")
        _check_roles(roles, {row.clause_id for row in rows}, findings)
        if rules:
            _check_rules(rules, roles, {row.clause_id for row in rows}, findings)
    if rules is None or findings.found:
        raise OrganisationBroken(findings.found, folder=folder.name)
    return Organisation(
        id=own_id,
        name=identity["name"],
        short=identity["short"],
        head_title=identity["head_title"],
        owner_role=identity["owner_role"],
        reporter_role=identity["reporter_role"],
        folder=folder,
        digest=_digest(folder),
        units=MappingProxyType(dict(sorted(units.items(), key=lambda item: item[1].order))),
        roles=MappingProxyType(roles),
        clauses=MappingProxyType({row.clause_id: row for row in sorted(rows, key=lambda row: row.valid_from)}),
        rules=rules,
        clause_rows=tuple(rows),
        notice_texts=MappingProxyType(texts),
        shown_by=shown_by,
        successors=MappingProxyType({unit.id: unit.successor for unit in units.values() if unit.successor}),
    )


def amended(office: Organisation, ends: Mapping[str, tuple[date, str]], begins: Iterable[Unit]) -> Organisation:
    """The office with units that end and begin by orders kept in the database, laid over its folder.

    Args:
        ends: unit id -> (the first day it is no more, the unit that takes its place or empty).
        begins: units the folder does not know.
    """
    units = dict(office.units)
    for unit in begins:
        units.setdefault(unit.id, unit)
    for unit_id, (first_day, _) in ends.items():
        last = first_day - timedelta(days=1)
        old = units.get(unit_id)
        if old is not None and (old.valid_to is None or old.valid_to > last):
            units[unit_id] = replace(old, valid_to=last)
    successors = {**office.successors, **{unit: successor for unit, (_, successor) in ends.items() if successor}}
    ordered = dict(sorted(units.items(), key=lambda item: item[1].order))
    return replace(office, units=MappingProxyType(ordered), successors=MappingProxyType(successors), _answered={})


def _read_roles(top: Table, findings: Findings) -> dict[str, Role]:
    roles: dict[str, Role] = {}
    for table in top.tables("role"):
        role = Role(table.identifier(), table.text("name"), table.text("clause", required=False), table.text("next", required=False))
        table.close()
        if role.id in roles:
            findings.add("duplicate-id", "同じ id の役が2つあります。", role.id, table.file)
        roles[role.id] = role
    return roles


def _read_units(top: Table, findings: Findings) -> dict[str, Unit]:
    units: dict[str, Unit] = {}
    for table in top.tables("unit"):
        unit_id = table.identifier()
        valid_from, valid_to = table.period()
        unit = Unit(
            id=unit_id,
            name=table.text("name"),
            parent=table.text("parent", required=False),
            kind=table.identifier("kind"),
            order=table.number("order", 0, 1_000_000) or 0,
            valid_from=valid_from,
            valid_to=valid_to,
            seats=table.texts("seats", required=True),
            posts=MappingProxyType(table.mapping("posts")),
            successor=table.text("successor", required=False),
        )
        table.close()
        if unit.id in units:
            findings.add("duplicate-id", "同じ id の部署が2つあります。", unit.id, table.file)
        units[unit.id] = unit
    return units


def _read_clauses(path: Path, findings: Findings) -> list[Clause]:
    rows: list[Clause] = []
    for line, row in read_csv(path, _COLUMNS, _OPTIONAL, findings):
        if any(name not in row for name in _COLUMNS):
            continue  # the missing column is already noted, once
        clause_id = row["clause_id"]
        for name in ("clause_id", "citation", "actor", "action", "plain", "valid_from"):
            if not row[name]:
                findings.add("missing-value", f"{line}行目：列「{name}」が空です。", clause_id, path.name)
        if any(mark in clause_id for mark in ", \t@"):  # diagrams list clauses separated by commas
            findings.add("bad-id", f"{line}行目：clause_id に空白・コンマ・@は使えません。", clause_id, path.name)
        if not row["valid_from"]:
            continue
        try:
            valid_from = date.fromisoformat(row["valid_from"])
            valid_to = date.fromisoformat(row["valid_to"]) if row.get("valid_to") else None
        except ValueError:
            findings.add("bad-date", f"{line}行目：日付は2022-04-01の形で書いてください。", clause_id, path.name)
            continue
        if any(other.clause_id == clause_id and other.valid_from == valid_from for other in rows):
            findings.add("duplicate-id", f"{line}行目：同じ clause_id と valid_from の行が2つあります。", clause_id, path.name)
        texts = {name: row[name] for name in _COLUMNS if name != "valid_from"}
        more = {name: row.get(name, "") for name in ("note", "no_procedure")}
        rows.append(Clause(**texts, **more, valid_from=valid_from, valid_to=valid_to))
    return rows


def _check_tree(own_id: str, units: Mapping[str, Unit], findings: Findings) -> None:
    file = "organisation.toml"
    roots = [unit.id for unit in units.values() if not unit.parent]
    if roots != [own_id]:
        found = "、".join(roots) or "なし"
        findings.add("root", f"parent の無い部署は、id が「{own_id}」の1つだけにしてください（いまは{found}）。", file=file)
    for unit in units.values():
        if unit.parent and unit.parent not in units:
            findings.add("unknown-parent", f"上位の部署「{unit.parent}」がありません。", unit.id, file)
        if unit.successor and (unit.successor not in units or unit.successor == unit.id):
            findings.add("unknown-successor", f"引き継ぐ部署「{unit.successor}」がありません。", unit.id, file)
        above, seen = unit, {unit.id}
        while above.parent in units:
            above = units[above.parent]
            if above.id in seen:
                if above.id == unit.id:  # say it for those on the circle, not for all that lead into it
                    findings.add("cycle", "上位をたどると自分に戻ります。", unit.id, file)
                break
            seen.add(above.id)


def _check_seats(units: Mapping[str, Unit], roles: Mapping[str, Role], findings: Findings) -> None:
    file = "organisation.toml"
    for unit in units.values():
        for role in unit.seats:
            if role not in roles:
                findings.add("unknown-role", f"役「{role}」は定められていません。", unit.id, file)
        for role in unit.posts:
            if role not in unit.seats:
                findings.add("post-without-seat", f"職「{unit.posts[role]}」の役「{role}」が seats にありません。", unit.id, file)
    placed = {role for unit in units.values() for role in unit.seats}
    for role in roles:
        if role not in placed:
            findings.add("role-without-seat", "この役を置く部署が1つもありません。", role, file)


def _check_roles(roles: Mapping[str, Role], clauses: set[str], findings: Findings) -> None:
    file = "organisation.toml"
    for role in roles.values():
        if role.clause and role.clause not in clauses:
            findings.add("unknown-clause", f"条項「{role.clause}」が clauses.csv にありません。", role.id, file)
        if role.next and role.next not in roles:
            findings.add("unknown-role", f"上の段の役「{role.next}」は定められていません。", role.id, file)
        above, seen = role, {role.id}
        while above.next in roles:
            above = roles[above.next]
            if above.id in seen:
                if above.id == role.id:
                    findings.add("cycle", "next をたどると自分に戻ります。", role.id, file)
                break
            seen.add(above.id)


def _check_rules(rules: Rules, roles: Mapping[str, Role], clauses: set[str], findings: Findings) -> None:
    file = "rules.toml"
    named = [(duty.clause, (duty.clause, *duty.recorded_by)) for duty in rules.duties]
    named += [(clock.id, clock.clauses) for clock in rules.statutory]
    named += [(ledger.id, ledger.clauses) for ledger in rules.ledgers]
    for element, ids in named:
        for clause in dict.fromkeys(ids):
            if clause not in clauses:
                findings.add("unknown-clause", f"条項「{clause}」が clauses.csv にありません。", element, file)
    for duty in rules.duties:
        try:
            compile_expression(duty.when or "true")
            compile_expression(duty.undecided_when or "true")
        except ExpressionError as wrong:
            findings.add("bad-expression", wrong.text, duty.clause, file)
    told = {role for row in rules.urgencies for rung in row.rungs for role in rung.tells} - {"holder", "deputy", "next"}
    for role in (
        *sorted(told),
        *(sight.role for sight in rules.visibility),
        *rules.session.privileged_roles,
        *rules.deployers,
        *rules.personnel.roles,
        *rules.personnel.approvers,
        *sorted({role for ledger in rules.ledgers for role in (*ledger.readers, *ledger.keepers)}),
    ):
        if role not in roles:
            findings.add("unknown-role", f"役「{role}」は organisation.toml にありません。", role, file)


def _digest(folder: Path) -> str:
    """One figure for the whole folder: names, lengths and contents, so that no two different folders read alike."""
    total = hashlib.sha256()
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".") and not path.name.endswith("~"))
    for path in sorted(files, key=lambda path: path.relative_to(folder).as_posix()):
        content = path.read_bytes()
        total.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()

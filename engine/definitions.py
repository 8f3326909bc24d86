"""Versions of procedures: a diagram with everything it calls and every decision table of its office, stored as one bundle."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from engine import parsing
from engine.decisions import Decision
from engine.deploy_check import check
from engine.deploy_services import Neighbours
from engine.errors import DefinitionRefused, Finding, FolderBehind, ProcessNotFound, VersionComing
from engine.limits import DEFAULT, Limits
from engine.model import Row, definition, draft_review
from engine.net import Net, Timer
from engine.organisation import Organisation
from engine.views import Viewer
from engine.witness import Seen

if TYPE_CHECKING:  # the prover itself plays procedures, and is handed in
    from engine.checker.proving import Prove


@dataclass(frozen=True)
class Definition:
    """A compiled version of a procedure."""

    id: int
    organisation: str
    process_id: str
    version: int
    name: str
    net: Net
    decisions: Mapping[str, Decision]
    files: Mapping[str, bytes]
    seen: Seen | None = field(default=None, compare=False)  # in a sandbox: what its cases have passed

    @cached_property
    def named_fields(self) -> frozenset[str]:
        """The facts that name people who take no part: fields of type `people` with property `named`."""
        fields = (spec for node in self.net.nodes for spec in node.form)
        return frozenset(spec.id for spec in fields if spec.type == "people" and spec.properties.get("named") == "true")

    @cached_property
    def people_fields(self) -> Mapping[str, str]:
        """The facts that name people, with their labels."""
        return {spec.id: spec.label for node in self.net.nodes for spec in node.form if spec.type == "people"}

    def may_start(self, viewer: Viewer) -> bool:
        """Whether one of the viewer's seats may start a case: any seat, unless the start names roles (`candidateGroups`); nobody's when
        only time or a message starts it."""
        event = self.net.start.event
        if event is not None and event.kind != "none":
            return False
        roles = {group.partition("@")[0] for group in self.net.start.candidate_groups}
        return not roles or any(held.seat.partition("@")[0] in roles for held in viewer.seats if held.kind != "decision")


@dataclass(frozen=True)
class Prepared:
    """Bundles that may come into force, and what was noticed that does not keep them from it."""

    bundles: tuple[tuple[str, str, str], ...]  # process id, name, the bundle as it is stored
    warnings: tuple[Finding, ...]
    timers: Mapping[str, Mapping[str, Timer]] = field(default_factory=dict)  # every process id -> timer start event -> when
    seen: Mapping[str, str] = field(default_factory=dict)  # process id -> digest of the newest version there was


@dataclass(frozen=True)
class Known:
    """What is stored of a procedure; of versions that were called off, nothing.

    Attributes:
        digest: of the newest version, whether in force or still to come; number: its number.
        digests: of every version.
        drawn: the newest came from a draft that a second person approved, not from the folder.
        coming: the newest is not in force yet.
    """

    digest: str
    number: int
    digests: frozenset[str]
    drawn: bool = False
    coming: bool = False


def effective(at: datetime) -> sa.ColumnElement[bool]:
    """The condition that a row of `definition` had come into force by an instant, and was not called off before its day."""
    return sa.and_(definition.c.in_force_from <= at, definition.c.cancelled_at.is_(None))


def bundle_text(files: Mapping[str, bytes]) -> str:
    """A bundle as it is stored: the same files are always the same text."""
    return json.dumps({file: data.decode() for file, data in files.items()}, ensure_ascii=False, sort_keys=True)


def digest_of(text: str) -> str:
    """The digest of a stored bundle."""
    return hashlib.sha256(text.encode()).hexdigest()


#: process id -> (name, file name -> bytes)
Bundles = dict[str, tuple[str, dict[str, bytes]]]


def bundles(folder: Path, common: Path) -> Bundles:
    """Group the diagrams of an office into bundles.

    Args:
        folder: the office's folder.
        common: diagrams several offices call.

    Returns:
        a bundle for every process that no other diagram calls.

    Raises:
        DefinitionRefused: when a file cannot be read as BPMN at all.
    """
    sources = {f"{path.parent.name}/{path.name}": path.read_bytes() for place in (folder, common) for path in sorted(place.glob("*.bpmn"))}
    tables = {f"{path.parent.name}/{path.name}": path.read_bytes() for path in sorted(folder.glob("*.dmn"))}
    return grouped(sources, tables, folder.name)


def grouped(sources: Mapping[str, bytes], tables: Mapping[str, bytes], folder: str, *, every: bool = False) -> Bundles:
    """Group diagrams into bundles; each has all tables.

    Args:
        folder: the files whose processes have bundles are named `folder/…`; the others are there to be called.
        every: whether diagrams that only call each other in a circle, which nobody can start, have one too.

    Raises:
        DefinitionRefused: when a file cannot be read as BPMN at all.
    """
    home: dict[str, str] = {}
    names: dict[str, str] = {}
    for file, data in sources.items():
        try:
            found = parsing.process_ids(data)
        except DefinitionRefused as refused:
            raise DefinitionRefused([dataclasses.replace(finding, file=file) for finding in refused.findings]) from None
        for process_id, name in found:
            if process_id in home:
                message = f"プロセスID「{process_id}」が「{home[process_id]}」と重複しています。"
                raise DefinitionRefused([Finding("duplicate_process", message, process_id, file)])
            home[process_id], names[process_id] = file, name
    calls = {process_id: parsing.called_processes(sources[file]) for process_id, file in home.items()}
    called = {target for targets in calls.values() for target in targets}
    own = [process_id for process_id, file in home.items() if file.startswith(f"{folder}/")]
    result: Bundles = {}
    covered: set[str] = set()
    for process_id in (*(one for one in own if one not in called), *(own if every else ())):
        if home[process_id] in covered and process_id in called:
            continue
        needed, todo = {home[process_id]}, [process_id]
        while todo:
            for target in calls.get(todo.pop(), ()):
                if target in home and home[target] not in needed:
                    needed.add(home[target])
                    todo.append(target)
        covered |= needed
        result[process_id] = (names[process_id], {name: sources[name] for name in sorted(needed)} | dict(tables))
    return result


def compile_bundle(
    process_id: str, files: Mapping[str, bytes], limits: Limits = DEFAULT, *, admitted: bool = False
) -> tuple[Net, dict[str, Decision]]:
    """Parse a bundle into its net and decisions.

    Args:
        admitted: the bundle is in force already: rules and limits made since then do not strand its cases.

    Raises:
        DefinitionRefused: with every finding.
    """
    decisions = parsing.parse_tables(files, limits, admitted=admitted)
    return parsing.parse_bundle(files, process_id, None, limits, admitted=admitted), decisions


def examine_bundle(
    process_id: str, files: Mapping[str, bytes], organisation: Organisation | None, beside: Neighbours | None = None
) -> tuple[Net | None, dict[str, Decision], tuple[Finding, ...]]:
    """Everything that can be told of a bundle without running it; the net is None when it cannot be run at all.

    Args:
        beside: the procedures of the office's folder, when the caller looks at more bundles than this.
    """
    limits = organisation.rules.limits if organisation is not None else DEFAULT
    findings: list[Finding] = []
    decisions: dict[str, Decision] | None = None
    try:
        decisions = parsing.parse_tables(files, limits)
    except DefinitionRefused as refused:
        findings += refused.findings
    net, found = parsing.examine(files, process_id, None, limits)
    findings += found
    if net is not None and decisions is not None:  # else what is named may stand in what cannot be read
        findings += (
            check(net, decisions, organisation, beside or neighbours(organisation))
            if organisation is not None
            else _tables_missing(net, decisions)
        )
    return net, decisions or {}, tuple(dict.fromkeys(findings))


def neighbours(organisation: Organisation) -> Neighbours:
    """The procedures in an office's folder, for what one of its diagrams says of another; read when first asked for."""
    nets: dict[str, Net | None] = {}
    found: Bundles | None = None

    def net_of(process_id: str) -> Net | None:
        nonlocal found
        if process_id not in nets:
            if found is None:
                try:
                    found = bundles(organisation.folder, organisation.folder.parent / "common")
                except DefinitionRefused:  # told at the file that cannot be read
                    return None
            if process_id not in found:
                raise ProcessNotFound(process=process_id)
            nets[process_id] = parsing.examine(found[process_id][1], process_id, None, organisation.rules.limits)[0]
        return nets[process_id]

    return net_of


def _tables_missing(net: Net, decisions: Mapping[str, Decision]) -> Iterable[Finding]:
    for node in net.nodes:
        if node.decision and node.decision not in decisions:
            yield Finding("decision_unknown", f"決定表「{node.decision}」がありません。", node.id, node.source)


def timers_of(net: Net) -> dict[str, Timer]:
    """Timer start event -> when it is due."""
    return {node.element: node.event.timer for node in net.timed_starts if node.event and node.event.timer}


class Definitions:
    """Compiled versions by id, kept in memory: a version never changes once stored."""

    def __init__(self, organisations: Mapping[str, Organisation], common: Path) -> None:
        self._organisations = organisations
        self._common = common
        self._compiled: dict[int, Definition] = {}

    def get(self, connection: sa.Connection, definition_id: int) -> Definition:
        """The version with this id.

        Raises:
            ProcessNotFound: no such version.
        """
        if definition_id not in self._compiled:
            row = connection.execute(sa.select(definition).where(definition.c.id == definition_id)).mappings().first()
            if row is None:
                raise ProcessNotFound(process=definition_id)
            files = {name: text.encode() for name, text in json.loads(row["bundle"]).items()}
            net, decisions = compile_bundle(row["process_id"], files, admitted=True)
            self._compiled[definition_id] = Definition(
                row["id"], row["organisation"], row["process_id"], row["version"], row["name"], net, decisions, files
            )
        return self._compiled[definition_id]

    def in_force(self, connection: sa.Connection, organisation: str, process_id: str, at: datetime) -> Definition:
        """The newest version in force at an instant.

        Raises:
            ProcessNotFound: none is.
        """
        found = connection.scalar(
            sa.select(definition.c.id)
            .where(
                definition.c.organisation == organisation,
                definition.c.process_id == process_id,
                effective(at),
            )
            .order_by(definition.c.in_force_from.desc(), definition.c.version.desc())
            .limit(1)
        )
        if found is None:
            raise ProcessNotFound(process=process_id)
        return self.get(connection, found)

    def names_in_force(self, connection: sa.Connection, organisation: str, at: datetime) -> tuple[tuple[str, str], ...]:
        """(process id, name) of every procedure in force."""
        rows = connection.execute(
            sa.select(definition.c.process_id, definition.c.name, definition.c.version)
            .where(definition.c.organisation == organisation, effective(at))
            .order_by(definition.c.process_id, definition.c.version)
        )
        return tuple({row.process_id: row.name for row in rows}.items())

    def all_in_force(self, connection: sa.Connection, organisation: str, at: datetime) -> tuple[Definition, ...]:
        """The version in force of every procedure."""
        return tuple(
            self.in_force(connection, organisation, process_id, at) for process_id, _ in self.names_in_force(connection, organisation, at)
        )

    def known(self, connection: sa.Connection, organisation: str, at: datetime) -> dict[str, Known]:
        """process id -> what is stored of each procedure."""
        approved = sa.exists().where(draft_review.c.definition == definition.c.id)
        rows = connection.execute(
            sa.select(
                definition.c.process_id, definition.c.version, definition.c.digest, definition.c.in_force_from, approved.label("drawn")
            )
            .where(definition.c.organisation == organisation, definition.c.cancelled_at.is_(None))
            .order_by(definition.c.process_id, definition.c.version)
        ).all()
        digests: dict[str, set[str]] = {}
        for row in rows:
            digests.setdefault(row.process_id, set()).add(row.digest)
        return {
            row.process_id: Known(row.digest, row.version, frozenset(digests[row.process_id]), bool(row.drawn), row.in_force_from > at)
            for row in rows
        }

    def prepare(
        self, organisation: Organisation, known: Mapping[str, Known], on: date, prove: Prove, replace: Collection[str] = ()
    ) -> Prepared:
        """Check every bundle of an office's folder, and prove those that changed. No transaction may be open meanwhile: it takes seconds.

        A procedure whose newest version was drawn and approved is left alone while the folder says what it said before, and refused when
        the folder has changed as well: nobody's work is lost without a word.

        Args:
            known: process id -> what is stored already.
            on: the day whose rules count.
            replace: procedures of which the folder wins over what was drawn.

        Raises:
            DefinitionRefused: with all findings of all bundles.
            FolderBehind: both the folder and the designer have changed a procedure.
        """
        findings: list[Finding] = []
        changed: list[tuple[str, str, str]] = []
        to_prove: list[tuple[str, dict[str, bytes]]] = []
        timers: dict[str, dict[str, Timer]] = {}
        beside = neighbours(organisation)
        for process_id, (name, files) in bundles(organisation.folder, self._common).items():
            text = bundle_text(files)
            stored = known.get(process_id)
            if stored is not None and stored.drawn and stored.digest != digest_of(text):
                left = _left_alone(process_id, name, stored, digest_of(text), replace)
                if left is not None:
                    findings.append(left)
                    continue
            net, _, found = examine_bundle(process_id, files, organisation, beside)
            findings += found
            if net is not None:
                timers[process_id] = timers_of(net)
            if any(finding.severity == "error" for finding in found):
                continue
            if stored is None or stored.digest != digest_of(text):
                changed.append((process_id, name, text))
                to_prove.append((process_id, files))
        if not any(finding.severity == "error" for finding in findings):  # what is refused anyway need not be walked through
            for process_id, files in to_prove:
                findings += prove(process_id, files, organisation, on=on).findings
        unique = tuple(dict.fromkeys(findings))
        if any(finding.severity == "error" for finding in unique):
            raise DefinitionRefused(unique)
        return Prepared(tuple(changed), unique, timers, {process_id: one.digest for process_id, one in known.items()})

    def store(
        self, connection: sa.Connection, organisation: Organisation, prepared: Prepared, by: str, at: datetime
    ) -> tuple[tuple[str, int], ...]:
        """Store what was prepared, each bundle as its next version, in force at once.

        Returns:
            (process id, version) of each version stored; what somebody else has stored meanwhile is not stored again.

        Raises:
            FolderBehind: a version was approved meanwhile.
        """
        stored = []
        for process_id, name, text in prepared.bundles:
            last = newest(connection, organisation.id, process_id)
            if last is None or last["digest"] != digest_of(text):
                if last is not None and last["digest"] != prepared.seen.get(process_id) and _is_drawn(connection, last["id"]):
                    raise FolderBehind(process=process_id, name=name, number=last["version"])  # approved while the folder was proven
                stored.append((process_id, add(connection, organisation.id, process_id, name, text, by, at, at)[1]))
        return tuple(stored)


def _left_alone(process_id: str, name: str, stored: Known, digest: str, replace: Collection[str]) -> Finding | None:
    """What to say of a procedure that the folder is not to change; None when it is."""
    ids = {"process": process_id, "name": name, "number": stored.number}
    if process_id in replace:
        if stored.coming:
            raise VersionComing(**ids)
        return None
    if digest in stored.digests:
        message = f"「{name}」は、設計の画面で承認された第{stored.number}版のほうが新しいので、そのままにしました。"
        return Finding("drawn_version", message, process_id, severity="warning")
    raise FolderBehind(**ids)


def _is_drawn(connection: sa.Connection, definition_id: int) -> bool:
    return connection.scalar(sa.select(draft_review.c.id).where(draft_review.c.definition == definition_id)) is not None


def newest(connection: sa.Connection, organisation: str, process_id: str) -> Row | None:
    """The row of a procedure's newest version, in force or still to come; None when there is none that was not called off."""
    query = sa.select(definition).where(
        definition.c.organisation == organisation, definition.c.process_id == process_id, definition.c.cancelled_at.is_(None)
    )
    return connection.execute(query.order_by(definition.c.version.desc()).limit(1)).mappings().first()


def add(
    connection: sa.Connection, organisation: str, process_id: str, name: str, text: str, by: str, at: datetime, in_force_from: datetime
) -> tuple[int, int]:
    """Store a bundle as its procedure's next version; returns its id and number. Numbers of versions called off are not used again."""
    mine = sa.and_(definition.c.organisation == organisation, definition.c.process_id == process_id)
    number = (connection.scalar(sa.select(sa.func.max(definition.c.version)).where(mine)) or 0) + 1
    values = {
        "organisation": organisation, "process_id": process_id, "version": number, "name": name, "digest": digest_of(text),
        "bundle": text, "deployed_at": at, "deployed_by": by, "in_force_from": in_force_from,
    }  # fmt: skip
    return int(connection.scalar(definition.insert().values(values).returning(definition.c.id)) or 0), number

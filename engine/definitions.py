"""Versions of procedures: a diagram with everything it calls and every decision table of its office, stored as one bundle."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from engine import parsing
from engine.decisions import Decision
from engine.deploy_check import check
from engine.errors import DefinitionRefused, Finding, ProcessNotFound
from engine.limits import DEFAULT, Limits
from engine.model import definition
from engine.net import Net
from engine.organisation import Organisation


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


def bundles(folder: Path, common: Path) -> dict[str, tuple[str, dict[str, bytes]]]:
    """Group the diagrams of an office into bundles.

    Args:
        folder: the office's folder.
        common: diagrams several offices call.

    Returns:
        process id -> (name, file name -> bytes), for every process that no other diagram calls.

    Raises:
        DefinitionRefused: when a file cannot be read as BPMN at all.
    """
    sources = {f"{path.parent.name}/{path.name}": path.read_bytes() for place in (folder, common) for path in sorted(place.glob("*.bpmn"))}
    tables = {f"{path.parent.name}/{path.name}": path.read_bytes() for path in sorted(folder.glob("*.dmn"))}
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
    result = {}
    for process_id, file in home.items():
        if process_id in called or not file.startswith(f"{folder.name}/"):
            continue
        needed, todo = {file}, [process_id]
        while todo:
            for target in calls.get(todo.pop(), ()):
                if target in home and home[target] not in needed:
                    needed.add(home[target])
                    todo.append(target)
        result[process_id] = (names[process_id], {name: sources[name] for name in sorted(needed)} | tables)
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
                definition.c.in_force_from <= at,
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
            .where(definition.c.organisation == organisation, definition.c.in_force_from <= at)
            .order_by(definition.c.process_id, definition.c.version)
        )
        return tuple({row.process_id: row.name for row in rows}.items())

    def deploy(self, connection: sa.Connection, organisation: Organisation, by: str, at: datetime) -> tuple[tuple[str, int], ...]:
        """Store every changed bundle of an office's folder as its next version, in force at once.

        Returns:
            (process id, version) of each version stored; an unchanged bundle is not stored again.

        Raises:
            DefinitionRefused: with all findings of all bundles; nothing is stored then.
        """
        findings: list[Finding] = []
        ready = []
        for process_id, (name, files) in bundles(organisation.folder, self._common).items():
            try:
                net, decisions = compile_bundle(process_id, files, organisation.rules.limits)
            except DefinitionRefused as refused:
                findings += refused.findings
                continue
            findings += check(net, decisions, organisation)
            ready.append((process_id, name, files))
        if findings:
            raise DefinitionRefused(list(dict.fromkeys(findings)))
        stored = []
        for process_id, name, files in ready:
            text = json.dumps({file: data.decode() for file, data in files.items()}, ensure_ascii=False, sort_keys=True)
            digest = hashlib.sha256(text.encode()).hexdigest()
            last = connection.execute(
                sa.select(definition.c.version, definition.c.digest)
                .where(definition.c.organisation == organisation.id, definition.c.process_id == process_id)
                .order_by(definition.c.version.desc())
                .limit(1)
            ).first()
            if last is not None and last.digest == digest:
                continue
            version = last.version + 1 if last else 1
            connection.execute(
                definition.insert().values(
                    organisation=organisation.id,
                    process_id=process_id,
                    version=version,
                    name=name,
                    digest=digest,
                    bundle=text,
                    deployed_at=at,
                    deployed_by=by,
                    in_force_from=at,
                )
            )
            stored.append((process_id, version))
        return tuple(stored)

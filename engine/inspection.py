"""Looks at files as a deployment would, without storing anything: an office's folder, single diagrams, decision tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path

from engine import organisation as offices
from engine import parsing, scenario_text
from engine.checker import BUDGET
from engine.checker.proving import Prove
from engine.clock import JST
from engine.definitions import examine_bundle, grouped, neighbours
from engine.deploy_services import Neighbours
from engine.errors import DefinitionRefused, Finding, OrganisationBroken
from engine.organisation import Organisation

OFFICE = "organisation.toml"
COMMON = "common"


@dataclass(frozen=True)
class Run:
    """A finding that a run shows, and the scenario that plays it."""

    name: str
    text: str


@dataclass
class Inspection:
    """What was found.

    Attributes:
        findings: file -> its findings; a file that was looked at and is right has none.
        nothing: paths at which there is nothing to look at; then nothing at all was done.
        proven: procedures walked through, `unfinished` of them not to the end.
    """

    findings: dict[Path, list[Finding]] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    nothing: tuple[Path, ...] = ()
    proven: int = 0
    unfinished: int = 0
    states: int = 0
    transitions: int = 0
    seconds: float = 0.0

    @property
    def refused(self) -> bool:
        """Whether something keeps it from coming into force."""
        return any(finding.severity == "error" for found in self.findings.values() for finding in found)


@dataclass(frozen=True)
class _Place:
    """Files that belong together: those of a folder, an office's or not, or one alone."""

    folder: Path
    alone: Path | None = None

    @property
    def is_office(self) -> bool:
        return (self.folder / OFFICE).is_file()

    def files(self, suffix: str) -> dict[str, Path]:
        """Its files by their names in a bundle."""
        found = [path for path in sorted(self.folder.glob(f"*{suffix}")) if path.is_file()]
        return {f"{self.folder.name}/{path.name}": path for path in found if self.alone in (None, path)}


def inspect(paths: Sequence[Path], *, on: date, prove: Prove | None, budget: float = BUDGET) -> Inspection:
    """Check files and folders as deploying them would.

    Args:
        paths: folders of offices, folders with such folders, other folders with diagrams, or single files. A file of an office is
            checked as part of the office's procedures; any other alone.
        prove: None leaves it with what can be told without walking through all states.
    """
    asked = {path: list(_asked(path.resolve())) for path in paths}
    nothing = tuple(path for path, found in asked.items() if not found)
    if nothing:
        return Inspection(nothing=nothing)
    looking = _Looking(on, prove, budget)
    for place, only in dict.fromkeys(item for found in asked.values() for item in found):
        looking.at(place, only)
    result = looking.result
    result.findings = {path: list(dict.fromkeys(found)) for path, found in sorted(result.findings.items())}
    return result


def _asked(path: Path) -> Iterator[tuple[_Place, Path | None]]:
    """(where to look, the only file whose procedures count)."""
    if path.is_file() and path.suffix in (".bpmn", ".dmn"):
        whole = _Place(path.parent)
        yield (whole, path) if whole.is_office else (_Place(path.parent, path), None)
    elif path.is_dir():
        whole = _Place(path)
        if whole.is_office or whole.files(".bpmn") or whole.files(".dmn"):
            yield whole, None
        else:
            yield from ((_Place(place), None) for place in sorted(path.iterdir()) if (place / OFFICE).is_file())


class _Looking:
    """Gathers what is found."""

    def __init__(self, on: date, prove: Prove | None, budget: float) -> None:
        self.on, self.prove, self.budget = on, prove, budget
        self.result = Inspection()
        self._done: set[tuple[_Place, str]] = set()

    def at(self, place: _Place, only: Path | None) -> None:
        """The procedures of a place; only those with a certain file, when one is named."""
        diagrams, tables = place.files(".bpmn"), place.files(".dmn")
        if place.is_office:
            diagrams |= _Place(place.folder.parent / COMMON).files(".bpmn")
        office, broken = self._office(place)
        homes = {**diagrams, **tables}
        try:
            found = grouped(
                {name: path.read_bytes() for name, path in diagrams.items()},
                {name: path.read_bytes() for name, path in tables.items()},
                place.folder.name,
                every=True,
            )
        except DefinitionRefused as refused:
            self._tell(refused.findings, homes, place.folder)
            return
        covered: set[str] = set()
        beside = neighbours(office) if office is not None else None
        for process_id, (_, files) in found.items():
            covered |= files.keys()
            if only is not None and only not in (homes[name] for name in files):
                continue
            if (place, process_id) not in self._done:
                self._done.add((place, process_id))
                self._procedure(process_id, files, office, beside, homes, prove=not broken)
        for name, path in homes.items():
            if name not in covered and path.parent == place.folder and only in (None, path):
                self._alone(name, path)

    def _office(self, place: _Place) -> tuple[Organisation | None, bool]:
        """The office, and whether it is broken."""
        if not place.is_office:
            return None, False
        try:
            return offices.load(place.folder), False
        except OrganisationBroken as broken:
            self._tell(broken.findings, {}, place.folder)
            return None, True

    def _procedure(
        self,
        process_id: str,
        files: dict[str, bytes],
        office: Organisation | None,
        beside: Neighbours | None,
        homes: dict[str, Path],
        *,
        prove: bool,
    ) -> None:
        for name in files:
            self.result.findings.setdefault(homes[name], [])
        main = next((name for name in files if name.endswith(".bpmn") and process_id in dict(parsing.process_ids(files[name]))), "")
        net, _, findings = examine_bundle(process_id, files, office, beside)
        if net is not None and self.prove is not None and prove and not any(finding.severity == "error" for finding in findings):
            report = self.prove(process_id, files, office, on=self.on, budget=self.budget)
            self.result.proven += 1
            self.result.states += report.states
            self.result.transitions += report.transitions
            self.result.seconds += report.seconds
            self.result.unfinished += not report.finished
            findings = (*findings, *report.findings)
            self.result.runs += (self._run(finding, process_id, office) for finding in report.findings if finding.run)
        self._tell(findings, homes, homes[main].parent, main)

    def _alone(self, name: str, path: Path) -> None:
        """A file that is part of no procedure: a table without diagrams, or a diagram without a process."""
        self.result.findings.setdefault(path, [])
        files = {name: path.read_bytes()}
        if path.suffix == ".bpmn":
            _, findings = parsing.examine(files, "")
        else:
            try:
                parsing.parse_tables(files)
                findings = ()
            except DefinitionRefused as refused:
                findings = refused.findings
        self._tell(findings, {name: path}, path.parent, name)

    def _run(self, finding: Finding, process_id: str, office: Organisation | None) -> Run:
        starts = datetime.combine(self.on, time(10), JST)
        name = re.sub(r"[^\w.-]+", "_", f"{finding.rule}-{finding.element or process_id}")
        taken = {run.name for run in self.result.runs}
        name = next(one for one in (name, *(f"{name}-{number}" for number in range(2, len(taken) + 3))) if f"{one}.yaml" not in taken)
        return Run(f"{name}.yaml", scenario_text.write(finding, process_id, starts, _starter(office, self.on)))

    def _tell(self, findings: Iterable[Finding], homes: dict[str, Path], folder: Path, main: str = "") -> None:
        for finding in findings:
            name = finding.file or main
            self.result.findings.setdefault(homes.get(name, folder / name), []).append(finding)


def _starter(office: Organisation | None, on: date) -> str:
    """A seat from which an ordinary case starts: the lowest rung of the first unit that can have cases."""
    if office is None:
        return "staff@unit"  # there is no office to play it in; whoever has one puts a seat of theirs here
    above = {role.next for role in office.roles.values()}
    units = [unit for unit in office.units.values() if unit.exists(on) and office.owner_role in unit.seats]
    seats = [(role in above, role, unit.id) for unit in units for role in unit.seats]
    _, role, unit_id = min(seats, key=lambda seat: seat[0], default=(True, office.owner_role, office.id))
    return f"{role}@{unit_id}"

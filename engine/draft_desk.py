"""The desk of the designer: drafts of diagrams that somebody begins, holds while drawing, saves, copies and throws away; none of it runs."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine import draft_authors, draft_calls, draft_files, draft_help, draft_locks, history, parsing, people
from engine.clock import civil_day
from engine.draft_files import Files
from engine.draft_views import DraftPage, DraftShown, Examined, ProcedureShown, Vocabulary
from engine.errors import DraftClosed, DraftHeld, DraftMoved, DraftNotFound, DraftRefused, NotAllowed, ProcessNotFound
from engine.examiner import Examiner
from engine.forms import clean_text, japanese_instant
from engine.model import Row, definition, diagram_draft
from engine.organisation import Organisation
from engine.views import FieldShown, Viewer
from engine.vocabulary import vocabulary

if TYPE_CHECKING:
    from engine.service import Engine

MOST_SHOWN = 300
MAX_NOTE = 2_000
#: A diagram may be drawn by several in turn; who has been silent for so long can be relieved.
SILENT = timedelta(minutes=2)
STATES: Mapping[str, str] = {"editing": "編集中", "review": "確認中", "approved": "承認済み", "discarded": "破棄済み"}


class DraftDesk:
    """`Engine.drafts` hands it out."""

    def __init__(self, engine: Engine, examiner: Examiner | None = None) -> None:
        self._engine = engine
        self._examiner = examiner or Examiner()

    def close(self) -> None:
        """Let go of the examining process."""
        self._examiner.close()

    def _office(self, viewer: Viewer) -> Organisation:
        return self._engine.organisations[viewer.organisation]

    def may_design(self, viewer: Viewer) -> bool:
        """Whether the viewer holds a seat of `[deployment] roles`."""
        return viewer.has_role(*self._office(viewer).rules.deployers)

    def require_designer(self, viewer: Viewer) -> None:
        """Raises NotAllowed for anybody else."""
        if not self.may_design(viewer):
            raise NotAllowed()

    # ---------------------------------------------------------------- look

    def procedures(self, viewer: Viewer) -> tuple[ProcedureShown, ...]:
        """Every procedure of the office with the version in force now."""
        self.require_designer(viewer)
        with self._engine.reading() as connection:
            found = self._engine.definitions.all_in_force(connection, viewer.organisation, viewer.at)
            rows = {
                row.id: row
                for row in connection.execute(sa.select(definition).where(definition.c.id.in_([one.id for one in found])))
            }  # fmt: skip
            drawn = connection.scalars(
                sa.select(diagram_draft.c.process_id).where(
                    diagram_draft.c.organisation == viewer.organisation, diagram_draft.c.state.in_(("editing", "review"))
                )
            ).all()
            names = people.names(connection, [row.deployed_by for row in rows.values()])
        return tuple(
            ProcedureShown(
                one.process_id, one.name, one.version, one.id, rows[one.id].in_force_from, names.get(rows[one.id].deployed_by, ""),
                list(drawn).count(one.process_id),
            )
            for one in found
        )  # fmt: skip

    def all(self, viewer: Viewer, *, closed: bool = False) -> tuple[DraftShown, ...]:
        """The office's drafts, the last saved first; `closed` those that are approved or thrown away."""
        self.require_designer(viewer)
        wanted = ("approved", "discarded") if closed else ("editing", "review")
        with self._engine.reading() as connection:
            rows = connection.execute(
                _drafts().where(diagram_draft.c.organisation == viewer.organisation, diagram_draft.c.state.in_(wanted))
                .order_by(diagram_draft.c.saved_at.desc(), diagram_draft.c.id.desc()).limit(MOST_SHOWN)
            ).mappings().all()  # fmt: skip
            return self._shown(connection, viewer, rows)

    def show(self, viewer: Viewer, draft_id: int) -> DraftPage:
        """A draft with its files. Raises NotAllowed, DraftNotFound."""
        self.require_designer(viewer)
        with self._engine.reading() as connection:
            row = self._row(connection, viewer, draft_id)
            (shown,) = self._shown(connection, viewer, [row])
        why_not = ""
        if row["state"] != "editing":
            why_not = DraftClosed(state=STATES[row["state"]]).text
        elif shown.lock is not None and not shown.lock.mine:
            why_not = DraftHeld(person=shown.lock.name, at=japanese_instant(shown.lock.since.isoformat())).text
        return DraftPage(shown, json.loads(row["files"]), why_not)

    def _row(self, connection: sa.Connection, viewer: Viewer, draft_id: int) -> Row:
        query = _drafts().where(diagram_draft.c.id == draft_id, diagram_draft.c.organisation == viewer.organisation)
        row = connection.execute(query).mappings().first()
        if row is None:
            raise DraftNotFound(draft=draft_id)
        return row

    def _shown(self, connection: sa.Connection, viewer: Viewer, rows: Iterable[Row]) -> tuple[DraftShown, ...]:
        found = list(rows)
        locks = draft_locks.of(connection, [row["id"] for row in found], viewer, SILENT)
        names = people.names(connection, [who for row in found for who in (row["made_by"], row["saved_by"])])
        return tuple(
            DraftShown(
                row["id"], row["process_id"], row["title"], row["base_definition"], row["base_version"], row["revision"], row["state"],
                row["made_by"], names.get(row["made_by"], ""), row["made_at"],
                row["saved_by"], names.get(row["saved_by"], ""), row["saved_at"], row["note"], locks.get(row["id"]),
            )
            for row in found
        )  # fmt: skip

    # ---------------------------------------------------------------- begin

    def begin(self, viewer: Viewer, process_id: str | None, title: str = "", *, name: str = "") -> int:
        """Begin a draft from the version of a procedure in force now, or (None) from an empty diagram; returns its id.

        Args:
            title: what the draft is called in lists; the procedure's name when left out.
            name: of a new procedure, the English word its process id ends in.

        Raises:
            NotAllowed, ProcessNotFound, DraftRefused.
        """
        self.require_designer(viewer)
        office = self._office(viewer)
        titled = draft_files.title(title)
        with self._engine.writing() as connection:
            if process_id is not None:
                base = self._engine.definitions.in_force(connection, viewer.organisation, process_id, viewer.at)
                files = {file: data.decode() for file, data in base.files.items()}
                return self._keep(connection, viewer, process_id, titled or base.name, files, base.id)
            if not titled:
                raise DraftRefused(why="手続の名前を入力してください。")
            known = {one for one, _ in self._engine.definitions.names_in_force(connection, office.id, viewer.at)}
            tables = draft_files.tables(office)
            file, made = draft_files.free_process(office.id, name or "procedure", known)
            files = {file: draft_files.empty_diagram(made, titled), **tables}
            return self._keep(connection, viewer, made, titled, files, None)

    def import_file(self, viewer: Viewer, name: str, data: bytes, title: str = "") -> int:
        """Begin a draft from a file of any origin; what of it does not run is told by `inspect`, element by element. Returns its id.

        Raises:
            NotAllowed, DefinitionRefused (it cannot be read as XML, safely), DraftRefused (it holds neither a process nor a decision).
        """
        self.require_designer(viewer)
        office = self._office(viewer)
        stem = name.rpartition("/")[2].rpartition(".")[0] or "imported"
        kind, processes = parsing.kind_of(data)
        text = data.decode("utf-8").removeprefix("\ufeff")
        titled = draft_files.title(title) or draft_files.title(processes[0][1] if processes else stem)
        if kind == "dmn":
            file, made = draft_files.free_process(office.id, stem, ())
            files = {
                file: draft_files.empty_diagram(made, titled or stem),
                draft_files.file_name(office.id, stem, "dmn"): text,
            }
        else:
            found = [one for one, _ in processes if draft_files.is_process_id(one)]
            if not found:
                raise DraftRefused(why="プロセスがないか、プロセスのIDが使えないものです。")
            made = found[0]
            files = {draft_files.file_name(office.id, stem): text, **draft_files.tables(office)}
        with self._engine.writing() as connection:
            return self._keep(connection, viewer, made, titled or stem, files, None)

    def copy(self, viewer: Viewer, draft_id: int, title: str = "", files: object = None) -> int:
        """Another draft with the same files, or with those handed in (the loser of two who saved keeps what he drew); returns its id."""
        self.require_designer(viewer)
        with self._engine.writing() as connection:
            row = self._row(connection, viewer, draft_id)
            kept = draft_files.read(json.loads(row["files"]) if files is None else files)
            titled = draft_files.title(title) or f"{row['title'][: draft_files.MAX_TITLE - 6]}（写し）"
            made = self._keep(connection, viewer, row["process_id"], titled, kept, row["base_definition"])
            draft_authors.add(connection, made, draft_authors.of(connection, draft_id))
            return made

    def _keep(
        self, connection: sa.Connection, viewer: Viewer, process_id: str, title: str, files: Mapping[str, str], base: int | None
    ) -> int:
        values = {
            "organisation": viewer.organisation, "process_id": process_id, "title": title, "base_definition": base,
            "files": draft_files.dumped(draft_files.read(files)), "made_by": viewer.person, "made_at": viewer.at,
            "saved_by": viewer.person, "saved_at": viewer.at, "note": "",
        }  # fmt: skip
        made = int(connection.scalar(diagram_draft.insert().values(values).returning(diagram_draft.c.id)) or 0)
        draft_authors.add(connection, made, [viewer.person])
        self._record(connection, viewer, "draft.begun", made, title)
        return made

    def _record(self, connection: sa.Connection, viewer: Viewer, tag: str, draft_id: int, title: str, **more: Any) -> None:
        data = {"title": title, "draft": draft_id, **more}
        history.append_to_organisation(connection, viewer.organisation, history.Entry(tag, viewer.at, viewer.person, data=data))

    # ---------------------------------------------------------------- draw

    def save(self, viewer: Viewer, draft_id: int, revision: int, files: object, *, process_id: str | None = None) -> int:
        """Keep what was drawn, if nobody else has saved since `revision`; returns the new revision.

        Args:
            process_id: the main process, when its id was changed.

        Raises:
            NotAllowed, DraftNotFound, DraftRefused, DraftClosed, DraftHeld (somebody else edits), DraftMoved (with who and when).
        """
        self.require_designer(viewer)
        text = draft_files.dumped(draft_files.read(files))
        if process_id is not None and not draft_files.is_process_id(process_id):
            raise DraftRefused(why=f"プロセスのID「{process_id[:60]}」は使えません。英字で始まる英数字にしてください。")
        with self._engine.writing() as connection:
            row = self._open(connection, viewer, draft_id)
            draft_locks.require(connection, draft_id, viewer)
            if row["revision"] != revision:
                self._moved(connection, row)
            values = {"files": text, "revision": revision + 1, "saved_by": viewer.person, "saved_at": viewer.at}
            if process_id is not None:
                values["process_id"] = process_id
            fits = sa.and_(diagram_draft.c.id == draft_id, diagram_draft.c.revision == revision, diagram_draft.c.state == "editing")
            if connection.execute(diagram_draft.update().where(fits).values(values)).rowcount != 1:
                self._moved(connection, self._row(connection, viewer, draft_id))
            draft_authors.add(connection, draft_id, [viewer.person])
        return revision + 1

    def _moved(self, connection: sa.Connection, row: Row) -> None:
        names = people.names(connection, [row["saved_by"]])
        at = japanese_instant(row["saved_at"].isoformat())
        raise DraftMoved(draft=row["id"], revision=row["revision"], at=at, person=names.get(row["saved_by"], ""))

    def _open(self, connection: sa.Connection, viewer: Viewer, draft_id: int) -> Row:
        row = self._row(connection, viewer, draft_id)
        if row["state"] != "editing":
            raise DraftClosed(draft=draft_id, state=STATES[row["state"]])
        return row

    def rename(self, viewer: Viewer, draft_id: int, title: str, note: str) -> None:
        """Change what the draft is called and what its note says; raises DraftRefused, DraftClosed."""
        self.require_designer(viewer)
        with self._engine.writing() as connection:
            self._open(connection, viewer, draft_id)
            try:
                noted = clean_text(note, MAX_NOTE, lines=True) or ""
            except ValueError as wrong:
                raise DraftRefused(why=f"メモ{wrong}") from None
            titled = draft_files.title(title)
            if not titled:
                raise DraftRefused(why="下書きの名前を入力してください。")
            connection.execute(diagram_draft.update().where(diagram_draft.c.id == draft_id).values(title=titled, note=noted))

    def hold(self, viewer: Viewer, draft_id: int, *, take: bool = False) -> DraftPage:
        """Say that the viewer edits the draft now, and go on saying so; `take` relieves somebody who has been silent for two minutes.

        Returns:
            the draft; its lock says who has it.

        Raises:
            DraftClosed; DraftHeld when it cannot be taken over (yet).
        """
        self.require_designer(viewer)
        with self._engine.writing() as connection:
            row = self._open(connection, viewer, draft_id)
            before = draft_locks.hold(connection, draft_id, viewer, SILENT, take=take)
            if before is not None:
                self._record(connection, viewer, "draft.taken_over", draft_id, row["title"], person_name=before)
        return self.show(viewer, draft_id)

    def release(self, viewer: Viewer, draft_id: int) -> None:
        """Stop editing; nothing happens when the viewer does not."""
        self.require_designer(viewer)
        with self._engine.writing() as connection:
            self._row(connection, viewer, draft_id)
            draft_locks.release(connection, draft_id, viewer)

    def discard(self, viewer: Viewer, draft_id: int) -> None:
        """Throw a draft away; it stays readable among the closed ones. Raises DraftClosed, DraftHeld."""
        self.require_designer(viewer)
        with self._engine.writing() as connection:
            row = self._open(connection, viewer, draft_id)
            draft_locks.require(connection, draft_id, viewer)
            connection.execute(diagram_draft.update().where(diagram_draft.c.id == draft_id).values(state="discarded"))
            draft_locks.release(connection, draft_id, viewer)
            self._record(connection, viewer, "draft.discarded", draft_id, row["title"])

    # ---------------------------------------------------------------- judge

    def inspect(self, viewer: Viewer, draft_id: int, files: object = None, *, process_id: str | None = None) -> Examined:
        """What the gate and the office say of a draft, or of these files in its place, within two seconds; nothing is stored or run.

        Diagrams that it calls and does not hold are taken from the office's own, and told in `called`.
        """
        self.require_designer(viewer)
        with self._engine.reading() as connection:
            row = self._row(connection, viewer, draft_id)
        given = draft_files.read(json.loads(row["files"]) if files is None else files)
        main = process_id if process_id is not None and draft_files.is_process_id(process_id) else row["process_id"]
        return self._examined(viewer, main, given)

    def _examined(self, viewer: Viewer, main: str, files: Files) -> Examined:
        office = self._office(viewer)
        found, missing = self._examiner(main, files, office)
        if not missing:
            return found
        more = {file: text for file, text in draft_calls.needed(self._callable(viewer), missing).items() if file not in files}
        again, _ = self._examiner(main, {**files, **more}, office, whole=True)  # a call that still leads nowhere is a finding
        return Examined(again.findings, again.facts, again.processes, again.decisions, more, found.seconds + again.seconds)

    def _callable(self, viewer: Viewer) -> draft_calls.Callable:
        with self._engine.reading() as connection:
            versions = self._engine.definitions.all_in_force(connection, viewer.organisation, viewer.at)
        return draft_calls.callable_diagrams(versions, (self._office(viewer).folder, self._engine.settings.bpmn / draft_calls.COMMON))

    def vocabulary(self, viewer: Viewer, draft_id: int) -> Vocabulary:
        """What a diagram of this office may name, for the editor's selects. Facts come with `inspect`."""
        self.require_designer(viewer)
        with self._engine.reading() as connection:
            self._row(connection, viewer, draft_id)
        callable = ((process, one.name) for process, one in sorted(self._callable(viewer).items()))
        return vocabulary(self._office(viewer), civil_day(viewer.at), callable)

    # ---------------------------------------------------------------- help while typing

    def check_expression(self, viewer: Viewer, text: str, kind: str, known: Collection[str]) -> draft_help.Wrong | None:
        """What is wrong with an expression while it is typed; see `engine.draft_help.check_expression`."""
        self.require_designer(viewer)
        return draft_help.check_expression(text, kind, known)

    def form_preview(self, viewer: Viewer, fields: Sequence[Mapping[str, Any]]) -> tuple[FieldShown, ...]:
        """A form as people will see it; see `engine.draft_help.form_preview`."""
        self.require_designer(viewer)
        office, today = self._office(viewer), civil_day(viewer.at)
        units = {unit.id: unit.name for unit in office.units_with(office.owner_role, today)}
        return draft_help.form_preview(fields, units)


def _drafts() -> sa.Select[Any]:
    return sa.select(diagram_draft, definition.c.version.label("base_version")).select_from(
        diagram_draft.outerjoin(definition, definition.c.id == diagram_draft.c.base_definition)
    )


__all__ = ["SILENT", "STATES", "DraftDesk", "ProcessNotFound"]

"""Proofs of drafts in the background: begun by whoever draws, run in a process of their own, looked at from any web process, cancelled at any time."""

from __future__ import annotations

import json
import logging
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine import draft_files
from engine.checker import Report
from engine.checker.proving import Prover, Stopped, as_plain, as_report
from engine.clock import civil_day
from engine.draft_views import ProofShown
from engine.errors import DraftRefused, ProofNotFound
from engine.model import Row, diagram_draft, draft_proof
from engine.organisation import Organisation
from engine.storage import STORAGE_ERRORS
from engine.views import Viewer

if TYPE_CHECKING:
    from engine.service import Engine

log = logging.getLogger(__name__)

#: Proofs that one web process runs side by side; the others wait.
AT_ONCE = 2
#: Who runs a proof says so this often; after LOST without a word it is told as lost.
WORD, LOST = timedelta(seconds=5), timedelta(seconds=30)


class ProofDesk:
    """`Engine.proofs` hands it out."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._places = threading.Semaphore(AT_ONCE)
        self._stops: dict[int, threading.Event] = {}
        self._threads: dict[int, threading.Thread] = {}
        self._closing = threading.Event()

    def start(self, viewer: Viewer, draft_id: int) -> int:
        """Begin to prove the draft as it is saved; an older proof of it that still runs is cancelled. Returns the proof's id.

        Raises:
            NotAllowed, DraftNotFound; DraftRefused when the gate refuses it already.
        """
        page = self._engine.drafts.show(viewer, draft_id)
        examined = self._engine.drafts.inspect(viewer, draft_id, page.files)
        if any(finding.severity == "error" for finding in examined.findings):
            raise DraftRefused(why="図の指摘を先に直してください。そのあとで、すべての進み方を調べます。")
        now = self._engine.clock.now()
        with self._engine.writing() as connection:
            self._cancel(connection, draft_proof.c.draft_id == draft_id)
            values = {
                "draft_id": draft_id, "revision": page.draft.revision, "started_by": viewer.person, "started_at": now, "seen_at": now,
            }  # fmt: skip
            made = int(connection.scalar(draft_proof.insert().values(values).returning(draft_proof.c.id)) or 0)
        stop = self._stops[made] = threading.Event()
        files = draft_files.encoded({**page.files, **examined.called})
        office = self._engine.organisations[viewer.organisation]
        thread = threading.Thread(
            target=self._run, args=(made, page.draft.process_id, files, office, stop), name=f"proof-{made}", daemon=True
        )  # fmt: skip
        self._threads[made] = thread
        thread.start()
        return made

    def poll(self, viewer: Viewer, proof_id: int) -> ProofShown:
        """How far a proof is, with its findings once it is done. Raises ProofNotFound."""
        self._engine.drafts.require_designer(viewer)
        with self._engine.reading() as connection:
            return self._shown(self._row(connection, viewer, draft_proof.c.id == proof_id))

    def newest(self, viewer: Viewer, draft_id: int) -> ProofShown | None:
        """The last proof of a draft, whatever became of it; None when there was none."""
        self._engine.drafts.require_designer(viewer)
        with self._engine.reading() as connection:
            try:
                return self._shown(self._row(connection, viewer, draft_proof.c.draft_id == draft_id))
            except ProofNotFound:
                return None

    def cancel(self, viewer: Viewer, proof_id: int) -> None:
        """Stop a proof; one that has ended stays as it is. Raises ProofNotFound."""
        self._engine.drafts.require_designer(viewer)
        with self._engine.writing() as connection:
            self._row(connection, viewer, draft_proof.c.id == proof_id)
            self._cancel(connection, draft_proof.c.id == proof_id)

    def close(self) -> None:
        """Stop what this process runs."""
        self._closing.set()
        for thread in list(self._threads.values()):
            thread.join(10)

    # ---------------------------------------------------------------- rows

    def _row(self, connection: sa.Connection, viewer: Viewer, wanted: sa.ColumnElement[bool]) -> Row:
        query = (
            sa.select(draft_proof)
            .join(diagram_draft, diagram_draft.c.id == draft_proof.c.draft_id)
            .where(wanted, diagram_draft.c.organisation == viewer.organisation)
            .order_by(draft_proof.c.id.desc())
            .limit(1)
        )
        row = connection.execute(query).mappings().first()
        if row is None:
            raise ProofNotFound()
        return row

    def _shown(self, row: Row) -> ProofShown:
        state = row["state"]
        if state == "running" and self._engine.clock.now() - row["seen_at"] > LOST:
            state = "lost"
        report = as_report(row["report"].encode()) if row["report"] else None
        shown = ProofShown(row["id"], row["draft_id"], row["revision"], state, row["started_at"], row["ended_at"])
        if report is None:
            return shown
        return ProofShown(
            shown.id, shown.draft, shown.revision, state, shown.started_at, shown.ended_at,
            report.findings, report.states, report.seconds, report.finished,
        )  # fmt: skip

    def _cancel(self, connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
        running = sa.and_(which, draft_proof.c.state == "running")
        for proof_id in connection.scalars(sa.select(draft_proof.c.id).where(running)).all():
            if proof_id in self._stops:
                self._stops[proof_id].set()
        connection.execute(draft_proof.update().where(running).values(state="cancelled", ended_at=self._engine.clock.now()))

    # ---------------------------------------------------------------- the thread of one proof

    def _run(self, proof_id: int, process_id: str, files: dict[str, bytes], office: Organisation, stop: threading.Event) -> None:
        watch = _Watch(self, proof_id, stop)
        try:
            while not self._places.acquire(timeout=0.25):
                if watch.over():
                    return
            try:
                prove: Any = self._engine.prove
                more = {"stop": watch.over} if isinstance(prove, Prover) else {}
                report: Report = prove(process_id, files, office, on=civil_day(self._engine.clock.now()), **more)
            finally:
                self._places.release()
            self._keep(proof_id, report)
        except Stopped:
            log.info("proof %s was cancelled", proof_id)
        except STORAGE_ERRORS:
            log.exception("what became of proof %s could not be recorded", proof_id)
        finally:
            self._stops.pop(proof_id, None)
            self._threads.pop(proof_id, None)

    def _keep(self, proof_id: int, report: Report) -> None:
        values = {"state": "done", "ended_at": self._engine.clock.now(), "report": json.dumps(as_plain(report), ensure_ascii=False)}
        with self._engine.writing() as connection:
            connection.execute(draft_proof.update().where(draft_proof.c.id == proof_id, draft_proof.c.state == "running").values(values))

    def still_wanted(self, proof_id: int) -> bool:
        """Whether a proof is still to run; saying so also tells others that somebody runs it."""
        if self._closing.is_set():
            return False
        with self._engine.writing() as connection:
            running = sa.and_(draft_proof.c.id == proof_id, draft_proof.c.state == "running")
            found = connection.execute(draft_proof.update().where(running).values(seen_at=self._engine.clock.now()))
            return bool(found.rowcount)

    @property
    def closing(self) -> bool:
        """Whether this process is about to end."""
        return self._closing.is_set()


class _Watch:
    """Asked often, it looks into the database only now and then."""

    def __init__(self, desk: ProofDesk, proof_id: int, stop: threading.Event) -> None:
        self.desk, self.proof_id, self.stop = desk, proof_id, stop
        self._asked = 0

    def over(self) -> bool:
        """Whether to give up."""
        if self.stop.is_set() or self.desk.closing:
            return True
        self._asked += 1
        return self._asked % int(WORD.total_seconds() * 4) == 0 and not self.desk.still_wanted(self.proof_id)


__all__ = ["ProofDesk"]

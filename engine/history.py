"""The record of who did what: appended in the transaction of the act, chained by hashes, never changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from engine.clock import to_micros
from engine.model import case_file, counter, history

GENESIS = "0" * 64


@dataclass
class Entry:
    """One row to be added. `tag` is subject.past_tense; `data` must be JSON-ready."""

    tag: str
    at: datetime
    person: str
    seat: str | None = None
    node: str | None = None
    task_id: int | None = None
    clause: str | None = None
    definition: int | None = None
    data: dict[str, Any] = field(default_factory=dict)


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: the same content is always the same bytes."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _digest(previous: str, row: dict[str, Any]) -> str:
    covered = {name: row[name] for name in row if name not in ("id", "previous", "digest")}
    covered["at"] = to_micros(row["at"])
    return hashlib.sha256((previous + canonical(covered)).encode()).hexdigest()


def rows_for(chain: str, seq: int, digest: str, organisation: str, case_id: int | None, entries: list[Entry]) -> list[dict[str, Any]]:
    """The table rows of new entries after position `seq` with head `digest`; the last row's digest is the new head."""
    rows: list[dict[str, Any]] = []
    for entry in entries:
        seq += 1
        row = {
            "chain": chain,
            "seq": seq,
            "organisation": organisation,
            "case_id": case_id,
            "tag": entry.tag,
            "at": entry.at,
            "person": entry.person,
            "seat": entry.seat,
            "node": entry.node,
            "task_id": entry.task_id,
            "clause": entry.clause,
            "definition": entry.definition,
            "data": canonical(entry.data),
        }
        row["previous"] = digest
        digest = row["digest"] = _digest(digest, row)
        rows.append(row)
    return rows


def append_to_organisation(connection: sa.Connection, organisation: str, entry: Entry, case_id: int | None = None) -> None:
    """Add a row that belongs to no act on a case: sign-ins, refused attempts, deployments."""
    chain = f"organisation:{organisation}"
    # The chain's counter is its lock, and shows when rows were cut off its end.
    connection.execute(_COUNT, {"organisation": organisation})
    head = connection.execute(
        sa.select(history.c.seq, history.c.digest).where(history.c.chain == chain).order_by(history.c.seq.desc()).limit(1)
    ).first()
    seq, digest = (head.seq, head.digest) if head else (0, GENESIS)
    connection.execute(history.insert(), rows_for(chain, seq, digest, organisation, case_id, [entry]))


_COUNT = sa.text(
    "INSERT INTO counter (organisation, name, period, value) VALUES (:organisation, 'history', '', 1) "
    "ON CONFLICT (organisation, name, period) DO UPDATE SET value = counter.value + 1"
)


@dataclass(frozen=True)
class Fault:
    """Where a chain does not hold: the chain, the position, and what is wrong."""

    chain: str
    seq: int
    why: str


def verify(connection: sa.Connection) -> Iterator[Fault]:
    """Read every chain from its start and yield each fault: altered, missing or reordered rows, and cut tails."""
    heads = {
        f"case:{r.id}": (r.history_seq, r.history_digest)
        for r in connection.execute(sa.select(case_file.c.id, case_file.c.history_seq, case_file.c.history_digest))
    }
    last: dict[str, tuple[int, str]] = {}
    for row in connection.execute(sa.select(history).order_by(history.c.chain, history.c.seq)).mappings():
        seq, digest = last.get(row["chain"], (0, GENESIS))
        if row["seq"] != seq + 1:
            yield Fault(row["chain"], seq + 1, "記録が抜けています")
        if row["previous"] != digest or _digest(row["previous"], dict(row)) != row["digest"]:
            yield Fault(row["chain"], row["seq"], "記録の内容が変えられています")
        last[row["chain"]] = (row["seq"], row["digest"])
    for chain, head in heads.items():
        if last.get(chain, (0, GENESIS)) != head:
            yield Fault(chain, head[0], "末尾の記録が消えているか、先頭の印が変えられています")
    counted = connection.execute(sa.select(counter.c.organisation, counter.c.value).where(counter.c.name == "history"))
    for organisation, count in counted.all():
        chain = f"organisation:{organisation}"
        if last.get(chain, (0, GENESIS))[0] < count:
            yield Fault(chain, count, "末尾の記録が消えています")

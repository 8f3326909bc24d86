"""What a task of a diagram names of a ledger must be there: the ledger itself, its states, its columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.errors import Finding
from engine.gate_extensions import near
from engine.ledger_rules import Ledger
from engine.net import Node

#: Services that name a ledger.
LEDGER_TOPICS = frozenset({"ledger", "find_orphan_grants", "mark_entries"})


def check_ledger(node: Node, ledgers: Sequence[Ledger]) -> Iterator[Finding]:
    """What is wrong with a task that writes or reads a ledger (`LEDGER_TOPICS`)."""
    named = node.properties.get("ledger", "")
    known = dict.fromkeys(ledger.id for ledger in ledgers)
    if named not in known:
        message = (
            f"台帳「{named}」は rules.toml の [[ledger]] にありません{near(named, known)}。" if named else "台帳（ledger）がありません。"
        )
        yield Finding("ledger_unknown", message, node.id, node.source)
        return
    states = dict.fromkeys(state for ledger in ledgers if ledger.id == named for state in ledger.states)
    for state in (*(node.listed("state") or ("",)), *node.listed("except")):
        if state not in states:
            message = f"台帳「{named}」に状態「{state}」はありません" if state else f"台帳「{named}」での状態（state）がありません"
            yield Finding("ledger_state", f"{message}（使えるもの：{'、'.join(states)}）。", node.id, node.source)
    columns = dict.fromkeys(column.id for ledger in ledgers if ledger.id == named for column in ledger.columns)
    for column in (*node.listed("until"), *(part.partition("=")[0].strip() for part in node.listed("values"))):
        if column not in columns:
            message = f"台帳「{named}」に列「{column}」はありません{near(column, columns)}。"
            yield Finding("ledger_column", message, node.id, node.source)

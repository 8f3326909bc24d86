"""What a `ledger` task of a diagram names must be a ledger of its office, and one of that ledger's states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.errors import Finding
from engine.gate_extensions import near
from engine.ledger_rules import Ledger
from engine.net import Node


def check_ledger(node: Node, ledgers: Sequence[Ledger]) -> Iterator[Finding]:
    """What is wrong with a task of topic `ledger`."""
    named, state = node.properties.get("ledger", ""), node.properties.get("state", "")
    known = dict.fromkeys(ledger.id for ledger in ledgers)
    if named not in known:
        message = (
            f"台帳「{named}」は rules.toml の [[ledger]] にありません{near(named, known)}。" if named else "台帳（ledger）がありません。"
        )
        yield Finding("ledger_unknown", message, node.id, node.source)
        return
    states = dict.fromkeys(state for ledger in ledgers if ledger.id == named for state in ledger.states)
    if state not in states:
        listed = "、".join(states)
        message = f"台帳「{named}」に状態「{state}」はありません" if state else f"台帳「{named}」での状態（state）がありません"
        yield Finding("ledger_state", f"{message}（使えるもの：{listed}）。", node.id, node.source)

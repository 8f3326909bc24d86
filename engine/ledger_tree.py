"""Ledger entries that hang below one another, as trees: 再委託, 再々委託 and further down."""

from __future__ import annotations

from collections.abc import Sequence

from engine.ledger_rules import Ledger
from engine.ledger_views import EntryShown, TreeNode

DEEPEST = 20  # below it entries stand beside each other: no real contract goes there, and a page cannot be nested without end


def grown(ledger: Ledger, entries: Sequence[EntryShown]) -> tuple[TreeNode, ...]:
    """The entries as trees, in the order given.

    An entry whose parent is not among them, or that hangs below itself in a circle, stands at the top and says what it should hang below.
    """
    keyed: dict[str, EntryShown] = {}
    for entry in entries:
        keyed.setdefault(_text(entry, ledger.key), entry)
    below: dict[int, list[EntryShown]] = {}
    tops: list[tuple[EntryShown, str]] = []
    for entry in entries:
        wanted = _text(entry, ledger.parent)
        above = keyed.get(wanted) if wanted else None
        if above is None or above is entry:
            tops.append((entry, wanted))
        else:
            below.setdefault(above.entry, []).append(entry)
    reached: set[int] = set()
    grown = [_node(entry, 1, below, reached, lost) for entry, lost in tops]
    for entry in entries:  # what is left goes round in a circle
        if entry.entry not in reached:
            grown.append(_node(entry, 1, below, reached, _text(entry, ledger.parent)))
    return tuple(grown)


def _node(entry: EntryShown, tier: int, below: dict[int, list[EntryShown]], reached: set[int], lost: str = "") -> TreeNode:
    reached.add(entry.entry)
    if tier < DEEPEST:
        inner = tuple(_node(one, tier + 1, below, reached) for one in below.get(entry.entry, ()) if one.entry not in reached)
    else:
        inner = ()
    return TreeNode(entry, tier, inner, lost)


def _text(entry: EntryShown, column: str) -> str:
    cell = entry.cell(column)
    return cell.text.strip() if cell is not None else ""

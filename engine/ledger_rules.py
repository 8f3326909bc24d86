"""What an office's ledgers (台帳) hold: the `[[ledger]]` rows of rules.toml as data, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from engine.errors import ExpressionError
from engine.expressions import compile_expression
from engine.office_files import Table, in_force

KINDS = ("text", "date", "datetime", "number", "choice", "unit", "yes_no")
DAYS = ("date", "datetime")  # kinds that retention can be counted from
#: Names that a column's expression may read beside the case's facts.
CASE_NAMES = frozenset({"case_number", "case_id"})
#: The state of an entry whose item the case no longer lists: it stays readable, and nothing more is expected of it.
DROPPED = "抹消"
MOST_COLUMNS = 40
LONGEST_ID = LONGEST_STATE = 40


@dataclass(frozen=True)
class LedgerColumn:
    """One column of a ledger.

    Attributes:
        value: an expression over the case's facts; with `Ledger.rows`, the item's own columns are laid over them.
        masked: hidden from whoever reads the ledger without seeing the case.
    """

    id: str
    name: str
    kind: str
    value: str
    masked: bool = False


@dataclass(frozen=True)
class Ledger:
    """One ledger: its columns, its states, how long its entries are kept, and who reads and corrects it.

    Attributes:
        states: what an entry can be; the first is how it is while nothing has been brought to its end.
        closed_states: those in which nothing more is expected.
        retention_years: full fiscal years an entry is kept; 0 where no period is fixed.
        retention_from: the column with the day that the period follows.
        readers: roles that read every entry; everybody reads the entries of cases he sees.
        keepers: roles that correct entries, each of the units it answers for.
        rows: a fact that is a list, one entry for each item; empty = one entry a case.
        key: the column an entry is known by: what `parent` of another names, and within `rows`, what tells items apart.
        group: the column whose equal values stand together.
    """

    id: str
    name: str
    basis: str
    clauses: tuple[str, ...]
    valid_from: date
    valid_to: date | None
    states: tuple[str, ...]
    closed_states: tuple[str, ...]
    columns: tuple[LedgerColumn, ...]
    retention_years: int = 0
    retention_from: str = ""
    readers: tuple[str, ...] = ()
    keepers: tuple[str, ...] = ()
    rows: str = ""
    parent: str = ""
    key: str = ""
    group: str = ""

    @property
    def is_tree(self) -> bool:
        """Whether an entry can hang below another."""
        return bool(self.parent)

    def column(self, column_id: str) -> LedgerColumn | None:
        """A column by id."""
        return next((column for column in self.columns if column.id == column_id), None)


def ledger_of(ledgers: Iterable[Ledger], ledger_id: str, on: date) -> Ledger | None:
    """A ledger as it stands on a day; before its first row's day, as that row has it (a case may bring older days than its ledger)."""
    rows = [row for row in ledgers if row.id == ledger_id]
    return in_force(rows, on) or min(rows, key=lambda row: row.valid_from, default=None)


def read_ledger(table: Table) -> Ledger:
    """One `[[ledger]]` of rules.toml; what is wrong with it is noted with the table."""
    ledger_id, name, basis = table.identifier(), table.text("name"), table.text("basis")
    if len(ledger_id) > LONGEST_ID:
        table.wrong("bad-id", f"台帳の「id」は{LONGEST_ID}字までです。")
    valid_from, valid_to = table.period()
    columns = _read_columns(table, ledger_id)
    ledger = Ledger(
        id=ledger_id,
        name=name,
        basis=basis,
        clauses=table.texts("clauses", required=True),
        valid_from=valid_from,
        valid_to=valid_to,
        states=table.texts("states", required=True),
        closed_states=table.texts("closed_states"),
        columns=columns,
        retention_years=table.number("retention_years", 1, 100, required=False) or 0,
        retention_from=table.text("retention_from", required=False),
        readers=table.texts("readers", required=True),
        keepers=table.texts("keepers"),
        rows=table.identifier("rows") if table.has("rows") else "",
        parent=table.text("parent", required=False),
        key=table.text("key", required=False),
        group=table.text("group", required=False),
    )
    table.close()
    for message in _wrong_with(ledger):
        table.wrong("ledger", message)
    return ledger


def _read_columns(table: Table, ledger_id: str) -> tuple[LedgerColumn, ...]:
    columns: list[LedgerColumn] = []
    for one in table.tables("column"):
        one.element = ledger_id
        column = LedgerColumn(one.identifier(), one.text("name"), one.text("kind"), one.text("value"), one.flag("masked", default=False))
        where = f"列「{column.id}」"
        if column.kind and column.kind not in KINDS:
            one.wrong("out-of-range", f"{where}の「kind」は{'・'.join(KINDS)}のどれかです。")
        if column.value:
            try:
                compile_expression(column.value)
            except ExpressionError as error:
                one.wrong("expression", f"{where}：{error.text}")
        if any(other.id == column.id for other in columns):
            one.wrong("duplicate-id", f"{where}が2つあります。")
        one.close()
        columns.append(column)
    if len(columns) > MOST_COLUMNS:
        table.wrong("out-of-range", f"台帳の列は{MOST_COLUMNS}までです。")
    return tuple(columns)


def _wrong_with(ledger: Ledger) -> Iterator[str]:
    """What does not fit together within one ledger."""
    if not ledger.states:
        yield "「states」には1つ以上の状態を書いてください。"
    if not ledger.columns:
        yield "[[ledger.column]] が1つもありません。"
    for state in ledger.closed_states:
        if state not in ledger.states:
            yield f"「closed_states」の「{state}」は「states」にありません。"
    if ledger.states and ledger.states[0] in ledger.closed_states:
        yield f"最初の状態「{ledger.states[0]}」は、終わった状態（closed_states）にできません。"
    if any(not state.strip() or len(state) > LONGEST_STATE for state in ledger.states):
        yield f"「states」の状態は1字から{LONGEST_STATE}字までです。"
    if DROPPED in ledger.states:
        yield f"状態「{DROPPED}」は、案件から外れた行に付くもので、「states」には書けません。"
    columns: Mapping[str, LedgerColumn] = {column.id: column for column in ledger.columns}
    for key in ("retention_from", "parent", "key", "group"):
        named = getattr(ledger, key)
        if named and named not in columns:
            yield f"「{key}」の列「{named}」がありません。"
        elif named and key in ("parent", "key", "group") and columns[named].masked:
            yield f"「{key}」の列「{named}」は、伏せる列（masked）にできません。"
    if bool(ledger.retention_years) != bool(ledger.retention_from):
        yield "「retention_years」と「retention_from」は両方書いてください（保存期間を定めないときは、両方書きません）。"
    counted = columns.get(ledger.retention_from)
    if counted is not None and counted.kind not in DAYS:
        yield f"「retention_from」の列「{counted.id}」の kind は date か datetime にしてください。"
    if ledger.parent and not ledger.key:
        yield "「parent」を書くときは「key」も書いてください。"
    if ledger.parent and ledger.parent == ledger.key:
        yield "「parent」と「key」は別の列にしてください。"

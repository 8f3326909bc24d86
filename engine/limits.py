"""How large what an office hands in may be: every upper bound of diagrams, tables and forms, in one place and configurable downwards only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from engine.expressions import MAX_NODES as EXPRESSION_NODES
from engine.expressions import MAX_SOURCE as EXPRESSION_LENGTH
from engine.play import MAX_INSTANCES


def _limit(default: int, label: str, unit: str) -> int:
    """One limit with its Japanese name; typed as what it holds."""
    made: int = field(default=default, metadata={"label": label, "unit": unit})
    return made


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds. What the token game and the expressions themselves refuse at run time comes from there, so that no number stands twice."""

    xml_bytes: int = _limit(2 * 1024 * 1024, "ファイルの大きさ", "バイト")
    xml_depth: int = _limit(60, "XMLの入れ子", "段")
    xml_elements: int = _limit(30_000, "XMLの要素の数", "個")
    xml_attributes: int = _limit(60_000, "XMLの属性の数", "個")
    element_attributes: int = _limit(200, "1つのXML要素の属性の数", "個")
    processes: int = _limit(20, "1つのファイルのプロセスの数", "個")
    nodes: int = _limit(300, "1つのプロセスの要素の数", "個")
    nodes_with_calls: int = _limit(600, "呼び出し先を含めた要素の数", "個")
    call_depth: int = _limit(20, "呼び出しの入れ子", "段")
    flows: int = _limit(1_000, "1つのプロセスのシーケンスフローの数", "本")
    instances: int = _limit(MAX_INSTANCES, "マルチインスタンスの回数", "回")
    identifier: int = _limit(100, "IDの長さ", "文字")
    name: int = _limit(300, "名前の長さ", "文字")
    text: int = _limit(10_000, "説明の長さ", "文字")
    property_text: int = _limit(4_000, "拡張プロパティの値の長さ", "文字")
    candidates: int = _limit(50, "候補グループの数", "個")
    form_fields: int = _limit(200, "1つの画面の入力項目の数", "個")
    choices: int = _limit(300, "1つの入力項目の選択肢の数", "個")
    field_length: int = _limit(100_000, "入力項目の maxlength", "文字")
    expression_length: int = _limit(EXPRESSION_LENGTH, "式の長さ", "文字")
    expression_nodes: int = _limit(EXPRESSION_NODES, "式の中の要素の数", "個")
    expressions_length: int = _limit(60_000, "1つのファイルの式の長さの合計", "文字")
    decisions: int = _limit(200, "1つのファイルの決定の数", "個")
    table_rows: int = _limit(1_000, "決定表の行の数", "行")
    table_columns: int = _limit(100, "決定表の列の数", "列")
    table_cells: int = _limit(10_000, "1つのファイルの決定表のセルの数", "個")
    findings: int = _limit(200, "報告する指摘の数", "件")

    def label(self, name: str) -> str:
        """What a person calls the limit."""
        return str(_META[name]["label"])

    def says(self, name: str) -> str:
        """The limit with its unit, e.g. `300個まで`."""
        return f"{getattr(self, name):,}{_META[name]['unit']}まで"

    def exceeded(self, name: str, value: int | None = None) -> str:
        """The sentence about a value that is over the limit, without advice."""
        given = "" if value is None else f"いま{value:,}{_META[name]['unit']}、"
        return f"{self.label(name)}が上限を超えています（{given}{self.says(name)}）。"


_META: Mapping[str, Mapping[str, object]] = {item.name: item.metadata for item in fields(Limits)}
DEFAULT = Limits()


def lowered(values: Mapping[str, object], base: Limits = DEFAULT) -> tuple[Limits, tuple[tuple[str, str], ...]]:
    """Limits with some of them lowered, and what is wrong with the others.

    Args:
        values: limit name -> new value, e.g. the table `[limits]` of an office's rules.toml.
        base: what may not be exceeded.

    Returns:
        the limits, and (rule, Japanese sentence) for each name that is unknown or whose value is no whole number from 1 up to the base's.
    """
    fitting: dict[str, int] = {}
    wrong: list[tuple[str, str]] = []
    for name, value in values.items():
        if name not in _META:
            wrong.append(("unknown-key", f"「{name}」という上限はありません（使えるもの：{'、'.join(_META)}）。"))
            continue
        highest: int = getattr(base, name)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= highest:
            label = base.label(name)
            wrong.append(("out-of-range", f"「{name}」（{label}）は1から{highest}までの整数です。上限は下げることだけができます。"))
        else:
            fitting[name] = value
    return replace(base, **fitting), tuple(wrong)


__all__ = ["DEFAULT", "Limits", "lowered"]

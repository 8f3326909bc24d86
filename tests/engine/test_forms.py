"""Declared fields: every type as scripts and HTML forms send it, what is required when, and values in words."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import JST, FormInvalid, forms
from engine.expressions import compile_expression
from engine.net import Choice, FieldSpec

NOW = datetime(2026, 11, 16, 10, 0, tzinfo=JST)
UNITS = {"a": "第一課", "b": "第二課"}
CHOICES = (Choice("x", "甲"), Choice("y", "乙"))


def spec(id: str, type: str, *choices: Choice, **more: Any) -> FieldSpec:
    return FieldSpec(
        id=id,
        label=f"{id}欄",
        type=type,
        default=None,
        choices=choices,
        constraints=more.get("rules", {}),
        properties=more.get("props", {}),
    )


def read(fields: list[FieldSpec], raw: dict[str, Any], facts: dict[str, Any] | None = None, *, keep_facts: bool = True) -> dict[str, Any]:
    def evaluate(expression: str, known: Any) -> Any:
        return compile_expression(expression).evaluate(known, {"hours": lambda number: timedelta(hours=number)})

    return forms.read(fields, raw, facts=facts or {}, now=NOW, units=UNITS, evaluate=evaluate, keep_facts=keep_facts)


def value(type: str, raw: Any, *choices: Choice, **more: Any) -> Any:
    return read([spec("f", type, *choices, **more)], {"f": raw})["f"]


# ---------------------------------------------------------------- types


@pytest.mark.parametrize(
    ("type", "raw", "kept"),
    [
        ("string", "  山田\n太郎 ", "山田 太郎"), ("text", "一行\r\n二行\r三行", "一行\n二行\n三行"), ("text", "か\u3099", "が"), ("string", "", None), ("string", None, None),
        ("string", ["a"], "a"), ("string", [], None), ("string", 5, "5"),
        ("long", "１，２３４", 1234), ("long", " 7 ", 7), ("long", 7, 7), ("long", 7.0, 7), ("long", "+7", 7), ("long", "", None), ("long", "0", 0),
        ("boolean", "true", True), ("boolean", "はい", True), ("boolean", "on", True), ("boolean", False, False), ("boolean", "いいえ", False), ("boolean", "", None),
        ("enum", "x", "x"), ("enum", "", None), ("set", ["y", "x", "y"], ["x", "y"]), ("set", "y", ["y"]), ("set", [], []), ("set", ["", "x"], ["x"]),
        ("unit", "a", "a"), ("unit", "", None),
        ("date", "2026-11-21", "2026-11-21"), ("date", date(2026, 11, 21), "2026-11-21"), ("date", "令和8年11月21日", "2026-11-21"), ("date", "Ｒ８．１１．２１", "2026-11-21"),
        ("date", "2026/1/2", "2026-01-02"), ("date", "2026年1月2日", "2026-01-02"), ("date", "平成元年1月8日", "1989-01-08"), ("date", "S63.12.31", "1988-12-31"),
        ("date", "", None),
        ("datetime", "2026-11-21 14:30", "2026-11-21T14:30+09:00"), ("datetime", "2026-11-21T05:30:00Z", "2026-11-21T14:30+09:00"),
        ("datetime", "令和8年11月21日 9時5分", "2026-11-21T09:05+09:00"), ("datetime", datetime(2026, 11, 21, tzinfo=UTC), "2026-11-21T09:00+09:00"),
        ("datetime", "2026/11/21 9時", "2026-11-21T09:00+09:00"), ("datetime", "", None),
        ("rows", [{"x": " 1 ", "y": ""}, {"x": "", "y": None}], [{"x": "1", "y": ""}]), ("rows", "", []), ("rows", [], []), ("rows", None, []),
    ],
)  # fmt: skip
def test_what_is_typed_is_kept_in_the_fields_type(type: str, raw: Any, kept: Any) -> None:
    found = value(type, raw, *(CHOICES if type in ("enum", "set", "rows") else ()))
    assert found == kept and found.__class__ is kept.__class__


def test_yes_and_no_answered_as_truth_values() -> None:
    assert [value("enum", raw, Choice("yes", "はい"), Choice("no", "いいえ")) for raw in (True, False)] == ["yes", "no"]


@pytest.mark.parametrize(
    "text", ["2026-13-01", "2026-02-29", "R8.2.30", "21.11.2026", "明日", "2026", "0000-01-01", "１２３", "2301-01-01", "M45.1.1"]
)
def test_what_is_no_day(text: str) -> None:
    with pytest.raises(FormInvalid, match="f欄"):
        value("date", text)


@pytest.mark.parametrize(
    "text", ["2026-11-21 25:00", "2026-11-21 9", "9:00", "2026-11-21 14:30 です", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00+23:59"]
)
def test_what_is_no_instant(text: str) -> None:
    with pytest.raises(FormInvalid, match="f欄"):
        value("datetime", text)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def wrong(fields: list[FieldSpec], raw: dict[str, Any]) -> dict[str, str]:
    """field -> message of what does not fit; {} when all was read, in types that facts may have."""
    try:
        found = read(fields, raw)
    except FormInvalid as refused:
        return refused.fields
    assert set(found) <= {one.id for one in fields}
    assert all(kept is None or isinstance(kept, (str, int, bool, list)) for kept in found.values())
    return {}


@given(st.sampled_from(["string", "text", "long", "boolean", "enum", "set", "unit", "date", "datetime", "rows"]), ANYTHING)
def test_anything_at_all_is_either_read_or_refused_by_name(type: str, raw: Any) -> None:
    found = wrong([spec("f", type, *(CHOICES if type in ("enum", "set", "rows") else ()))], {"f": raw})
    assert not found or (list(found) == ["f"] and found["f"].startswith("「f欄」"))


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=5), max_size=6))
def test_only_declared_fields_get_through(raw: dict[str, str]) -> None:
    assert set(wrong([spec("f", "string"), spec("rows", "rows", *CHOICES)], raw)) <= {*raw, "rows"}


def test_rows_as_an_html_form_posts_them() -> None:
    fields = [spec("t", "rows", *CHOICES)]
    assert read(fields, {"t.1.x": "二", "t.0.x": "一", "t.0.y": "ア", "t.7.y": ""}) == {"t": [{"x": "一", "y": "ア"}, {"x": "二", "y": ""}]}


# ---------------------------------------------------------------- required, shown, ordered


def test_what_is_required_may_be_known_already() -> None:
    fields = [spec("f", "string", rules={"required": ""})]
    assert read(fields, {}, {"f": "既に"}) == {}
    with pytest.raises(FormInvalid):
        read(fields, {"f": ""}, {"f": "既に"})  # but it may not be emptied
    with pytest.raises(FormInvalid):
        read(fields, {}, {"f": "別の人の答え"}, keep_facts=False)
    with pytest.raises(FormInvalid):
        read([spec("s", "set", *CHOICES, rules={"required": ""})], {"s": []})
    assert read([spec("n", "long", rules={"required": ""}), spec("b", "boolean", rules={"required": ""})], {"n": 0, "b": False}) == {
        "n": 0,
        "b": False,
    }


def test_a_decision_offered_as_buttons_must_be_taken_anew() -> None:
    fields = [spec("d", "enum", *CHOICES, rules={"required": ""}, props={"as_buttons": "true"})]
    with pytest.raises(FormInvalid):
        read(fields, {}, {"d": "x"})
    assert read(fields, {"d": "y"}, {"d": "x"}) == {"d": "y"}


def test_a_field_that_is_not_shown_has_no_answer() -> None:
    fields = [spec("a", "enum", *CHOICES), spec("why", "string", props={"shown_when": 'a == "y"'}, rules={"required_when": 'a == "y"'})]
    assert read(fields, {"a": "x", "why": "隠れた答え"}) == {"a": "x"}
    assert read(fields, {"a": "y", "why": "理由"}) == {"a": "y", "why": "理由"}
    with pytest.raises(FormInvalid) as refused:
        read(fields, {"a": "y"})
    assert refused.value.fields == {"why": "「why欄」を入力してください。"}


@pytest.mark.parametrize(
    ("typed", "rule", "fits"),
    [
        ("2026-11-16", {"not_after": "now"}, True), ("2026-11-17", {"not_after": "now"}, False), ("2026-11-15", {"not_before": "now"}, False),
        ("2026-11-16", {"not_before": "now"}, True), ("2026-11-10", {"not_before": "known"}, True), ("2026-11-09", {"not_before": "known"}, False),
        ("2026-11-09", {"not_after": "known"}, True), ("2026-11-16", {"not_after": "nothing"}, True),
    ],
)  # fmt: skip
def test_days_in_order(typed: str, rule: dict[str, str], fits: bool) -> None:
    fields = [spec("d", "date", rules=rule)]
    if fits:
        assert read(fields, {"d": typed}, {"known": "2026-11-10"}) == {"d": typed}
    else:
        with pytest.raises(FormInvalid, match="日時を入力してください"):
            read(fields, {"d": typed}, {"known": "2026-11-10"})


def test_a_day_is_compared_with_an_instant_by_its_day() -> None:
    fields = [spec("d", "date", rules={"not_before": "left_at"})]
    left = {"left_at": "2026-11-10T15:00+09:00"}
    assert read(fields, {"d": "2026-11-10"}, left) == {"d": "2026-11-10"}
    with pytest.raises(FormInvalid, match="以後"):
        read(fields, {"d": "2026-11-09"}, left)


def test_now_means_the_minute_one_sees() -> None:
    fields = [spec("t", "datetime", rules={"not_after": "now"})]
    read(fields, {"t": "2026-11-16 10:00"})
    read(fields, {"t": "2026-11-16 10:01"})
    with pytest.raises(FormInvalid, match="現在以前"):
        read(fields, {"t": "2026-11-16 10:02"})


def test_a_limit_that_an_expression_yields_is_told_as_an_instant() -> None:
    """ほかの欄から計算した限りも書ける。断るときは、その日時を示す。"""
    fields = [spec("t", "datetime"), spec("u", "datetime", rules={"not_before": "t", "not_after": "t + hours(8)"})]
    read(fields, {"t": "2026-11-16 10:00", "u": "2026-11-16 18:00"})
    read(fields, {"u": "2026-11-16 18:00"})
    with pytest.raises(FormInvalid) as refused:
        read(fields, {"t": "2026-11-16 10:00", "u": "2026-11-16 18:01"})
    assert refused.value.fields == {"u": "「u欄」には2026年11月16日（月） 18:00以前の日時を入力してください。"}


# ---------------------------------------------------------------- in words


@pytest.mark.parametrize(
    ("type", "kept", "words"),
    [
        ("string", None, "（未記入）"), ("set", [], "（未記入）"), ("boolean", True, "はい"), ("boolean", False, "いいえ"), ("enum", "x", "甲"), ("enum", "old", "old"),
        ("set", ["x", "y"], "甲、乙"), ("unit", "a", "第一課"), ("unit", "gone", "gone"), ("rows", [{}, {}], "2件"), ("long", 0, "0"),
        ("datetime", "2026-11-21T05:30+00:00", "2026年11月21日（土） 14:30"), ("date", "2026-11-21", "2026年11月21日（土）"), ("date", "いつか", "いつか"),
        ("text", ["一つ目。", "二つ目。"], "一つ目。二つ目。"),
    ],
)  # fmt: skip
def test_values_in_words(type: str, kept: Any, words: str) -> None:
    assert forms.words(spec("f", type, *CHOICES), kept, UNITS) == words


def test_a_refused_form_is_shown_as_it_was_typed() -> None:
    fields = [spec("f", "long", rules={"required": "", "min": "1"}), spec("u", "unit")]
    shown = forms.show(fields, {"f": "たくさん"}, units=UNITS, errors={"f": "「f欄」には整数を入力してください。"})
    assert (shown[0].value, shown[0].error, shown[0].required, shown[0].minimum) == (
        "たくさん",
        "「f欄」には整数を入力してください。",
        True,
        1,
    )
    assert shown[1].choices == (("a", "第一課"), ("b", "第二課"))


def test_a_look_ahead_leaves_out_what_does_not_fit_yet() -> None:
    fields = [spec("n", "long"), spec("t", "text")]
    assert forms.guess(fields, {"n": "x", "t": "よい", "other": 1}, now=NOW, units=UNITS) == {"t": "よい"}

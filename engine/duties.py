"""The law's questions without a case: what duties a set of facts opens, by the same tables and forms that run the cases."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from engine import forms
from engine.definitions import Definition, bundles, compile_bundle
from engine.errors import FormInvalid, ProcessNotFound
from engine.moves import Move
from engine.net import Choice, FieldSpec
from engine.organisation import Organisation

UNKNOWN = Choice("unknown", "不明")


def judge(office: Organisation, facts: Mapping[str, Any], now: datetime, *, assume: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Evaluate the office's duty tables.

    Args:
        facts: fact -> value as the forms of the office's diagrams take them.
        assume: whether facts that are left out take the values of `[assumed]` in rules.toml; otherwise they are unknown.

    Returns:
        (told output -> value, assumed fact -> value), the outputs in the order of `[judgement]` in rules.toml.

    Raises:
        FormInvalid: a fact no form knows, or a value that does not fit; names each.
        ProcessNotFound: the office has no such table.
    """
    asked = office.rules.judgement
    specs: dict[str, FieldSpec] = {}
    decisions = {}
    definition = None
    for process_id, (name, files) in bundles(office.folder, office.folder.parent / "common").items():
        net, found = compile_bundle(process_id, files)
        if asked.decision in found and definition is None:
            definition = Definition(0, office.id, process_id, 0, name, net, found, files)
            decisions = found
        for node in net.nodes:
            for spec in node.form:
                specs[spec.id] = _wider(specs.get(spec.id, spec), spec)
    if definition is None:
        raise ProcessNotFound(process=asked.decision)
    wrong = {name: f"「{name[:60]}」という事実はありません。" for name in facts if name not in specs}
    if wrong:
        raise FormInvalid(wrong)
    assumed = {name: value for name, value in asked.assumed.items() if name not in facts} if assume else {}
    units = {unit.id: unit.name for unit in office.units.values()}
    given = {**assumed, **facts}
    read = forms.read_values([specs[name] for name in given if name in specs], given, now=now, units=units)
    move = Move(definition, office, {**assumed, **read}, now)
    outputs = decisions[asked.decision].evaluate(move.facts, move.functions)
    return {name: outputs.get(name) for name in asked.tells}, assumed


def _wider(known: FieldSpec, other: FieldSpec) -> FieldSpec:
    """One field of several forms: a step may offer fewer choices than the fact can have, and a yes or no may always be unknown."""
    choices = {choice.value: choice for choice in (*known.choices, *other.choices)}
    if "yes" in choices:
        choices.setdefault(UNKNOWN.value, UNKNOWN)
    return dataclasses.replace(known, choices=tuple(choices.values()))

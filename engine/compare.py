"""Two bundles laid side by side: what a change of diagrams and tables means, attribute by attribute, in words. Pure: files in, changes out.

An element is the same in both when it has the same id in the same process; else when only one of its kind has its name, or (a flow) its ends.
What only moved on the page is counted apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine import compare_lines, compare_tables
from engine.compare_elements import FIELD_LABELS, KINDS, LABELS, Drawing, Element, drawings
from engine.errors import DefinitionRefused
from engine.net import FieldSpec
from engine.xml_safety import read_xml

#: Puts a value into words: (code, value) -> what people read.
Say = Callable[[str, str], str]

#: What scenarios stand under, as tables stand under theirs.
SCENARIOS = "シナリオ"


@dataclass(frozen=True)
class Change:
    """One difference.

    Attributes:
        process, process_name: the diagram; "" and "" for a decision table, "" and SCENARIOS for a scenario.
        element, name, kind: the element as it is now (of a removed one as it was); `was` is its id before.
        what: `element`, a code of `compare_elements.LABELS`, `field`, `field:ATTRIBUTE`, `row`, `cell`, `column`, `scenario`, …; label: in words.
        how: `added`, `removed`, `changed` or `moved`.
        before, after: in words; "" where there is nothing.
    """

    process: str
    process_name: str
    file: str
    element: str
    was: str
    name: str
    kind: str
    what: str
    label: str
    how: str
    before: str
    after: str


@dataclass(frozen=True)
class Comparison:
    """Every change; `layout_only`: (process, element) of what was only moved on the page; `broken`: files that cannot be read as XML."""

    changes: tuple[Change, ...]
    layout_only: tuple[tuple[str, str], ...] = ()
    broken: tuple[str, ...] = ()

    def marks(self, process: str, *, before: bool) -> dict[str, str]:
        """Element id -> `added`, `removed` or `changed`, for one side's drawing of a process."""
        found: dict[str, str] = {}
        for one in self.changes:
            if one.process != process or (one.how == ("added" if before else "removed") and one.what == "element"):
                continue
            how = one.how if one.what == "element" and one.how in ("added", "removed") else "changed"
            id = one.was if before else one.element
            if id and found.get(id) not in ("added", "removed"):
                found[id] = how
        return found


def compare(before: Mapping[str, bytes], after: Mapping[str, bytes], say: Say | None = None) -> Comparison:
    """What changes from one bundle to the other; a file that cannot be read is told as broken, and left out."""
    words: Say = say or (lambda _code, value: value)
    broken: list[str] = []
    old, new = _roots(before, broken), _roots(after, broken)
    for name in broken:  # on one side only, all of it would seem to have come or gone
        old.pop(name, None)
        new.pop(name, None)
    drawn, drawn_now = drawings(_of(old, ".bpmn")), drawings(_of(new, ".bpmn"))
    changes: list[Change] = []
    layout: list[tuple[str, str]] = []
    for process in dict.fromkeys((*drawn_now, *drawn)):
        here, now = drawn.get(process), drawn_now.get(process)
        if here is None or now is None:
            changes.append(_diagram(here, now))
        else:
            found = list(_Pair(here, now, words).changes())
            changes += found
            touched = {one.element for one in found}
            layout += [
                (process, id)
                for id, place in now.places.items()
                if id not in touched and id in here.places and here.places[id] != place and id in now.elements
            ]
    changes += _tables(_of(old, ".dmn"), _of(new, ".dmn"))
    changes += [
        Change("", SCENARIOS, one.file, one.file, one.file, one.title, SCENARIOS, "scenario", SCENARIOS, one.how, one.before, one.after)
        for one in compare_lines.scenario_changes(before, after)
    ]
    return Comparison(tuple(changes), tuple(layout), tuple(dict.fromkeys(broken)))


def _roots(files: Mapping[str, bytes], broken: list[str]) -> dict[str, Any]:
    found = {}
    for name, data in sorted(files.items()):
        if name.endswith(".yaml"):
            continue
        try:
            found[name] = read_xml(data, name)
        except DefinitionRefused:
            broken.append(name)
    return found


def _of(roots: Mapping[str, Any], suffix: str) -> dict[str, Any]:
    return {name: root for name, root in roots.items() if name.endswith(suffix)}


def _diagram(before: Drawing | None, after: Drawing | None) -> Change:
    drawing = after or before
    assert drawing is not None
    steps = sum(one.tag not in ("process", "participant", "lane", "sequenceFlow") for one in drawing.elements.values())
    text = f"{drawing.name}（要素{steps}個、{drawing.file}）"
    how = "added" if before is None else "removed"
    return Change(
        drawing.process, drawing.name, drawing.file, drawing.process, drawing.process, drawing.name, "図", "diagram", "図", how,
        "" if before is None else text, "" if after is None else text,
    )  # fmt: skip


def _tables(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    old, new = compare_tables.tables(before), compare_tables.tables(after)
    for id in dict.fromkeys((*new, *old)):
        table = new.get(id) or old[id]

        def change(what: str, label: str, how: str, was: str, now: str, table: compare_tables.Table = table) -> Change:
            return Change("", "", table.file, table.id, table.id, table.name, KINDS["decision"], what, label, how, was, now)

        if id not in old or id not in new:
            text = f"{table.name}（{len(table.rows)}行）"
            yield (
                change("element", KINDS["decision"], "added", "", text)
                if id in new
                else change("element", KINDS["decision"], "removed", text, "")
            )
            continue
        for one in compare_tables.differences(old[id], new[id]):
            yield change(one.what, one.label, one.how, one.before, one.after)


class _Pair:
    """Two versions of one diagram."""

    def __init__(self, before: Drawing, after: Drawing, say: Say) -> None:
        self.before, self.after, self.say = before, after, say
        #: id now -> id before.
        self.same = matched(before, after)

    def changes(self) -> Iterator[Change]:
        known = set(self.same.values())
        for id, now in self.after.elements.items():
            if id in self.same:
                yield from self._changed(self.before.elements[self.same[id]], now)
            else:
                yield self._whole(now, "added")
        for id, was in self.before.elements.items():
            if id not in known:
                yield self._whole(was, "removed")

    def _change(self, now: Element, was: str, what: str, label: str, how: str, before: str, after: str) -> Change:
        drawing = self.after
        return Change(
            drawing.process, drawing.name, now.file, now.id, was, self._name(now, drawing), now.kind, what, label, how, before, after
        )  # fmt: skip

    def _whole(self, one: Element, how: str) -> Change:
        drawing = self.after if how == "added" else self.before
        said = [
            f"{self._label(code)} {self._say(code, value, drawing)}" for code, value in one.values.items() if code not in ("kind", "name")
        ]
        text = "、".join(said)
        was, now = ("", text) if how == "added" else (text, "")
        change = self._change(one, "" if how == "added" else one.id, "element", one.kind, how, was, now)
        return change if how == "added" else _named(change, self._name(one, self.before))

    def _changed(self, was: Element, now: Element) -> Iterator[Change]:
        if was.id != now.id:
            yield self._change(now, was.id, "id", LABELS["id"], "changed", was.id, now.id)
        for code in dict.fromkeys((*now.values, *was.values)):
            before, after = was.values.get(code, ""), now.values.get(code, "")
            if code == "fields":
                continue
            if code in ("from", "to", "default", "attached"):
                before_now = next((here for here, there in self.same.items() if there == before), before)
                if before_now == after:
                    continue
            elif before == after:
                continue
            how = "moved" if code in ("lane", "inside") else "changed"
            yield self._change(
                now, was.id, code, self._label(code), how, self._say(code, before, self.before), self._say(code, after, self.after)
            )  # fmt: skip
        yield from self._fields(was, now)

    def _fields(self, was: Element, now: Element) -> Iterator[Change]:
        for id, spec in now.fields.items():
            if id not in was.fields:
                yield self._change(now, was.id, "field", f"入力欄「{spec.label}」", "added", "", _field(spec))
                continue
            old, new = _said(was.fields[id]), _said(spec)
            for name in dict.fromkeys((*new, *old)):
                if old.get(name, "") != new.get(name, ""):
                    label = f"入力欄「{spec.label}」の{FIELD_LABELS.get(name, name)}"
                    yield self._change(now, was.id, f"field:{name}", label, "changed", old.get(name, ""), new.get(name, ""))
        for id, spec in was.fields.items():
            if id not in now.fields:
                yield self._change(now, was.id, "field", f"入力欄「{spec.label}」", "removed", _field(spec), "")
        stays = [id for id in was.fields if id in now.fields]
        order = [id for id in now.fields if id in was.fields]
        if stays != order:
            before, after = ("、".join(one.fields[id].label for id in ids) for one, ids in ((was, stays), (now, order)))
            yield self._change(now, was.id, "fields", LABELS["fields"], "moved", before, after)

    @staticmethod
    def _label(code: str) -> str:
        if code in LABELS:
            return LABELS[code]
        kind, _, name = code.partition(":")
        return {"property": "拡張プロパティ", "attribute": "そのほかの属性", "element": "そのほかの設定"}.get(kind, kind) + f"「{name}」"

    def _say(self, code: str, value: str, drawing: Drawing) -> str:
        if not value:
            return ""
        if code in ("from", "to", "attached", "property:send_back_to", "property:not_same_person_as"):
            return "、".join(_titled(drawing, part.strip()) for part in value.split(","))
        if code == "default":
            return self._name(drawing.elements[value], drawing) if value in drawing.elements else value
        return self.say(code, value)

    @staticmethod
    def _name(one: Element, drawing: Drawing) -> str:
        if one.tag == "sequenceFlow":
            way = f"{_titled(drawing, one.values.get('from', ''))}→{_titled(drawing, one.values.get('to', ''))}"
            return f"{way}「{one.name}」" if one.name else way
        return one.name or one.id


def matched(before: Drawing, after: Drawing) -> dict[str, str]:
    """Id of each element now -> its id before, for those that are the same element."""
    same = {id: id for id, one in after.elements.items() if id in before.elements and before.elements[id].tag == one.tag}
    used = set(same.values())

    def pair(key: Callable[[Element, bool], object]) -> None:
        fresh: dict[object, list[str]] = {}
        stale: dict[object, list[str]] = {}
        for id, one in after.elements.items():
            if id not in same:
                fresh.setdefault(key(one, True), []).append(id)
        for id, one in before.elements.items():
            if id not in used:
                stale.setdefault(key(one, False), []).append(id)
        for value, ids in fresh.items():
            if value is not None and len(ids) == 1 and len(stale.get(value, ())) == 1:
                same[ids[0]] = stale[value][0]
                used.add(stale[value][0])

    pair(lambda one, _now: (one.tag, one.name) if one.name and one.tag != "sequenceFlow" else None)
    pair(
        lambda one, now: (
            (
                (same.get(one.values.get("from", "")), same.get(one.values.get("to", "")))
                if now
                else (one.values.get("from", ""), one.values.get("to", ""))
            )
            if one.tag == "sequenceFlow"
            else None
        )
    )
    # Something changed its kind and kept its id.
    for id in after.elements:
        if id not in same and id in before.elements and id not in used:
            same[id] = id
            used.add(id)
    return same


def _titled(drawing: Drawing, id: str) -> str:
    one = drawing.elements.get(id)
    return f"「{one.name or id}」" if one is not None else id


def _named(change: Change, name: str) -> Change:
    return replace(change, name=name)


def _said(spec: FieldSpec) -> dict[str, str]:
    """What a form field says, by attribute."""
    choices = "、".join(f"{choice.label}（{choice.value}）" if choice.label != choice.value else choice.value for choice in spec.choices)
    constraints = {name: value or "はい" for name, value in spec.constraints.items()}
    values = {"label": spec.label, "type": spec.type, "default": spec.default or "", "choices": choices, **constraints, **spec.properties}
    return {name: value for name, value in values.items() if value}


def _field(spec: FieldSpec) -> str:
    return "、".join(f"{FIELD_LABELS.get(name, name)} {value}" for name, value in _said(spec).items() if name != "label")


__all__ = ["Change", "Comparison", "Say", "compare", "matched"]

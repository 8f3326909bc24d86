"""The decision paper (決裁鑑): what was decided, on what application, past which seats, as the record stood then; what came later, apart. Pure.

Everything on the sheet is computed from rows of the record up to the decision's own, and from the version of the diagram that row names:
nothing that happens afterwards can change a letter of it. Its words stand here and in no template, which an office could edit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine import wording
from engine.clock import civil_day
from engine.decision_record import DECIDED, RETURNED, Decision, Names, Row, declared, facts_of
from engine.era import japanese_date
from engine.net import FieldSpec, Net, Node
from engine.paper_facts import clean, era_moment, written
from engine.paper_parts import DECISION
from engine.papers import Paper, Section
from engine.store import title_of

TITLE = "決裁鑑"
DRAFT, UNDECIDED = "決裁前（案）", "決裁なし（終了）"
#: Rows that tell of no act: what the system opened, counted or sent by itself. One that changed a fact is told all the same.
_SILENT = frozenset({"case.started", "task.opened", "task.claimed", "task.released", "task.cancelled", "task.reminded", "task.escalated"})
_SILENT_SUBJECTS = ("clock.", "service.", "timer.")
_STATES: Mapping[str, str] = {
    "returned": "差戻し",
    "undone": "この決裁は、その後差し戻されました。",
    "replaced": "この決裁の後、もう一度決裁されました。",
    "withdrawn": "この決裁の後、案件は取り下げられました。",
}


@dataclass(frozen=True)
class Ruling:
    """What a decision paper is made from.

    Attributes:
        number: of the case.
        rows: the case's whole record.
        decision: None before one is taken.
        net: the diagram the decision was taken in (the case's own before that), with its name, version and the instant it came into force.
        names: as of the decision; for a draft, as of now.
        later: names for what came after.
        at: the instant of a draft.
        open: whether a decision can still come.
        as_then: whether `names` were written down at the decision (an earlier version of this program did not).
    """

    number: str
    rows: Sequence[Row]
    decision: Decision | None
    net: Net
    procedure: str
    version: int
    in_force_from: datetime
    names: Names
    later: Names
    at: datetime
    open: bool = True
    as_then: bool = True


def build(ruling: Ruling, taken: Sequence[Decision] = (), more: bool = False) -> Paper:
    """The paper of one decision, or of the one to come.

    Args:
        taken: every decision of the case, to choose among.
        more: whether another one is being prepared.
    """
    decision = ruling.decision
    told = ruling.rows if decision is None else [row for row in ruling.rows if row.seq <= decision.row.seq]
    sheet = _Sheet(ruling, told)
    sections = [sheet.case(), sheet.seats(), *sheet.decided(), sheet.application(), sheet.course(), sheet.attachments(), sheet.clauses()]
    if decision is not None:
        sections.append(sheet.proof(decision.row))
    again = decision is not None and decision.number > 1
    return Paper(
        id=DECISION,
        title=f"{TITLE}（第{decision.number}回）" if again and decision else TITLE,
        office=clean(sheet.names.office),
        sender=" ".join(filter(None, (clean(sheet.names.office), sheet.unit()))),
        addressee="",
        number=clean(ruling.number),
        made_on=civil_day(decision.row.at if decision else ruling.at),
        sections=tuple(section for section in sections if section.rows or section.lines),
        layout="decision",
        watermark="" if decision else DRAFT if ruling.open else UNDECIDED,
        additions=_additions(ruling) if decision else (),
        choices=_choices(ruling, taken) if len(taken) > 1 or (taken and more) else (),
    )


def _choices(ruling: Ruling, taken: Sequence[Decision]) -> tuple[tuple[int, str], ...]:
    """The decisions of the case: which, what, and what became of it."""
    found = []
    for decision in taken:
        facts = facts_of(row for row in ruling.rows if row.seq <= decision.row.seq)
        became = {"undone": "、差し戻された", "replaced": "、決裁し直された", "withdrawn": "、取下げ"}.get(decision.state, "")
        day = japanese_date(civil_day(decision.row.at))
        found.append((decision.number - 1, f"第{decision.number}回　{verdict(decision.row, decision.node, facts)}（{day}{became}）"))
    return tuple(found)


def verdict(row: Row, node: Node, facts: Mapping[str, Any]) -> str:
    """What was decided, in the words of the button pressed."""
    if row.tag == RETURNED:
        return _STATES["returned"]
    answers = _answers(row, facts)
    choice = next((spec for spec in node.form if spec.properties.get("as_buttons") == "true"), None)
    choice = choice or next((spec for spec in node.form if spec.id == "decision"), None)
    return (written(choice, answers.get(choice.id), {}) if choice else "") or node.properties.get("button") or "決裁"


def _answers(row: Row, facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """The facts as a step's row left them; of one instance of a repeated step its own answers laid over them."""
    index = row.data.get("index")
    if not isinstance(index, int):
        return facts
    rows = facts.get(row.node.rsplit("/", 1)[-1]) or []
    own = rows[index] if index < len(rows) else None
    return {**facts, **(own or {})}


class _Sheet:
    """The sections of the sheet, from the rows that it may know."""

    def __init__(self, ruling: Ruling, rows: Sequence[Row]) -> None:
        self.ruling, self.rows, self.names = ruling, rows, ruling.names
        self.net, self.facts = ruling.net, facts_of(rows)
        self.begun = rows[0]
        self.start = self.net.by_id.get(self.begun.node, self.net.start)
        self.applied = {spec.id for spec in self.start.form}

    def unit(self) -> str:
        """The unit that owned the case."""
        return clean(self.names.labels.get(str(self.facts.get("owning_unit")), ""))

    def case(self) -> Section:
        """Which case, under which procedure, drafted by whom and when."""
        version, since = self.ruling.version, japanese_date(civil_day(self.ruling.in_force_from))
        rows = [
            ("案件番号", self.ruling.number),
            ("件名", title_of(self.facts, self.ruling.procedure)),
            ("手続", f"{self.ruling.procedure}（第{version}版、{since}施行）"),
            ("担当の部署", self.unit()),
            ("起案者", " ".join(filter(None, (*_who(self.begun, self.names), _acting(self.begun, self.names))))),
            ("起案", era_moment(self.begun.at)),
        ]
        return _section("case", "起案", rows)

    def seats(self) -> Section:
        """The row of seats the paper went past: of each step the last time it was done."""
        boxes: dict[tuple[str, Any], tuple[str, ...]] = {}
        for row in self.rows:
            key, told = (row.node, row.data.get("index")), _in_two(row.at)
            if row.tag == DECIDED or (row.tag == RETURNED and self._is_ruling(row)):
                seat, name = _who(row, self.names)
                mark = "差戻し" if row.tag == RETURNED else ""
                box = (seat, name, told, "、".join(filter(None, (mark, _acting(row, self.names)))))
            elif row.tag == "task.passed_over":
                seat, name = _who(row, self.names) if row.seat else ("", "")
                above = f"引上げ：{seat} {name}" if seat else "後閲"
                box = (str(row.data.get("to", "")), "", told, "、".join(filter(None, (above, str(row.data.get("why", ""))))))
            else:
                continue
            boxes.pop(key, None)
            boxes[key] = (clean(row.data.get("name")), *map(clean, box))
        return Section(
            "", "決裁欄", rows=tuple(boxes.values()), columns=("処理", "役・部署", "氏名", "日時", "区分"), id="seats", style="seats"
        )

    def _is_ruling(self, row: Row) -> bool:
        decision = self.ruling.decision
        return decision is not None and row.seq == decision.row.seq

    def decided(self) -> Iterable[Section]:
        """What was decided, by whom, on which conditions."""
        decision = self.ruling.decision
        if decision is None:
            return
        row, node = decision.row, decision.node
        seat, name = _who(row, self.names)
        rows = [
            ("決定", verdict(row, node, self.facts)),
            ("決定の日時", era_moment(row.at)),
            ("決定した者", " ".join(filter(None, (seat, name)))),
            ("決定の資格", _acting(row, self.names)),
            *self._said(row, node),
            ("理由", clean(row.data.get("reason"))),
            ("遅れた理由", clean(row.data.get("late", {}).get("reason"))),
            ("根拠", "、".join(map(self.names.clause, node.listed("clause")))),
        ]
        yield _section("decision", "決定", rows)

    def _said(self, row: Row, node: Node, facts: Mapping[str, Any] | None = None) -> Iterable[tuple[str, str]]:
        """What a step's form asked beyond the application, as the step left it."""
        answers = _answers(row, self.facts if facts is None else facts)
        for spec in node.form:
            if spec.id not in self.applied and spec.properties.get("as_buttons") != "true":
                yield spec.label, written(spec, answers.get(spec.id), self.names.labels)

    def application(self) -> Section:
        """The application as it was decided on: what the start form asks, with every correction made until then."""
        rows = [(spec.label, written(spec, self.facts.get(spec.id), self.names.labels)) for spec in self.start.form]
        return _section("application", "申請の内容", rows)

    def course(self) -> Section:
        """Every act between application and decision, with its opinions, conditions and reasons."""
        last = self.ruling.decision.row.seq if self.ruling.decision else None
        specs = declared(self.net)
        rows, so_far = [], facts_of(self.rows[:1])
        for row in self.rows[1:]:
            before, so_far = so_far, {**so_far, **facts_of([row])}
            if row.seq == last or not _tells(row, specs) or row.tag == "attachment.added":
                continue
            node = self.net.by_id.get(row.node)
            lines = [_event(row, self.names)]
            if row.tag == DECIDED and node is not None:
                answers = _answers(row, so_far)
                chosen = [spec for spec in node.form if spec.properties.get("as_buttons") == "true"]
                lines += _pairs((spec.label, written(spec, answers.get(spec.id), self.names.labels)) for spec in chosen)
                lines += _pairs(self._said(row, node, so_far))
            asked = {spec.id for spec in node.form} if node is not None else set()
            kept = {
                name for name, change in row.data.get("facts", {}).items()
                # what the form asked for the first time is told above; what a diagram clears beside the form says nothing to a reader
                if (name in asked and name in self.applied) or (name not in asked and change[1] not in (None, "", []))
            }  # fmt: skip
            lines += _changes(row, before, {name: spec for name, spec in specs.items() if name in kept or row.tag != DECIDED}, self.names)
            rows.append((_in_two(row.at), "\n".join(lines), _signed(row, self.names)))
        return Section(
            "", "審査・確認の経過", rows=tuple(rows), columns=("日時", "処理と意見", "役・氏名"), id="course", widths=(24, 52, 24)
        )

    def attachments(self) -> Section:
        """The files that lay before who decided."""
        rows = tuple(_file(row) for row in self.rows if row.tag == "attachment.added")
        return Section("", "添付", rows=rows, columns=("名称", "大きさ", "SHA-256"), id="attachments", widths=(42, 16, 42))

    def clauses(self) -> Section:
        """The clauses under which the steps until then were done."""
        cited = [*self.start.listed("clause"), *(clause for row in self.rows for clause in row.clauses)]
        told = "\n".join(dict.fromkeys(map(self.names.clause, cited)))
        return Section("", "手続の根拠", (told,) if told else (), id="clauses")

    def proof(self, row: Row) -> Section:
        """By what the sheet can be checked against the record."""
        lines = ["この決裁鑑は、次の号までの記録だけから作られています。ハッシュ値は、そこまでの記録のすべてを連鎖させた値です。"]
        if not self.ruling.as_then:
            lines.append("部署・役・氏名・条項の名称は、決裁のときに書き留められていなかったため、現在のものです。")
        rows = (("記録の番号", f"案件の記録の第{row.seq}号"), ("ハッシュ値（SHA-256）", row.digest))
        return Section("", "記録による証明", tuple(lines), rows, id="proof")


# ---------------------------------------------------------------- what came afterwards


def _additions(ruling: Ruling) -> tuple[Section, ...]:
    """決裁後の追記: on a sheet of its own; nothing when nothing has come."""
    decision = ruling.decision
    assert decision is not None
    specs, names = declared(ruling.net), ruling.later
    facts = facts_of(row for row in ruling.rows if row.seq <= decision.row.seq)
    rows = []
    for row in ruling.rows:
        if row.seq <= decision.row.seq:
            continue
        before, facts = facts, {**facts, **facts_of([row])}
        if _tells(row, specs):
            lines = [_event(row, names)]
            if row.tag == "attachment.added":
                name, size, digest = _file(row)
                lines = [f"「{name}」を添付しました（{size}）", f"SHA-256　{digest}"]
            lines += _changes(row, before, specs, names)
            rows.append((_in_two(row.at), "\n".join(lines), _signed(row, names)))
    became: tuple[str, ...] = ()
    if decision.since is not None:
        became = (f"{era_moment(decision.since.at)}　{_STATES[decision.state]}",)
    if not rows:
        return ()
    return (Section("", "", became, tuple(rows), columns=("日時", "追記の内容", "行った人"), id="additions", widths=(24, 52, 24)),)


# ---------------------------------------------------------------- words


def _section(name: str, heading: str, rows: Iterable[tuple[str, str]]) -> Section:
    return Section("", heading, rows=tuple((label, clean(text)) for label, text in rows if clean(text)), id=name)


def _tells(row: Row, specs: Mapping[str, FieldSpec]) -> bool:
    """Whether a row is an act worth telling."""
    silent = row.tag in _SILENT or row.tag.startswith(_SILENT_SUBJECTS)
    return not silent or (row.tag != "case.started" and any(name in specs for name in row.data.get("facts", {})))


def _who(row: Row, names: Names) -> tuple[str, str]:
    """(seat, name) of who acted."""
    return (clean(names.seat(row.seat)) if row.seat else "", clean(names.person(row.person)))


def _in_two(at: datetime) -> str:
    """An instant on two lines, for narrow places."""
    return era_moment(at).replace("日", "日\n", 1)


def _signed(row: Row, names: Names) -> str:
    return "\n".join(filter(None, (*_who(row, names), _acting(row, names))))


def _acting(row: Row, names: Names) -> str:
    """代理, 代決, 次順位 and the like, with the principal and the rule."""
    return clean(wording.acting_text(row.data, names.persons))


def _event(row: Row, names: Names) -> str:
    """The sentence of a row with its reason or note."""
    sentence = wording.event_text(row.tag, {**row.data, "person_name": names.person(str(row.data.get("person", "")))})
    said = clean(row.data.get("reason") or row.data.get("note"))
    late = clean(row.data.get("late", {}).get("reason"))
    return "\n".join(filter(None, (clean(sentence), said, f"遅れた理由：{late}" if late else "")))


def _pairs(rows: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{label}：{text}" for label, text in rows if clean(text)]


def _changes(row: Row, before: Mapping[str, Any], specs: Mapping[str, FieldSpec], names: Names) -> list[str]:
    """The declared facts that an act changed, from what to what."""
    told = []
    for name, change in row.data.get("facts", {}).items():
        if (spec := specs.get(name)) is not None:
            old, new = (written(spec, value, names.labels) for value in (before.get(name), change[1]))
            told.append(f"{spec.label}：{old or '（未記入）'} → {new or '（未記入）'}")
    return told


def _file(row: Row) -> tuple[str, str, str]:
    """(name, size, SHA-256) of an attachment."""
    size = row.data.get("size")
    return clean(row.data.get("name")), f"{size:,} バイト" if isinstance(size, int) else "", clean(row.data.get("sha256"))


__all__ = ["TITLE", "Ruling", "build", "verdict"]

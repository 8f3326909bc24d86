"""Reads an office's rules.toml into `engine.rules`, and says everything that is wrong with it."""

from __future__ import annotations

import re
import string
from datetime import date, time, timedelta
from itertools import pairwise
from pathlib import Path

from engine.deadlines import OFFICE_HOURS, Calendar, ClosedDays, Condition, Rung, StatutoryClock, Urgency
from engine.errors import ExpressionError, OrganisationBroken
from engine.expressions import compile_expression, settings_of
from engine.ledger_rules import read_ledger
from engine.limits import Limits, lowered
from engine.notice_texts import TEMPLATES
from engine.office_files import Findings, Table, read_toml
from engine.quiet import Quiet
from engine.rules import (
    AttachmentRules,
    Derived,
    Duty,
    Judgement,
    NoticeRules,
    Numbering,
    PasswordRules,
    PersonnelRules,
    Property,
    Rules,
    SessionRules,
    Setting,
    Sight,
)

URGENCY_WORDS = ("at_once", "promptly", "plain")  # 直ちに, 速やかに, no word: the three a diagram may write
MAX_RUNGS = 8
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOW_TOLD = ("at_once", "digest", "in_app")  # by mail at once, in the daily digest, inside the application only
STATUTORY = frozenset({"clock_warning", "clock_overdue"})  # what no office may let its people put off
_NUMBER_FIELDS = {"year", "era_year", "sequence"}


def load_rules(path: Path) -> Rules:
    """The rules of a file, or `OrganisationBroken` with everything that is wrong in it."""
    findings = Findings()
    rules = read_rules(Path(path), findings)
    if rules is None or findings.found:
        raise OrganisationBroken(findings.found, folder=Path(path).parent.name)
    return rules


def read_rules(path: Path, findings: Findings) -> Rules | None:
    """The rules of a file; what is wrong is added to `findings`, and then the rules must not be used."""
    top = read_toml(path, findings)
    if top is None:
        return None
    rules = Rules(
        calendar=_read_calendar(top),
        urgencies=_read_urgencies(top),
        statutory=tuple(_read_clock(table) for table in top.tables("clock", required=False)),
        derived=tuple(_read_derived(table) for table in top.tables("derived", required=False)),
        duties=tuple(_read_duty(table) for table in top.tables("duty", required=False)),
        numbering=tuple(_read_numbering(table) for table in top.tables("numbering")),
        visibility=tuple(_read_sight(table) for table in top.tables("visibility", required=False)),
        session=_read_session(top.table("session")),
        password=_read_password(top.table("password")),
        attachments=_read_attachments(top.table("attachments")),
        judgement=_read_judgement(top.table("judgement")),
        deployers=_read_deployers(top.table("deployment")),
        personnel=_read_personnel(top),
        limits=_read_limits(top),
        properties=tuple(_read_property(table) for table in top.tables("property", required=False)),
        notices=_read_notices(top),
        settings=tuple(_read_setting(table) for table in top.tables("setting", required=False)),
        ledgers=tuple(read_ledger(table) for table in top.tables("ledger", required=False)),
    )
    _check_settings(top, rules.settings)
    keys = [("urgency", row.id, row.valid_from) for row in rules.urgencies]
    keys += [("clock", row.id, row.valid_from) for row in rules.statutory]
    keys += [("numbering", row.key, row.valid_from) for row in rules.numbering]
    keys += [("setting", row.id, row.valid_from) for row in rules.settings]
    keys += [("ledger", row.id, row.valid_from) for row in rules.ledgers]
    for kind, key, day in sorted({key for key in keys if keys.count(key) > 1}):
        findings.add("duplicate-id", f"[[{kind}]] に、同じ名前で同じ valid_from（{day}）の行が2つあります。", key, path.name)
    for element, text in [
        *((row.clause, text) for row in rules.duties for text in (row.when, row.undecided_when)),
        *((row.id, text) for row in rules.properties for text in (row.when, row.then)),
        *((row.id, column.value) for row in rules.ledgers for column in row.columns),
    ]:
        for setting in settings_of(text):
            if not any(row.id == setting for row in rules.settings):
                findings.add("unknown-setting", f"設定「{setting}」は [[setting]] にありません。", element, path.name)
    top.close()
    return rules


def _read_derived(table: Table) -> Derived:
    row = Derived(table.identifier("decision"), table.texts("processes"))
    table.close()
    return row


def _read_calendar(top: Table) -> Calendar:
    rows: list[ClosedDays] = []
    closed: list[date] = []
    opened: list[date] = []
    for table in top.tables("closed_days"):
        name = table.text("name")
        table.element = name
        valid_from, valid_to = table.period()
        weekdays = table.texts("weekdays")
        if any(day not in _WEEKDAYS for day in weekdays) or len(set(weekdays)) > 6:
            table.wrong("out-of-range", f"「weekdays」は{'・'.join(_WEEKDAYS)}のうち6つまでです。")
        nation = table.text("holidays", required=False)
        if nation not in ("", "JP"):
            table.wrong("out-of-range", '「holidays」に書けるのは "JP" だけです。')
        first, last = _month_day(table, "from"), _month_day(table, "to")
        if (first is None) != (last is None):
            table.wrong("missing-key", "「from」と「to」は両方書いてください。")
        numbers = frozenset(_WEEKDAYS.index(day) for day in weekdays if day in _WEEKDAYS)
        rows.append(ClosedDays(name, valid_from, valid_to, numbers, nation == "JP", first, last))
        table.close()
    for table in top.tables("special_day", required=False):
        closed += table.days("closed")
        opened += table.days("open")
        table.text("basis")
        table.close()
    if {*closed} & {*opened}:
        top.wrong("duplicate", "[[special_day]] で、同じ日が開庁日と閉庁日の両方になっています。")
    return Calendar(closed, opened, rows, _read_hours(top))


def _read_hours(top: Table) -> tuple[time, time]:
    if not top.has("office_hours"):
        return OFFICE_HOURS
    table = top.table("office_hours")
    opens, closes = table.hour("from"), table.hour("to")
    if opens is not None and closes is not None and opens >= closes:
        table.wrong("out-of-order", "[office_hours] の「to」は「from」より後にしてください。")
    table.close()
    return (opens or OFFICE_HOURS[0], closes or OFFICE_HOURS[1])


def _month_day(table: Table, key: str) -> tuple[int, int] | None:
    text = table.text(key, required=False)
    if not text:
        return None
    try:
        day = date.fromisoformat(f"2024-{text}")  # a leap year, so that 02-29 may be written
    except ValueError:
        table.wrong("bad-date", f"「{key}」は 12-29 の形の月日で書いてください。")
        return None
    return day.month, day.day


def _read_urgencies(top: Table) -> tuple[Urgency, ...]:
    rows: list[Urgency] = []
    for table in top.tables("urgency"):
        row_id, label = table.identifier(), table.text("label")
        valid_from, valid_to = table.period()
        basis = table.text("basis", required=False)
        rungs = (*_read_reminders(table), *(_read_rung(one, row_id) for one in table.tables("rung", required=False)))
        if len(rungs) > MAX_RUNGS:
            table.wrong("out-of-range", f"[[urgency.rung]] は{MAX_RUNGS}段までです。")
        _check_order(table, rungs)
        rows.append(Urgency(row_id, label, valid_from, valid_to, rungs, basis))
        table.close()
    for word in URGENCY_WORDS:
        if not any(row.id == word for row in rows):
            top.wrong("urgency-missing", f"[[urgency]] に「{word}」の行がありません。")
    return tuple(rows)


def _read_reminders(table: Table) -> tuple[Rung, ...]:
    """The two rungs that most words need, in short: `remind_*` tells the holder, `escalate_*` the holder and the rung above."""
    told = (("remind", ("holder",)), ("escalate", ("holder", "next")))
    waits = [(_read_wait(table, f"{what}_after", f"{what}_working_days"), tells) for what, tells in told]
    return tuple(Rung(wait, tells) for wait, tells in waits if wait is not None)


def _read_rung(table: Table, urgency: str) -> Rung:
    table.element = urgency
    hours = table.span("office_after", required=False)
    wait = _read_wait(table, "after", "working_days")
    if (hours is None) == (wait is None):
        table.wrong("missing-key", "段には「after」「office_after」「working_days」のどれか一つだけを書いてください。")
    tells = table.texts("tells", required=True)
    table.close()
    return Rung(hours if hours is not None else wait if wait is not None else 1, tells, hours is not None)


def _check_order(table: Table, rungs: tuple[Rung, ...]) -> None:
    """Rungs of one measure come in the order of time: whoever is above is not told before the holder has been reminded."""
    for earlier, later in pairwise(rungs):
        same = isinstance(earlier.wait, int) == isinstance(later.wait, int) and earlier.office_hours == later.office_hours
        if same and earlier.wait > later.wait:  # type: ignore[operator]
            table.wrong(
                "out-of-order", "上位への通知（escalate）が、本人への督促（remind）より先になっています。段は時間の順に並べてください。"
            )


def _read_wait(table: Table, span_key: str, days_key: str) -> timedelta | int | None:
    span = table.span(span_key, required=False)
    count = table.number(days_key, 1, 366, required=False)
    if span is not None and count is not None:
        table.wrong("out-of-order", f"「{span_key}」と「{days_key}」は、どちらか一方だけ書いてください。")
    return span if span is not None else count


def _read_clock(table: Table) -> StatutoryClock:
    row_id, name, basis = table.identifier(), table.text("name"), table.text("basis")
    valid_from, valid_to = table.period()
    conditions: list[Condition] = []
    for one in table.tables("when", required=False):
        one.element = row_id
        conditions.append(Condition(one.texts("any_of", required=True), one.texts("is", required=True)))
        one.close()
    days, days_fact = table.number("days", 1, 3660, required=False), table.text("days_fact", required=False)
    if (days is None) == (not days_fact):
        table.wrong("missing-key", "「days」か「days_fact」のどちらか一方だけを書いてください。")
    row = StatutoryClock(
        id=row_id,
        name=name,
        basis=basis,
        clauses=table.texts("clauses", required=True),
        valid_from=valid_from,
        valid_to=valid_to,
        starts=table.text("starts"),
        conditions=tuple(conditions),
        days=days,
        days_fact=days_fact,
        moved_past_closed_days=table.flag("moved_past_closed_days", default=True),
        warn_on_days=table.numbers("warn_on_days", 1, 3660),
        warn_days_before=table.numbers("warn_days_before", 0, 3660),
        warn_time=table.hour("warn_time") or time(9),
        met_by=table.texts("met_by"),
    )
    table.close()
    return row


def _read_duty(table: Table) -> Duty:
    clause = table.text("clause")
    table.element = clause
    valid_from, valid_to = table.period()
    name, when, undecided = table.text("name"), table.text("when", required=False), table.text("undecided_when", required=False)
    records, processes = table.texts("recorded_by", required=True), table.texts("processes", required=True)
    row = Duty(clause, name, when, undecided, records, processes, valid_from, valid_to)
    if not row.recorded_by or not row.processes:
        table.wrong("missing-key", "「recorded_by」と「processes」には1つ以上書いてください。")
    table.close()
    return row


#: What each kind of property must and may say besides its name.
_PROPERTIES = {
    "before_end": (("steps", "then"), ("when",)),
    "never_without": (("steps",), ("when", "after")),
    "not_waiting_for": (("steps",), ("without",)),
    "never_same_person": (("steps",), ()),
    "seats": ((), ()),
}


def _read_property(table: Table) -> Property:
    row_id, name, basis, kind = table.identifier(), table.text("name"), table.text("basis"), table.text("kind")
    valid_from, valid_to = table.period()
    when, then = table.text("when", required=False), table.text("then", required=False)
    steps, after, without = table.texts("steps"), table.texts("after"), table.texts("without")
    row = Property(
        row_id, kind, name, basis, table.texts("processes", required=True), valid_from, valid_to, when, then, steps, after, without
    )
    if kind not in _PROPERTIES:
        table.wrong("out-of-range", f"「kind」は{'・'.join(_PROPERTIES)}のどれかです。")
    else:
        one_of, needed = _PROPERTIES[kind]
        given = {"when": when, "then": then, "steps": steps, "after": after, "without": without}
        if one_of and not any(given[key] for key in one_of):
            table.wrong("missing-key", f"「{kind}」には「{'」か「'.join(one_of)}」を書いてください。")
        for key in needed:
            if key != "when" and not given[key]:
                table.wrong("missing-key", f"「{kind}」には「{key}」を書いてください。")
        for key, value in given.items():
            if value and key not in (*one_of, *needed):
                table.wrong("unknown-key", f"「{kind}」に「{key}」は書けません。")
    for text in (when, then):
        if text:
            try:
                compile_expression(text)
            except ExpressionError as error:
                table.wrong("expression", error.text)
    table.close()
    return row


def _read_numbering(table: Table) -> Numbering:
    key, pattern = table.identifier("key"), table.text("pattern")
    valid_from, valid_to = table.period()
    year = table.text("year")
    if year not in ("fiscal", "calendar"):
        table.wrong("out-of-range", '「year」は "fiscal"（年度）か "calendar"（暦年）です。')
    row = Numbering(key, pattern, year == "fiscal", table.number("era_first_year", 1868, 9999) or 1868, valid_from, valid_to)
    try:
        # checked before it is used: plain names and short widths only, so a pattern can neither reach into an object nor fill the memory
        parts = [(name, spec, turn) for _, name, spec, turn in string.Formatter().parse(pattern) if name is not None]
        fields = {name for name, _, _ in parts}
        usable = fields <= _NUMBER_FIELDS and "sequence" in fields and bool({"year", "era_year"} & fields)
        usable = usable and all(turn is None and re.fullmatch(r"(0?[1-9]d)?", spec or "", re.ASCII) for _, spec, turn in parts)
    except ValueError:
        usable = False
    if not usable:
        table.wrong("bad-pattern", "「pattern」には {sequence} と、{era_year} か {year} を書いてください（ほかの { } は使えません）。")
    table.text("basis", required=False)
    table.close()
    return row


def _read_setting(table: Table) -> Setting:
    row_id, name = table.identifier(), table.text("name")
    valid_from, valid_to = table.period()
    row = Setting(row_id, name, table.value("value"), table.text("basis"), valid_from, valid_to)
    table.close()
    return row


def _check_settings(top: Table, settings: tuple[Setting, ...]) -> None:
    """A procedure that asks for a setting always gets one, and always of the same kind: its rows follow each other without a gap."""
    for setting_id in dict.fromkeys(row.id for row in settings):
        rows = sorted((row for row in settings if row.id == setting_id), key=lambda row: row.valid_from)
        kinds = {"number" if isinstance(row.value, (int, float)) and not isinstance(row.value, bool) else type(row.value) for row in rows}
        if len(kinds) > 1:
            top.wrong("wrong-type", f"[[setting]]「{setting_id}」の「value」は、どの行も同じ種類（数・文字列・真偽）にしてください。")
        for row, after in zip(rows, [*rows[1:], None], strict=True):
            ends = row.valid_to
            if ends is not None and (after is None or ends + timedelta(days=1) < after.valid_from):
                top.wrong("period", f"[[setting]]「{setting_id}」は、{ends}の次の日から値がありません。")


def _read_sight(table: Table) -> Sight:
    role = table.identifier("role")
    valid_from, valid_to = table.period()
    basis = table.text("basis")
    table.close()
    return Sight(role, valid_from, valid_to, basis)


def _read_session(table: Table) -> SessionRules:
    spans = {key: table.span(key) or timedelta(0) for key in ("idle", "idle_privileged", "absolute")}
    row = SessionRules(**spans, privileged_roles=table.texts("privileged_roles"))
    table.close()
    return row


def _read_password(table: Table) -> PasswordRules:
    row = PasswordRules(
        minimum_length=table.number("minimum_length", 8, 128) or 0,
        failures=table.number("failures", 3, 100) or 0,
        lock=table.span("lock") or timedelta(0),
    )
    table.close()
    return row


def _read_deployers(table: Table) -> tuple[str, ...]:
    roles = table.texts("roles", required=True)
    table.close()
    return roles


def _read_personnel(top: Table) -> PersonnelRules:
    if not top.has("personnel"):  # a folder from before there was such a table: whoever puts diagrams in force
        roles = _read_deployers(top.table("deployment"))
        return PersonnelRules(roles, roles)
    table = top.table("personnel")
    rules = PersonnelRules(table.texts("roles", required=True), table.texts("approvers", required=True))
    table.close()
    return rules


def _read_notices(top: Table) -> NoticeRules:
    if not top.has("notices"):
        return NoticeRules()
    table, usual = top.table("notices"), NoticeRules()
    default = table.text("default", required=False) or usual.default
    if default not in HOW_TOLD:
        table.wrong("out-of-range", f"「default」に書けるのは{'・'.join(HOW_TOLD)}のどれかです。")
    fixed = frozenset(table.texts("never_put_off")) if table.has("never_put_off") else usual.never_put_off
    for template in sorted(fixed - TEMPLATES.keys()):
        table.wrong("unknown-template", f"「never_put_off」の「{template}」という種類のお知らせはありません。")
    for template in sorted(STATUTORY - fixed):
        table.wrong("statutory", f"「never_put_off」から「{template}」（法令上の期限）は外せません。")
    start, end = (table.hour(key) if table.has("quiet_from") or table.has("quiet_to") else None for key in ("quiet_from", "quiet_to"))
    if start is not None and start == end:
        table.wrong("out-of-range", "「quiet_from」と「quiet_to」が同じ時刻です。")
    rules = NoticeRules(
        default=default,
        never_put_off=fixed,
        digest_time=(table.hour("digest_time") if table.has("digest_time") else None) or usual.digest_time,
        digest=table.flag("digest", default=False),
        quiet=Quiet(start, end, table.flag("quiet_on_closed_days", default=False)),
    )
    table.close()
    return rules


def _read_limits(top: Table) -> Limits:
    limits, wrong = lowered(top.values("limits"))
    for rule, message in wrong:
        top.wrong(rule, f"[limits] {message}")
    return limits


def _read_judgement(table: Table) -> Judgement:
    row = Judgement(table.identifier("decision"), table.texts("tells", required=True), table.values("assumed"))
    table.close()
    return row


def _read_attachments(table: Table) -> AttachmentRules:
    row = AttachmentRules(table.number("maximum_bytes", 1, 1 << 30) or 0, table.mapping("types", required=True))
    for extension, media in row.types.items():
        if not extension.isalnum() or extension != extension.lower() or media.count("/") != 1:
            table.wrong("bad-type", f'「types」の「{extension}」は、小文字の拡張子 = "種類/形式" で書いてください。')
    table.close()
    return row

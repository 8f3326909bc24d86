"""By when: urgency words, statutory clocks and closed days of the immigration agency's folder, and what a broken rules.toml is told."""

from __future__ import annotations

import ast
import tomllib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import deadlines, office_files, organisation
from engine.clock import JST
from engine.deadlines import Calendar, ClockReading, ClosedDays, guide_day, statutory_due
from engine.errors import NotFound, OrganisationBroken, SettingUnknown
from engine.expressions import compile_expression
from engine.rules import Rules
from engine.rules_file import load_rules

RULES_TOML = Path(__file__).parents[2] / "bpmn" / "isa" / "rules.toml"
RULES = load_rules(RULES_TOML)
OPEN = Calendar()
ON = date(2026, 11, 20)

# An incident of which the Commission must be told under the act, with 30 days for the final report
REPORTABLE = {"known_at": "2026-12-01T10:00:00+09:00", "commission_duty": "yes", "appi68": "yes", "mn294": "no", "kakuho_days": 30}

DAYS = st.dates(date(2000, 1, 1), date(2090, 12, 31))
SINCE_2022 = st.integers(0, 18 * 365 * 86_400).map(lambda seconds: datetime(2022, 4, 1, tzinfo=UTC) + timedelta(seconds=seconds))


def at(text: str) -> datetime:
    """A Japanese civil time."""
    return datetime.fromisoformat(text).replace(tzinfo=JST)


def running(**facts: Any) -> dict[str, ClockReading]:
    return {reading.id: reading for reading in RULES.clocks(REPORTABLE | facts, RULES.calendar)}


# ---------------------------------------------------------------- closed days


@pytest.mark.parametrize(
    ("day", "why"),
    [
        ("2026-11-20", None),  # Friday
        ("2026-11-21", "土曜日・日曜日"),
        ("2026-11-23", "勤労感謝の日"),
        ("2026-09-22", "国民の休日"),  # between two holidays
        ("2026-05-06", "振替休日"),  # 5/3 was a Sunday
        ("2026-12-28", None),
        ("2026-12-29", "年末年始"),
        ("2026-12-31", "年末年始"),
        ("2027-01-01", "元日"),
        ("2028-01-03", "年末年始"),
        ("2028-01-04", None),
    ],
)
def test_offices_close_on_weekends_holidays_and_around_new_year(day: str, why: str | None) -> None:
    """休日法第1条第1項: 土日、祝日法の休日、12月29日から1月3日まで。"""
    found = RULES.calendar.why_closed(date.fromisoformat(day))
    assert RULES.calendar.is_closed(date.fromisoformat(day)) is (why is not None)
    assert found == why or (why in ("国民の休日", "振替休日") and found is not None and found.startswith(why))


@given(DAYS)
def test_the_folder_and_the_default_calendar_know_the_same_days(day: date) -> None:
    assert RULES.calendar.is_closed(day) == OPEN.is_closed(day)


def test_a_special_law_closes_and_opens_days() -> None:
    calendar = Calendar(extra_closed=[date(2026, 11, 20)], extra_open=[date(2026, 11, 21)])
    assert calendar.is_closed(date(2026, 11, 20))
    assert not calendar.is_closed(date(2026, 11, 21))
    assert calendar.next_open(date(2026, 11, 20)) == date(2026, 11, 21)


def test_a_reason_to_be_closed_holds_for_its_period_only() -> None:
    fridays = ClosedDays("金曜日", date(2026, 11, 1), date(2026, 11, 20), weekdays=frozenset({4}))
    calendar = Calendar(closed_days=[fridays])
    fifth = date(2026, 11, 6)
    assert [calendar.is_closed(fifth + timedelta(weeks=n)) for n in (-1, 0, 2, 3)] == [False, True, True, False]


def test_a_closed_stretch_within_one_year() -> None:
    summer = Calendar(closed_days=[ClosedDays("夏季", date(2020, 1, 1), first=(8, 13), last=(8, 15))])
    assert [summer.is_closed(date(2026, 8, day)) for day in (12, 13, 15, 16)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("opened", "n", "then"),
    [
        ("2026-11-20T17:00", 1, "2026-11-24T17:00"),  # Friday evening, then a long weekend
        ("2026-11-20T17:00", 3, "2026-11-26T17:00"),
        ("2026-11-20T17:00", 0, "2026-11-20T17:00"),
        ("2026-11-21T11:30", 1, "2026-11-25T00:00"),  # opened on Saturday: counts from Tuesday 0:00
        ("2026-11-21T11:30", 0, "2026-11-24T00:00"),
        ("2026-12-28T09:15", 1, "2027-01-04T09:15"),
        ("2026-11-20T23:59:59", 1, "2026-11-24T23:59:59"),
    ],
)
def test_working_days_keep_the_time_of_day(opened: str, n: int, then: str) -> None:
    assert OPEN.add_working_days(at(opened), n) == at(then)


def test_working_days_are_those_of_japan_not_of_greenwich() -> None:
    """8:00 on Monday in Japan is still Sunday in UTC."""
    assert OPEN.add_working_days(datetime(2026, 11, 15, 23, 0, tzinfo=UTC), 1) == at("2026-11-17T08:00")


@given(SINCE_2022, st.integers(0, 30))
def test_working_days_never_end_on_a_closed_day_and_never_go_back(opened: datetime, n: int) -> None:
    then = OPEN.add_working_days(opened, n)
    assert not OPEN.is_closed(then.astimezone(JST).date())
    assert then >= opened + timedelta(days=n)
    assert then < OPEN.add_working_days(opened, n + 1)
    assert then.tzinfo is UTC


# ---------------------------------------------------------------- statutory days


@pytest.mark.parametrize(
    ("known", "days", "raw", "due"),
    [
        ("2026-12-01", 30, "2026-12-30", "2027-01-04"),
        ("2026-04-04", 30, "2026-05-03", "2026-05-07"),
        ("2026-11-02", 30, "2026-12-01", "2026-12-01"),
        ("2026-11-05", 60, "2027-01-03", "2027-01-04"),
        ("2024-01-31", 30, "2024-02-29", "2024-02-29"),
        ("2026-03-06", 60, "2026-05-04", "2026-05-07"),
        ("2026-06-22", 30, "2026-07-21", "2026-07-21"),
    ],
)
@pytest.mark.article("rule-44")
def test_the_day_of_knowledge_is_the_first_day_and_a_closed_last_day_moves_on(known: str, days: int, raw: str, due: str) -> None:
    """施行規則第44条・休日法第2条: 知った日を1日目と数え、末日が閉庁日なら次の開庁日まで。"""
    day = date.fromisoformat(known)
    assert guide_day(day, days) == date.fromisoformat(raw)
    assert statutory_due(day, days, RULES.calendar) == date.fromisoformat(due)


@given(DAYS, st.integers(1, 400))
def test_the_last_day_is_the_first_open_one_from_the_raw_day_on(known: date, days: int) -> None:
    raw, due = known + timedelta(days=days - 1), statutory_due(known, days, OPEN)
    assert due >= raw
    assert not OPEN.is_closed(due)
    assert all(OPEN.is_closed(raw + timedelta(days=n)) for n in range((due - raw).days)), "no earlier open day was passed over"


@given(DAYS, st.integers(1, 100))
def test_knowing_later_never_makes_the_last_day_earlier(known: date, days: int) -> None:
    assert statutory_due(known, days, OPEN) <= statutory_due(known + timedelta(days=1), days, OPEN)
    assert statutory_due(known, days, OPEN) <= statutory_due(known, days + 1, OPEN)


# ---------------------------------------------------------------- clocks of a case


@pytest.mark.parametrize(
    ("known", "warned", "guide", "final"),
    [
        ("2022-05-16", "2022-05-18", "2022-05-20", "2022-06-14"),
        ("2022-06-13", "2022-06-15", "2022-06-17", "2022-07-12"),
        ("2022-08-15", "2022-08-17", "2022-08-19", "2022-09-13"),
        ("2023-06-12", "2023-06-14", "2023-06-16", "2023-07-11"),
        ("2023-08-10", "2023-08-12", "2023-08-14", "2023-09-08"),
        ("2023-09-11", "2023-09-13", "2023-09-15", "2023-10-10"),
        ("2023-10-16", "2023-10-18", "2023-10-20", "2023-11-14"),
        ("2024-11-18", "2024-11-20", "2024-11-22", "2024-12-17"),
        ("2025-02-17", "2025-02-19", "2025-02-21", "2025-03-18"),
    ],
    ids=["R4-1", "R4-2", "R4-3", "R5-4", "R5-5", "R5-6", "R5-7", "R6-8", "R6-9"],
)
@pytest.mark.article("law-68-1")
def test_the_nine_incidents_have_these_dates(known: str, warned: str, guide: str, final: str) -> None:
    """法第68条第1項: 9件とも要配慮個人情報の事案で、速報は3日目に注意・5日目まで、確報は30日まで。"""
    clocks = running(known_at=f"{known}T15:00:00+09:00")
    assert list(clocks) == ["preliminary_report", "final_report"]
    assert clocks["preliminary_report"].warn_at == (at(f"{warned}T09:00"),)
    assert clocks["preliminary_report"].due_on == date.fromisoformat(guide)
    assert clocks["preliminary_report"].due_at == at(f"{guide}T00:00") + timedelta(days=1)
    assert clocks["final_report"].due_on == date.fromisoformat(final)
    assert clocks["final_report"].due_at == at(f"{final}T00:00") + timedelta(days=1)
    assert (clocks["final_report"].started_on, clocks["final_report"].days) == (date.fromisoformat(known), 30)


def test_the_final_report_is_warned_of_7_3_and_1_days_before_and_on_the_day() -> None:
    clocks = running(known_at="2026-11-02T09:00:00+09:00")
    assert clocks["final_report"].warn_at == tuple(at(f"2026-{day}T09:00") for day in ("11-24", "11-28", "11-30", "12-01"))


def test_a_warning_before_the_day_of_knowledge_is_left_out() -> None:
    """A period of 3 days has no day that is 7 days before its end."""
    clock = next(row for row in RULES.statutory if row.id == "final_report")
    reading = replace(clock, days=3).read(date(2026, 11, 2), REPORTABLE, RULES.calendar)
    assert reading
    assert reading.due_on == date(2026, 11, 4)
    assert reading.warn_at == (at("2026-11-03T09:00"), at("2026-11-04T09:00"))


def test_every_instant_is_in_utc() -> None:
    for reading in running().values():
        assert {instant.tzinfo for instant in (*reading.warn_at, reading.due_at)} == {UTC}


@pytest.mark.parametrize(
    ("known_at", "started_on"),
    [
        ("2026-12-01T14:50:00+00:00", "2026-12-01"),  # 23:50 in Japan
        ("2026-12-01T15:10:00Z", "2026-12-02"),  # 0:10 in Japan
        ("2026-12-01T23:50:00", "2026-12-01"),  # without a zone: Japanese civil time
        (datetime(2026, 12, 1, 15, 10, tzinfo=UTC), "2026-12-02"),
    ],
)
def test_the_day_of_knowledge_is_a_day_in_japan(known_at: Any, started_on: str) -> None:
    assert running(known_at=known_at)["final_report"].started_on == date.fromisoformat(started_on)


@pytest.mark.parametrize("known_at", [None, "", "きのう", 20261201, ["2026-12-01"]])
def test_without_an_instant_of_knowledge_no_clock_runs(known_at: Any) -> None:
    assert running(known_at=known_at) == {}
    assert RULES.clocks({}, RULES.calendar) == ()


@pytest.mark.article("rule-44")
def test_malice_gives_60_days_for_the_final_report_and_does_not_move_the_preliminary_one() -> None:
    """施行規則第44条第2項: 不正の目的のおそれがあれば60日。速報の目安は変わらない。"""
    usual, malicious = running(), running(kakuho_days=60)
    assert malicious["final_report"].due_on == date(2027, 1, 29)
    assert malicious["preliminary_report"] == usual["preliminary_report"]


@pytest.mark.parametrize("fact", ["appi68", "mn294", "mn_guideline"])
@pytest.mark.parametrize("answer", ["yes", "review"])
def test_unknown_is_never_no_so_the_clock_runs_provisionally(fact: str, answer: str) -> None:
    facts = {"appi68": "no", "mn294": "no", "mn_guideline": "no", "commission_duty": answer} | {fact: answer}
    assert list(running(**facts)) == ["preliminary_report", "final_report"]


@pytest.mark.article("isa-25-6")
def test_anonymised_information_alone_is_reported_at_once_but_starts_no_statutory_clock() -> None:
    """規程第25条第6項: 匿名加工情報等だけの事案には、30日の期限は無い。"""
    assert running(appi68="no", mn294="no", mn_guideline="no", isa25_6="yes", commission_duty="yes", kakuho_days=None) == {}


@pytest.mark.parametrize("days", [None, "30", True, 0, -1])
def test_without_a_number_of_days_only_the_guide_runs(days: Any) -> None:
    assert list(running(kakuho_days=days)) == ["preliminary_report"]


def test_a_late_entry_shows_a_clock_that_is_long_over() -> None:
    clocks = running(known_at="2022-04-01T00:00:00+09:00")
    assert clocks["final_report"].due_on == date(2022, 5, 2)  # 4/30 is a Saturday


def test_before_the_act_applied_no_clock_ran() -> None:
    """法第68条は2022年4月1日から。その前日に知った事案に、この期限は無い。"""
    assert running(known_at="2022-03-31T23:59:00+09:00") == {}


def test_a_clock_is_met_by_the_day_of_submission() -> None:
    """月曜に記録しても、金曜に提出していれば、提出した日に果たしたことになる。"""
    assert RULES.clock_ids == ("preliminary_report", "final_report")
    assert not RULES.clock_met("preliminary_report", {"final_submitted_on": "2026-12-01"})
    assert not RULES.clock_met("final_report", {"final_submitted_on": None})
    assert RULES.clock_met("final_report", {"final_submitted_on": "2026-12-01"})
    assert RULES.met_on("final_report", {"final_submitted_on": "2026-12-01"}) == date(2026, 12, 1)
    assert RULES.met_on("final_report", {"submitted_on": "2026-12-01"}) is None


# ---------------------------------------------------------------- urgency words


@pytest.mark.parametrize(
    ("word", "label", "ladder"),
    [
        (
            "at_once",
            "直ちに",  # runs through the evening
            {
                "2026-11-20T18:00": "holder",
                "2026-11-20T19:00": "holder deputy",
                "2026-11-20T20:00": "holder deputy next",
                "2026-11-20T23:00": "holder deputy next commission_desk",
            },
        ),
        (
            "promptly",
            "速やかに",
            {
                "2026-11-24T17:00": "holder",
                "2026-11-25T17:00": "holder deputy",
                "2026-11-26T17:00": "holder deputy next",
                "2026-11-30T17:00": "holder deputy next commission_desk",
            },
        ),
        (
            "plain",
            "時期の定めなし",
            {"2026-11-26T17:00": "holder", "2026-11-30T17:00": "holder deputy", "2026-12-02T17:00": "holder deputy next"},
        ),
    ],
)
@pytest.mark.article("isa-31")
def test_the_words_of_urgency_become_a_ladder(word: str, label: str, ladder: dict[str, str]) -> None:
    """規程第31条: 「直ちに」「速やかに」が何時間・何日かは細目で決める。金曜17時に届いた処理で見る。"""
    urgency, opened = RULES.urgency(word, ON), at("2026-11-20T17:00")
    assert urgency.label == label
    assert {rung.at(opened, RULES.calendar): " ".join(rung.tells) for rung in urgency.rungs} == {
        at(when): who for when, who in ladder.items()
    }
    first_above = next(when for when, who in ladder.items() if "next" in who)
    assert urgency.target(opened, RULES.calendar) == at(first_above), "the target is when it is told to anybody beyond the seat"


@pytest.mark.parametrize(
    ("opened", "hours", "due"),
    [
        ("2026-11-20T16:15", 1, "2026-11-20T17:15"),
        ("2026-11-20T16:15", 2, "2026-11-24T09:30"),  # Friday, then a weekend and 勤労感謝の日
        ("2026-11-20T20:00", 1, "2026-11-24T09:30"),
        ("2026-11-21T12:00", 10, "2026-11-25T09:45"),  # a Saturday: counts from Tuesday's opening
        ("2026-12-28T17:00", 1, "2027-01-04T09:15"),  # over the closed days of the new year
        ("2026-11-24T05:00", 1, "2026-11-24T09:30"),
    ],
)
def test_office_hours_count_only_while_the_office_is_open(opened: str, hours: int, due: str) -> None:
    assert RULES.calendar.add_office_time(at(opened), timedelta(hours=hours)) == at(due)


@pytest.mark.parametrize(
    ("instant", "opened"),
    [
        ("2026-11-20T08:29", False),
        ("2026-11-20T08:30", True),
        ("2026-11-20T17:15", True),
        ("2026-11-20T17:16", False),
        ("2026-11-21T10:00", False),  # a Saturday
        ("2026-11-23T10:00", False),  # 勤労感謝の日
        ("2026-12-28T17:00", True),
        ("2026-12-29T10:00", False),
        ("2026-12-31T10:00", False),
        ("2027-01-01T10:00", False),
        ("2027-01-03T10:00", False),
        ("2027-01-04T10:00", True),
    ],
)
def test_the_office_is_open_within_its_hours_on_its_days(instant: str, opened: bool) -> None:
    assert RULES.calendar.in_office_hours(at(instant)) is opened
    assert RULES.calendar.in_office_hours(at(instant).astimezone(UTC)) is opened


SETTING = '\n[[setting]]\nid = "lending_days"\nname = "貸出しの日数"\nbasis = "細目"\n'


def test_a_setting_has_the_value_of_its_day(tmp_path: Path) -> None:
    """細目の改正は行の追加であり、前の日の案件は前の値のまま。"""
    rows = f"{SETTING}value = 14\nvalid_from = 2022-04-01\nvalid_to = 2027-03-31\n{SETTING}value = 7\nvalid_from = 2027-04-01\n"
    rules = edited(tmp_path, lambda text: text + rows)
    found = {on: rules.setting("lending_days", date.fromisoformat(on)) for on in ("2020-01-01", "2027-03-31", "2027-04-01", "2040-01-01")}
    assert found == {"2020-01-01": 14, "2027-03-31": 14, "2027-04-01": 7, "2040-01-01": 7}
    with pytest.raises(SettingUnknown, match="borrowing_days"):
        rules.setting("borrowing_days", ON)


@pytest.mark.parametrize("value", ["14", "0.5", '"都度"', "true", "false"])
def test_a_setting_may_be_a_number_a_text_or_a_truth(tmp_path: Path, value: str) -> None:
    rules = edited(tmp_path, lambda text: f"{text}{SETTING}value = {value}\nvalid_from = 2022-04-01\n")
    assert rules.setting("lending_days", ON) == tomllib.loads(f"value = {value}")["value"]


@pytest.mark.parametrize(
    ("rows", "rule", "words"),
    [
        (f"{SETTING}valid_from = 2022-04-01\n", "missing-key", "value"),
        (f"{SETTING}value = [1]\nvalid_from = 2022-04-01\n", "wrong-type", "true か false"),
        (f"{SETTING}value = 2026-04-01\nvalid_from = 2022-04-01\n", "wrong-type", "true か false"),
        (f"{SETTING}value = nan\nvalid_from = 2022-04-01\n", "out-of-range", "有限"),
        (f"{SETTING}value = 1\nvalid_from = 2022-04-01\nvalid_to = 2026-12-31\n", "period", "2026-12-31"),
        (
            f"{SETTING}value = 1\nvalid_from = 2022-04-01\nvalid_to = 2026-12-30\n{SETTING}value = 2\nvalid_from = 2027-01-01\n",
            "period", "2026-12-30",
        ),
        (f"{SETTING}value = 1\nvalid_from = 2022-04-01\n{SETTING}value = true\nvalid_from = 2027-01-01\n", "wrong-type", "同じ種類"),
        (f"{SETTING}value = 1\nvalid_from = 2022-04-01\n{SETTING}value = 2\nvalid_from = 2022-04-01\n", "duplicate-id", "setting"),
        (
            (
                '\n[[property]]\nid = "x"\nname = "x"\nbasis = "x"\nkind = "before_end"\nprocesses = ["p"]\nsteps = ["s"]\n'
                'valid_from = 2022-04-01\nwhen = "size(x) > setting(\'lendingdays\')"\n'
            ),
            "unknown-setting", "lendingdays",
        ),
    ],
)  # fmt: skip
def test_a_setting_that_would_be_missing_some_day_is_told(tmp_path: Path, rows: str, rule: str, words: str) -> None:
    with pytest.raises(OrganisationBroken) as broken:
        edited(tmp_path, lambda text: text + rows)
    found = [finding for finding in broken.value.findings if finding.rule == rule]
    assert any(words in finding.message + finding.element for finding in found), broken.value.text


def test_a_changed_word_is_a_new_row_in_force_from_its_day(tmp_path: Path) -> None:
    row = '\n[[urgency]]\nid = "at_once"\nlabel = "直ちに"\nvalid_from = 2027-04-01\nremind_after = "PT30M"\n'
    rules = edited(tmp_path, lambda text: text + row)
    opened = at("2027-04-01T09:00")
    assert rules.urgency("at_once", date(2027, 3, 31)).rungs[0].wait == timedelta(hours=1)
    new = rules.urgency("at_once", date(2027, 4, 1))
    assert [rung.at(opened, OPEN) for rung in new.rungs] == [at("2027-04-01T09:30")]
    assert new.target(opened, OPEN) is None, "nobody above is told: there is no target"
    assert rules.urgency("at_once", date(2020, 1, 1)).rungs[0].wait == timedelta(hours=1), "before all rows, the first"


def test_a_word_that_is_not_defined_is_refused() -> None:
    with pytest.raises(NotFound):
        RULES.urgency("someday", ON)


# ---------------------------------------------------------------- the rest of rules.toml


@pytest.mark.parametrize(
    ("on", "number"),
    [("2022-04-01", "漏R4-0007"), ("2026-11-20", "漏R8-0007"), ("2027-03-31", "漏R8-0007"), ("2027-04-01", "漏R9-0007")],
)
def test_cases_are_numbered_by_fiscal_year(on: str, number: str) -> None:
    day = date.fromisoformat(on)
    assert RULES.numbering_of("incident", day).number(day, 7) == number


def test_a_number_needs_a_rule() -> None:
    with pytest.raises(NotFound):
        RULES.numbering_of("cakes", ON)
    with pytest.raises(NotFound):
        RULES.numbering_of("incident", date(2022, 3, 31))


def test_a_calendar_year_begins_in_january(tmp_path: Path) -> None:
    rules = edited(tmp_path, lambda text: text.replace('year = "fiscal"', 'year = "calendar"', 1))
    numbering = rules.numbering_of("incident", date(2027, 1, 5))
    assert (numbering.year(date(2027, 1, 5)), numbering.number(date(2027, 1, 5), 12)) == (2027, "漏R9-0012")


def test_duties_belong_to_procedures() -> None:
    duties = {duty.clause: duty for duty in RULES.duties_of("isa_incident", ON)}
    always = {clause for clause, duty in duties.items() if not duty.when}
    assert always == {"ISA-25-1", "ISA-25-2", "ISA-25-3a", "ISA-25-4", "ISA-25-7", "ISA-26-1"}
    assert duties["ISA-25-9"].when == 'isa25_8 == "yes"'
    assert RULES.duties_of("isa_account", ON) == ()
    assert RULES.duties_of("isa_incident", date(2022, 3, 31)) == ()


NOTHING = {
    "appi68": "no",
    "mn294": "no",
    "mn_guideline": "no",
    "isa25_6": "no",
    "isa25_8": "no",
    "isa26_2": "no",
    "notify": "discretion(26-1)",
}


@pytest.mark.parametrize(
    ("facts", "opened"),
    [
        ({}, set()),
        (NOTHING, set()),
        (NOTHING | {"grave": True}, {"ISA-25-3b"}),
        (NOTHING | {"head_report_needed": True}, {"ISA-25-5"}),
        ({**NOTHING, "appi68": "yes", "isa25_6": "yes", "notify": "check_78_then_notify"}, {"ISA-25-6", "LAW-68-1", "LAW-68-2"}),
        ({**NOTHING, "appi68": "yes", "isa25_6": "yes", "notify": "exempt"}, {"ISA-25-6", "LAW-68-1", "LAW-78-1"}),
        ({**NOTHING, "appi68": "yes", "isa25_6": "yes", "notify": "substitute"}, {"ISA-25-6", "LAW-68-1", "LAW-68-2"}),
        ({**NOTHING, "mn294": "yes", "notify": "notify"}, {"MN-29-4", "MN-29-4-2"}),  # one person from IMS: the statute alone asks
        ({**NOTHING, "mn_guideline": "yes"}, {"MN-GL"}),
        ({**NOTHING, "isa25_6": "yes", "isa26_2": "yes"}, {"ISA-25-6", "ISA-26-2"}),  # deleted information only
        ({**NOTHING, "isa25_6": "yes", "isa25_8": "yes", "isa26_2": "yes"}, {"ISA-25-6", "ISA-25-8", "ISA-25-9", "ISA-26-2"}),
    ],
)
def test_the_facts_open_these_duties_besides_the_usual_ones(facts: dict[str, object], opened: set[str]) -> None:
    conditional = [duty for duty in RULES.duties_of("isa_incident", ON) if duty.when]
    assert {duty.clause for duty in conditional if compile_expression(duty.when).evaluate(facts) is True} == opened


def test_the_auditor_sees_every_case() -> None:
    """規程第9条第2項・第27条第1項"""
    assert RULES.sees_every_case(ON) == {"audit_officer"}
    assert RULES.sees_every_case(date(2022, 3, 31)) == frozenset()


def test_settings_of_the_office() -> None:
    assert RULES.derived_of("isa_incident") == ("duties", "gravity")
    assert RULES.derived_of("isa_resubcontract") == ()  # whether a leak must be reported is asked of incidents alone
    assert (RULES.session.idle, RULES.session.idle_privileged) == (timedelta(minutes=30), timedelta(minutes=15))
    assert RULES.password.minimum_length >= 12
    assert RULES.attachments.maximum_bytes == 20 * 1024 * 1024
    assert RULES.attachments.types["pdf"] == "application/pdf"


def test_nothing_here_reads_the_time() -> None:
    for module in (deadlines, office_files, organisation):
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        named = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        named |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert named & {"now", "utcnow", "today", "SystemClock", "time_ns", "localtime", "gmtime"} == set()


# ---------------------------------------------------------------- a broken rules.toml


def edited(tmp_path: Path, change: Any) -> Rules:
    file = tmp_path / "rules.toml"
    file.write_text(change(RULES_TOML.read_text(encoding="utf-8")), encoding="utf-8")
    return load_rules(file)


@pytest.mark.parametrize(
    ("old", "new", "rule", "words"),
    [
        ('id = "promptly"', 'id = "soon"', "urgency-missing", "promptly"),
        ('after = "PT1H"', 'after = "1時間"', "bad-duration", "1時間"),
        ('after = "PT1H"', 'after = "PT0H"', "bad-duration", "PT0H"),
        ('after = "PT1H"', 'after = "PT１H"', "bad-duration", "PT１H"),
        ('after = "PT1H"', 'after = "PT9H"', "out-of-order", "時間の順"),
        ('after = "PT1H", tells', "tells", "missing-key", "どれか一つ"),
        ('after = "PT1H"', 'after = "PT1H", office_after = "PT1H"', "missing-key", "どれか一つ"),
        ('after = "PT1H", tells = ["holder"]', 'after = "PT1H"', "missing-key", "tells"),
        ("working_days = 1,", "working_days = 9,", "out-of-order", "時間の順"),
        ("working_days = 1,", "working_days = true,", "wrong-type", "整数"),
        ("working_days = 1,", "working_days = 0,", "out-of-range", "1から366"),
        ("working_days = 1,", 'working_days = 1, after = "PT1H",', "out-of-order", "どちらか一方"),
        ("from = 08:30:00", "from = 18:30:00", "out-of-order", "office_hours"),
        ("valid_from = 2022-04-01\nrung", "rung", "missing-key", "valid_from"),
        ("valid_from = 2022-04-01\nrung", 'valid_from = "2022-04-01"\nrung', "wrong-type", "日付"),
        ("valid_from = 2022-04-01\nrung", "valid_from = 2022-04-01T00:00:00\nrung", "wrong-type", "日付"),
        ("valid_from = 2022-04-01\nrung", "valid_from = 2022-04-01\nvalid_to = 2022-03-31\nrung", "period", "valid_to"),
        ('days_fact = "kakuho_days"', 'days_fact = "kakuho_days"\ndays = 30', "missing-key", "どちらか一方"),
        ("days = 5\n", "", "missing-key", "どちらか一方"),
        ("days = 5\n", "days = 5.5\n", "wrong-type", "整数"),
        ("warn_on_days = [3]", 'warn_on_days = ["3"]', "wrong-type", "整数"),
        ("warn_on_days = [3]", "warn_on_dais = [3]", "unknown-key", "warn_on_dais"),
        ("warn_days_before = [7, 3, 1, 0]", "warn_days_before = [-1]", "out-of-range", "0から"),
        ("moved_past_closed_days = false", 'moved_past_closed_days = "no"', "wrong-type", "true"),
        ("warn_time = 09:00:00", 'warn_time = "9時"', "wrong-type", "時刻"),
        ('weekdays = ["sat", "sun"]', 'weekdays = ["土"]', "out-of-range", "sat"),
        ('weekdays = ["sat", "sun"]', 'weekdays = ["mon","tue","wed","thu","fri","sat","sun"]', "out-of-range", "6つ"),
        ('holidays = "JP"', 'holidays = "US"', "out-of-range", "JP"),
        ('to = "01-03"', 'to = "13-03"', "bad-date", "月日"),
        ('to = "01-03"\n', "", "missing-key", "両方"),
        ('pattern = "漏R{era_year}-{sequence:04d}"', 'pattern = "漏{sequence}"', "bad-pattern", "sequence"),
        ('pattern = "漏R{era_year}-{sequence:04d}"', 'pattern = "漏{era_year}"', "bad-pattern", "sequence"),
        ('pattern = "漏R{era_year}-{sequence:04d}"', 'pattern = "漏{year}{sequence.__class__}"', "bad-pattern", "sequence"),
        ('pattern = "漏R{era_year}-{sequence:04d}"', 'pattern = "漏{year}{sequence:0999999999d}"', "bad-pattern", "sequence"),
        ('pattern = "漏R{era_year}-{sequence:04d}"', 'pattern = "漏{year}{sequence"', "bad-pattern", "sequence"),
        ('year = "fiscal"', 'year = "lunar"', "out-of-range", "fiscal"),
        ("minimum_length = 12", "minimum_length = 4", "out-of-range", "8から"),
        ("[session]", "[sessions]", "missing-key", "session"),
        ('pdf = "application/pdf"', 'PDF = "application/pdf"', "bad-type", "PDF"),
        ('pdf = "application/pdf"', "pdf = 1", "wrong-type", "pdf"),
        ('recorded_by = ["ISA-25-1"]', "recorded_by = []", "missing-key", "recorded_by"),
        ('recorded_by = ["ISA-25-1"]', 'recorded_by = ["ISA-25-1", "ISA-25-1"]', "duplicate", "ISA-25-1"),
        ('id = "final_report"', 'id = "preliminary_report"', "duplicate-id", "clock"),
        ('key = "general"', 'key = "incident"', "duplicate-id", "numbering"),
        ('key = "general"', 'key = "General"', "bad-id", "General"),
        ('label = "直ちに"', 'label = ""', "missing-key", "label"),
        ("[[derived]]", "[derived]", "broken-toml", "行"),
        ("[password]", 'special_day = "1月4日"\n[password]', "unknown-key", "special_day"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, old: str, new: str, rule: str, words: str) -> None:
    text = RULES_TOML.read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(OrganisationBroken) as broken:
        edited(tmp_path, lambda text: text.replace(old, new, 1))
    found = [finding for finding in broken.value.findings if finding.rule == rule]
    assert any(words in finding.message + finding.element for finding in found), broken.value.text
    assert all(finding.file == "rules.toml" and finding.message.endswith("。") for finding in broken.value.findings)


def test_one_day_cannot_be_open_and_closed(tmp_path: Path) -> None:
    row = '\n[[special_day]]\nbasis = "法律"\nclosed = [2030-01-04]\nopen = [2030-01-04]\n'
    with pytest.raises(OrganisationBroken, match="開庁日と閉庁日"):
        edited(tmp_path, lambda text: text + row)


def test_a_special_day_of_the_folder_is_kept(tmp_path: Path) -> None:
    row = '\n[[special_day]]\nbasis = "法律"\nclosed = [2030-01-04]\nopen = [2030-01-05]\n'
    calendar = edited(tmp_path, lambda text: text + row).calendar
    assert calendar.why_closed(date(2030, 1, 4)) == "臨時の閉庁日"
    assert not calendar.is_closed(date(2030, 1, 5))


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(OrganisationBroken) as broken:
        edited(
            tmp_path, lambda text: text.replace('"PT1H"', '"soon"').replace('holidays = "JP"', 'holidays = "US"').replace("days = 5\n", "")
        )
    assert {finding.rule for finding in broken.value.findings} == {"bad-duration", "out-of-range", "missing-key"}


def test_a_file_that_is_not_there_and_one_that_is_not_text(tmp_path: Path) -> None:
    with pytest.raises(OrganisationBroken, match="ファイルがありません"):
        load_rules(tmp_path / "rules.toml")
    (tmp_path / "rules.toml").write_bytes("label = '直ちに'".encode("cp932"))
    with pytest.raises(OrganisationBroken, match="UTF-8"):
        load_rules(tmp_path / "rules.toml")

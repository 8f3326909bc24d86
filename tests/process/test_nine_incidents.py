"""The nine incidents of the agency (評価書 Ⅲ7⑨), each played from its first report to its closing, with the days the law gives them."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from engine import JST, Player, civil_day, end_of_day, judge, load_scenario
from tests.process.conftest import Case, Office

SCENARIOS = Path(__file__).parents[2] / "bpmn" / "isa" / "scenarios"

# id, known on, what, persons, first warning, guide day of 速報, limit of 確報 (cases.json "nine")
NINE = [
    ("R4-1", "2022-05-16", "leak", 1, "2022-05-18", "2022-05-20", "2022-06-14"),
    ("R4-2", "2022-06-13", "loss", 1, "2022-06-15", "2022-06-17", "2022-07-12"),
    ("R4-3", "2022-08-15", "leak", 1, "2022-08-17", "2022-08-19", "2022-09-13"),
    ("R5-4", "2023-06-12", "leak", 1, "2023-06-14", "2023-06-16", "2023-07-11"),
    ("R5-5", "2023-08-10", "leak", 12, "2023-08-12", "2023-08-14", "2023-09-08"),
    ("R5-6", "2023-09-11", "leak", 2, "2023-09-13", "2023-09-15", "2023-10-10"),
    ("R5-7", "2023-10-16", "leak", 2, "2023-10-18", "2023-10-20", "2023-11-14"),
    ("R6-8", "2024-11-18", "loss", 1, "2024-11-20", "2024-11-22", "2024-12-17"),
    ("R6-9", "2025-02-17", "leak", 1, "2025-02-19", "2025-02-21", "2025-03-18"),
]


def play(office: Office, name: str, until: str | None = None) -> Case:
    scenario = load_scenario(SCENARIOS / f"incident_{name.lower()}.yaml")
    office.clock.set(scenario.starts)
    return office.take_up(Player(office.engine, office.clock, "isa").play(scenario, until=until))


@pytest.mark.parametrize(("name", "known", "event", "persons", "warn", "guide", "limit"), NINE, ids=[row[0] for row in NINE])
def test_each_of_the_nine_runs_to_its_closing_within_the_days_of_the_law(
    office: Office, cases: dict[str, Any], name: str, known: str, event: str, persons: int, warn: str, guide: str, limit: str
) -> None:
    """九件のどれも、第一報から終結まで通り、速報の目安の日と確報の期限の日が法令どおりで、どちらにも間に合っている。"""
    case = play(office, name)
    case.waits_at()
    assert case.outcome == "終結"
    facts = case.facts
    assert (facts["event"], facts["count"], civil_day(datetime.fromisoformat(facts["known_at"])).isoformat()) == (event, persons, known)

    preliminary, final = case.clock("preliminary_report"), case.clock("final_report")
    assert preliminary is not None
    assert final is not None
    assert (preliminary.started_on.isoformat(), preliminary.due_on.isoformat(), preliminary.state) == (known, guide, "met")
    assert (final.started_on.isoformat(), final.due_on.isoformat(), final.days, final.state) == (known, limit, 30, "met")
    assert preliminary.due_at == end_of_day(date.fromisoformat(guide))

    expected = next(row["expect"] for row in cases["nine"] if row["id"] == name)
    asked = {key: facts.get(key) for key in (*cases["defaults"], "mn_system") if facts.get(key) is not None} | {"nd78": "unknown"}
    found, _ = judge(office.engine.organisation("isa"), asked, office.clock.now(), assume=True)
    assert {key: found[key] for key in expected} == expected
    done = {"ISA-25-1", "ISA-25-2", "ISA-25-3a", "ISA-25-4", "ISA-25-6", "ISA-25-7", "ISA-26-1", "LAW-68-1", "LAW-68-2"}
    done |= {"ISA-25-3b"} if facts["grave"] else set()
    done |= {"ISA-25-5"} if facts["head_report_needed"] else set()
    states = case.duties
    assert {clause for clause, state in states.items() if state == "done"} == done
    assert set(states.values()) == {"done", "not_applicable"}
    assert len(case.history("case.ended")) == 1


@pytest.mark.parametrize(("name", "warn"), [(row[0], row[4]) for row in NINE if row[0] in ("R4-1", "R5-5")], ids=["R4-1", "R5-5"])
def test_the_third_day_warns_whoever_the_case_waits_for(office: Office, name: str, warn: str) -> None:
    """知った日から三日目の朝に、まだ速報が済んでいなければ、案件を持っている役に知らせる。休日でも日は進む。"""
    case = play(office, name, until="contain")
    case.lets_pass(days=3)
    [row] = [row for row in office.history(case.id, "clock.warned") if row["data"]["clock"] == "preliminary_report"]
    assert row["at"] == datetime.fromisoformat(f"{warn}T09:00:00+09:00")
    unit = case.facts["owning_unit"]
    assert "clock_warning" in office.at(f"protection_manager@{unit}").notices


def test_the_nine_together_are_the_cases_file(cases: dict[str, Any]) -> None:
    """ここに書いた九件の数字は、共有の例の数字と同じである。"""
    told = [
        (row["id"], row["known_synthetic"], row["event"], row["persons"], row["sokuho_warn"], row["sokuho_guide"], row["kakuho"])
        for row in cases["nine"]
    ]
    assert told == NINE
    assert sum(row[3] for row in NINE) == 22


# ---------------------------------------------------------------- what is special about each (procedures §7)


def test_r4_1_what_was_said_aloud_can_only_be_asked_not_to_be_repeated(office: Office) -> None:
    """口頭の漏えい：媒体が無いので、回収も削除も無く、他言しないよう頼むことが拡大防止になる。"""
    case = play(office, "R4-1", until="assess")
    assert (case.facts["containment_done"], case.facts["recovered_unseen"]) == (["silence"], "no")


def test_r4_2_a_loss_is_decided_by_whether_the_same_data_is_elsewhere(office: Office) -> None:
    """滅失：同じ情報がほかにあるかが分かるまで該当性は決まらず、無いと分かれば報告の対象になる。"""
    case = play(office, "R4-2", until="assess")
    assert (case.facts["containment_done"], case.facts["appi68"]) == (["search"], "review")
    assert "copy_elsewhere" in case.step("confirm_unknown").fields
    case = play(office, "R4-2", until="investigate")
    assert (case.facts["copy_elsewhere"], case.facts["appi68"]) == ("no", "yes")


def test_r4_2_a_lost_record_found_outside_becomes_a_leak(office: Office) -> None:
    """捜していた記録が庁の外で見付かったら、漏えいに改める。期限の起点は変わらない。"""
    case = play(office, "R4-2", until="preliminary")
    due = case.due("final_report")
    office.at("protection_manager@nagoya_adjudication").does(
        "amend_facts", event="leak", recovered_unseen="no", amend_reason="庁の外で見付かった。"
    )
    assert (case.facts["event"], case.facts["appi68"], case.due("final_report")) == ("leak", "yes", due)


def test_r4_3_a_leak_by_another_agencys_hand_stays_a_case_of_the_office(office: Office) -> None:
    """他の機関の職員の手で起きても、情報を管理する入管庁の事案として進み、相手の機関への依頼が記録に残る。"""
    case = play(office, "R4-3")
    assert "施設の担当部門" in case.data("note.added")[0]["note"]
    assert case.outcome == "終結"


def test_r5_4_the_division_can_have_a_report_completed(office: Office) -> None:
    """同じ型の再発：部課等は、足りない調査報告を理由を付けて差し戻せる。差戻しのあとも報告は必ず上がる。"""
    case = play(office, "R5-4")
    assert case.history("task.sent_back") == [("task.sent_back", "report_to_general")]
    assert case.completed().count("report_to_division") == 2


def test_r5_5_each_of_twelve_persons_is_told_and_recorded_by_itself(office: Office) -> None:
    """本人12人：一人に一つの処理が立ち、全員の結果が残るまで通知は終わらない。"""
    case = play(office, "R5-5", until="notice")
    assert case.waits.count("notify_person") == 12
    case = play(office, "R5-5")
    results = case.facts["notify_person"]
    assert [row["result"] for row in results] == ["told", "returned", *["told"] * 10]
    assert case.completed().count("notify_person") == 12


def test_r5_6_a_grave_case_goes_up_within_the_hour_and_is_still_investigated(office: Office) -> None:
    """特に重大：一時間余りで部課等、総括まで第一報が上がり、その日のうちに速報が出る。調査はその後も続いて報告される。"""
    case = play(office, "R5-6")
    done = case.completed()
    assert (
        done.index("receive_grave_report")
        < done.index("record_preliminary")
        < done.index("receive_by_commissioner")
        < done.index("investigate")
    )
    assert done.index("check_article_78") < done.index("register_persons") < done.index("notify_person")
    assert (done.count("report_to_general"), done.count("report_grave_to_general"), done.count("supplement")) == (1, 1, 1)
    assert case.duties["ISA-25-3b"] == "done"
    assert case.facts["supplemented_on"] == "2023-10-16"


def test_r5_7_the_approver_can_have_the_paper_completed(office: Office) -> None:
    """速報の案は、承認の前に差し戻して書き足させることができる。"""
    case = play(office, "R5-7")
    assert case.history("task.sent_back") == [("task.sent_back", "approve_preliminary")]
    assert case.completed().count("prepare_preliminary") == 2


def test_r6_8_raised_to_grave_late_the_first_report_is_added(office: Office) -> None:
    """調査の途中で特に重大と分かれば、その時から第一報が加わる。調査は打ち切られない。"""
    case = play(office, "R6-8", until="raise")
    case.waits_at("contain_further", "investigate")
    case = play(office, "R6-8")
    done = case.completed()
    assert done.index("assess_gravity") < done.index("report_grave") < done.index("investigate")
    assert case.history("action.done") == [("action.done", "raise_to_grave")]


def test_r6_9_one_submission_can_be_both_reports(office: Office) -> None:
    """九つの事項がそろった速報は確報を兼ね、一つの提出が両方の期限を満たす。"""
    case = play(office, "R6-9")
    assert "prepare_final" not in case.completed()
    assert (case.facts["submitted_on"], case.facts["final_submitted_on"]) == ("2025-02-21", "2025-02-21")


@pytest.mark.parametrize("name", ["R4-2", "R5-6", "R6-9"])
def test_a_scenario_can_be_played_on_any_day(office: Office, name: str) -> None:
    """シナリオは、どの日に動かしても通る（実演では、最近のこととして動かす）。年末年始をまたいでも同じ。"""
    scenario = load_scenario(SCENARIOS / f"incident_{name.lower()}.yaml")
    starts = datetime(2026, 12, 26, 10, 0, tzinfo=JST)
    office.clock.set(starts)
    case = office.take_up(Player(office.engine, office.clock, "isa").play(scenario, starts=starts))
    assert case.outcome == "終結"

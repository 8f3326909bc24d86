"""報告・通知の要否の判定（DT1）：実例の数字と、三値の組合せ。"""

from __future__ import annotations

import itertools
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from engine import JST, FormInvalid, judge, load_organisation

HERE = Path(__file__).parent
OFFICE = load_organisation(HERE.parents[1] / "bpmn" / "isa")
NOW = datetime(2026, 11, 20, 17, 0, tzinfo=JST)
CASES = json.loads((HERE / "cases" / "duties.json").read_text("utf-8"))
ANSWERS = ("yes", "no", "unknown")


def judged(**facts: Any) -> dict[str, Any]:
    """The duties of these facts; what is left out is as in the cases file."""
    return judge(OFFICE, facts, NOW, assume=True)[0]


def either(*values: str) -> str:
    """Kleene's or."""
    return "yes" if "yes" in values else "unknown" if "unknown" in values else "no"


def every(*values: str) -> str:
    """Kleene's and."""
    return "no" if "no" in values else "unknown" if "unknown" in values else "yes"


def word(value: str) -> str:
    """A duty that is not known is to be reviewed."""
    return "review" if value == "unknown" else value


# ---------------------------------------------------------------- the file's examples


@pytest.mark.parametrize("case", [*CASES["nine"], *CASES["edge"]], ids=lambda case: case["id"])
def test_the_examples_hold(case: dict[str, Any]) -> None:
    """実例九件と境目の例は、どの欄も一致する。"""
    found = judged(**{name: value for name, value in case["input"].items() if value is not None})
    assert {name: found[name] for name in case["expect"]} == case["expect"]


def test_what_is_assumed_is_what_the_file_assumes() -> None:
    """書かれていない事実の扱いは、例の file の defaults と同じ。"""
    _, assumed = judge(OFFICE, {}, NOW, assume=True)
    assert {name: assumed.get(name) for name in CASES["defaults"]} == CASES["defaults"]


def test_nothing_is_assumed_in_a_case() -> None:
    """案件では、書かれていないことは「不明」で、「いいえ」ではない。"""
    found, assumed = judge(OFFICE, {}, NOW, assume=False)
    assert assumed == {}
    assert {name: found[name] for name in ("appi68", "mn294", "mn_guideline", "isa25_6", "isa25_8", "isa26_2", "notify")} == dict.fromkeys(
        ("appi68", "mn294", "mn_guideline", "isa25_6", "isa25_8", "isa26_2", "notify"), "review"
    )
    assert found["kakuho_days"] == 30


# ---------------------------------------------------------------- others like them


@pytest.mark.article("RULE-43")
@pytest.mark.parametrize(
    ("count", "most", "duty"),
    [
        (100, None, "no"),
        (101, None, "yes"),
        (100, 101, "yes"),
        (101, 5, "yes"),
        (None, 100, "no"),
        (None, 101, "yes"),
        (None, None, "review"),
        (0, None, "no"),
    ],
)
def test_more_than_a_hundred_counts_the_larger_of_known_and_possible(count: int | None, most: int | None, duty: str) -> None:
    """百人を「超える」か。確かな数と多くみた数の大きい方で決め、どちらも無ければ不明。"""
    assert judged(count=count, count_max=most)["appi68"] == duty


@pytest.mark.article("RULE-43")
@pytest.mark.parametrize("answers", list(itertools.product(ANSWERS, repeat=3)), ids="-".join)
def test_the_grounds_of_rule_43_combine_by_kleene(answers: tuple[str, str, str]) -> None:
    """要配慮・財産・不正の目的のどれか一つでも「はい」なら当たり、残りがどれも「いいえ」のときだけ当たらない。"""
    sensitive, financial, malicious = answers
    found = judged(sensitive=sensitive, financial=financial, malicious=malicious)
    assert found["appi68"] == word(either(*answers))
    assert found["rule43"] == [number for number, answer in enumerate(answers, 1) if answer == "yes"]
    assert found["unknown"] == [number for number, answer in enumerate(answers, 1) if answer == "unknown"]
    assert found["kakuho_days"] == (60 if malicious == "yes" else None if found["appi68"] == "no" else 30)
    assert found["notify"] == {"yes": "check_78_then_notify", "review": "review", "no": "discretion(26-1)"}[found["appi68"]]


@pytest.mark.article("RULE-43")
@pytest.mark.parametrize(("encrypted", "key_safe"), list(itertools.product(ANSWERS, repeat=2)))
def test_only_encryption_with_a_safe_key_shields(encrypted: str, key_safe: str) -> None:
    """高度な暗号化は、復号の鍵も守られていると分かっているときだけ、報告を要しない理由になる。"""
    duty = {"yes": "no", "no": "yes", "unknown": "review"}[every(encrypted, key_safe)]
    assert judged(sensitive="yes", encrypted=encrypted, key_safe=key_safe)["appi68"] == duty


@pytest.mark.article("LAW-68-1")
@pytest.mark.parametrize("event", ["leak", "loss", "damage", "illegal_use", "illegal_provision", "rule_violation", "other"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_recovery_matters_to_leaks_and_copies_to_losses(event: str, answer: str) -> None:
    """見られずに全部回収した漏えいと、同じ情報がほかに残る滅失・毀損は、漏えい等ではない。ほかの出来事はもともと違う。"""
    recovered = judged(event=event, sensitive="yes", recovered_unseen=answer)["appi68"]
    copied = judged(event=event, sensitive="yes", copy_elsewhere=answer)["appi68"]
    turned = {"yes": "no", "no": "yes", "unknown": "review"}[answer]
    breach = "yes" if event in ("leak", "loss", "damage") else "no"
    assert recovered == (turned if event == "leak" else breach)
    assert copied == (turned if event in ("loss", "damage") else breach)


@pytest.mark.article("RULE-44")
def test_sixty_days_also_where_other_grounds_stand_beside_the_bad_purpose() -> None:
    """要配慮と不正の目的が重なれば60日。番号法の不正の目的でも60日。不正の目的が不明のうちは30日で仮に数える。"""
    assert judged(sensitive="yes", malicious="yes")["kakuho_days"] == 60
    assert judged(holds=["pi", "mynumber"], event="illegal_provision", malicious="yes")["kakuho_days"] == 60
    assert judged(sensitive="yes", malicious="unknown")["kakuho_days"] == 30


@pytest.mark.article("MN-29-4")
@pytest.mark.parametrize("system", ["イ", "ロ", "ハ", "none", "unknown", None], ids=["i", "ro", "ha", "none", "unknown", "unasked"])
def test_systems_of_the_my_number_law_need_no_number_of_persons(system: str | None) -> None:
    """番号法のシステムなら一人でも当たる。どれでもなければガイドラインによる報告、不明なら判断待ち。"""
    found = judged(holds=["pi", "mynumber"], mn_system=system)
    expected = {"none": ("no", "yes"), None: ("no", "yes"), "unknown": ("review", "review")}.get(system, ("yes", "no"))
    assert (found["mn294"], found["mn_guideline"]) == expected
    assert found["isa25_6"] == "no"


@pytest.mark.article("MN-29-4")
@pytest.mark.parametrize(("answer", "duty"), [("yes", "yes"), ("no", "no"), ("unknown", "review")])
def test_whether_a_my_number_is_in_it_is_three_valued(answer: str, duty: str) -> None:
    """個人番号が含まれるか不明なら、番号法の要否も不明とする。"""
    assert judged(mynumber=answer, mn_system="ロ")["mn294"] == duty


@pytest.mark.article("MN-29-4")
@pytest.mark.parametrize("answer", ANSWERS)
def test_public_view_alone_is_a_ground_of_the_my_number_law(answer: str) -> None:
    """不特定多数が閲覧できる状態になったら、人数によらず当たる。"""
    found = judged(holds=["pi", "mynumber"], event="other", mn_public=answer)
    assert found["mn294"] == word(answer)
    assert found["mn_rule2"] == ([3] if answer == "yes" else [])


@pytest.mark.article("MN-29-4")
@pytest.mark.parametrize("event", ["leak", "loss", "damage", "illegal_use", "illegal_provision", "rule_violation", "other"])
def test_a_hundred_and_one_numbers_count_for_illegal_use_too(event: str) -> None:
    """百人を超えるとき、番号法は不正な利用・提供も報告の対象にする。規程違反だけでは当たらない。"""
    found = judged(holds=["pi", "mynumber"], event=event, count=101)
    assert (4 in found["mn_rule2"]) is (event not in ("rule_violation", "other"))


@pytest.mark.article("MN-GL")
def test_the_guideline_takes_what_the_my_number_law_leaves() -> None:
    """番号法に当たらない特定個人情報の漏えい等も、ガイドラインにより報告する。守られていれば要らない。"""
    assert judged(holds=["mynumber"])["mn_guideline"] == "yes"
    assert judged(holds=["mynumber"], event="illegal_use")["mn_guideline"] == "yes"
    assert judged(holds=["mynumber"], event="rule_violation")["mn_guideline"] == "no"
    assert judged(holds=["mynumber"], encrypted="yes", key_safe="yes")["mn_guideline"] == "no"


@pytest.mark.article("ISA-25-6")
@pytest.mark.parametrize("held", list(itertools.product((False, True), repeat=3)), ids=str)
def test_the_wide_and_the_narrow_term(held: tuple[bool, bool, bool]) -> None:
    """第25条第6項と第26条第2項は広い方（等）、第25条第8項は匿名加工情報そのものだけ。"""
    kinds = [kind for kind, there in zip(("anon", "deleted_info", "method_info"), held, strict=True) if there]
    found = judged(holds=["pi", *kinds])
    wide = "yes" if kinds else "no"
    assert (found["isa25_6"], found["isa26_2"], found["isa25_8"]) == (wide, wide, "yes" if held[0] else "no")
    assert found["kakuho_days"] is None


@pytest.mark.article("LAW-68-2")
@pytest.mark.parametrize(("nd78", "contact"), list(itertools.product(ANSWERS, ("yes", "no"))))
def test_how_the_person_is_told(nd78: str, contact: str) -> None:
    """不開示情報なら通知しない、確かめる前なら確かめる、連絡できなければ代わりの措置。番号法には不開示情報の例外が無い。"""
    law = judged(sensitive="yes", nd78=nd78, contact=contact)["notify"]
    told = "notify" if contact == "yes" else "substitute"
    assert law == {"yes": "exempt", "no": told, "unknown": "check_78_then_notify"}[nd78]
    assert judged(sensitive="yes", holds=["pi", "mynumber"], mn_system="ロ", nd78=nd78, contact=contact)["notify"] == told


@pytest.mark.article("LAW-68-2")
def test_an_exemption_waits_while_the_my_number_law_is_undecided() -> None:
    """78条に当たっても、番号法の要否が不明のうちは、通知しないとは決めない。"""
    assert judged(sensitive="yes", nd78="yes", holds=["pi", "mynumber"], mn_system="unknown")["notify"] == "review"
    assert judged(sensitive="unknown", holds=["pi", "mynumber"], mn_system="ロ")["notify"] == "notify"


def test_facts_nobody_asks_for_are_refused_by_name() -> None:
    """知らない事実や、欄に合わない値は、名を挙げて断る。求めた結果を入れることもできない。"""
    with pytest.raises(FormInvalid) as refused:
        judged(nonsense="yes", appi68="no")
    assert set(refused.value.fields) == {"nonsense", "appi68"}
    with pytest.raises(FormInvalid) as refused:
        judged(sensitive="maybe", count="many")
    assert set(refused.value.fields) == {"sensitive", "count"}

"""The immigration agency as its folder describes it, by date; and what a folder with mistakes is told."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from engine.errors import OrganisationBroken, OrganisationNotFound, UnknownUnit
from engine.organisation import Organisation, load, split_seat

ISA = Path(__file__).parents[2] / "bpmn" / "isa"
OFFICE = load(ISA)
ON = date(2026, 11, 20)

# 別表: 管理の範囲ごとの保護管理者（15区分）
SCHEDULE = {
    "general_affairs": "総務課長",
    "audit_guidance": "出入国在留監査指導室長",
    "information_systems": "情報システム管理室長",
    "training_counsellor": "参事官（研修企画）",
    "policy": "政策課長",
    "foreign_nationals_policy": "外国人施策推進室長",
    "legal_counsellor": "参事官（法規・国際）",
    "entry_control": "出入国管理課長",
    "refugee_recognition": "難民認定室長",
    "adjudication": "審判課長",
    "enforcement": "警備課長",
    "residence_management": "在留管理課長",
    "residence_operations": "在留管理業務室長",
    "residents_support": "在留支援課長",
    "information_analyst": "情報分析官",
}
REGIONAL = ("regional_bureau", "detention_center")


def below(unit_id: str) -> set[str]:
    return {unit.id for unit in OFFICE.units.values() if unit_id in {above.id for above in OFFICE.chain(unit.id, ON)}}


# ---------------------------------------------------------------- the office


@pytest.mark.article("isa-3-1")
def test_the_vice_commissioner_is_the_general_protection_manager() -> None:
    """規程第3条第1項: 総括保護管理者は庁に1人で、次長。"""
    assert OFFICE.post_name("general_protection_manager@isa") == "次長"
    assert [seat for seat in OFFICE.seats(ON) if seat.startswith("general_protection_manager@")] == ["general_protection_manager@isa"]


@pytest.mark.article("isa-9-1")
def test_the_audit_officer_is_one_and_the_deputy_director_general() -> None:
    """規程第9条第1項: 監査責任者は1人で、審議官（総合調整担当）。"""
    assert [seat for seat in OFFICE.seats(ON) if seat.startswith("audit_officer@")] == ["audit_officer@isa"]
    assert OFFICE.post_name("audit_officer@isa") == "審議官（総合調整担当）"


@pytest.mark.article("isa-5-1")
def test_the_schedule_gives_each_scope_of_the_head_office_its_manager() -> None:
    """規程第5条第1項・別表: 部課の保護管理者は15区分ごとに決まっている。"""
    regional = {unit_id for unit in OFFICE.units.values() if unit.kind in REGIONAL for unit_id in below(unit.id)}
    head_office = {unit.id for unit in OFFICE.units.values() if "protection_manager" in unit.seats and unit.id not in regional}
    assert head_office == set(SCHEDULE)
    assert {unit: OFFICE.post_name(f"protection_manager@{unit}") for unit in SCHEDULE} == SCHEDULE


@pytest.mark.article("isa-4-1")
def test_every_bureau_division_and_counsellor_has_its_head_as_division_manager() -> None:
    """規程第4条第1項・第2条: 部・総務課・政策課・参事官と各庁に、その長が部課等保護管理者として1人ずつ。"""
    heads = {
        unit.id: unit.posts["division_protection_manager"] for unit in OFFICE.units.values() if "division_protection_manager" in unit.seats
    }
    regional = {unit.id: unit.name for unit in OFFICE.units.values() if unit.kind in REGIONAL}
    assert len(regional) == 10
    assert {heads.pop(unit) for unit in regional} == {f"{name}長" if name.endswith("局") else f"{name}所長" for name in regional.values()}
    assert heads == {
        "general_affairs": "総務課長",
        "policy": "政策課長",
        "training_counsellor": "参事官（研修企画）",
        "legal_counsellor": "参事官（法規・国際）",
        "immigration_control": "出入国管理部長",
        "residence_support": "在留管理支援部長",
    }


def test_the_regional_offices_and_their_branches() -> None:
    kinds = {kind: [unit for unit in OFFICE.units.values() if unit.kind == kind] for kind in {unit.kind for unit in OFFICE.units.values()}}
    assert [unit.name.removesuffix("出入国在留管理局") for unit in kinds["regional_bureau"]] == [
        "札幌",
        "仙台",
        "東京",
        "名古屋",
        "大阪",
        "広島",
        "高松",
        "福岡",
    ]
    assert {unit.id: unit.parent for unit in kinds["district_office"]} == {
        "narita": "tokyo", "haneda": "tokyo", "yokohama": "tokyo", "chubu": "nagoya", "kansai": "osaka", "kobe": "osaka", "naha": "fukuoka",
    }  # fmt: skip
    assert {OFFICE.units[unit.parent].kind for unit in kinds["branch_office"]} == {"regional_bureau", "district_office"}
    assert OFFICE.units["kawasaki"].parent == "yokohama"
    assert {unit.name for unit in kinds["detention_center"]} == {"東日本入国管理センター", "大村入国管理センター"}
    for unit in kinds["regional_bureau"]:
        assert {f"{unit.id}_{part}" for part in ("general_affairs", "inspection", "adjudication", "enforcement")} <= below(unit.id)


@pytest.mark.article("isa-6-1")
def test_whoever_has_a_manager_has_an_assistant_and_everyone_has_staff() -> None:
    """規程第6条第1項: 保護担当者は、保護管理者を置く課室等ごとに。"""
    for unit in OFFICE.units.values():
        assert ("assistant" in unit.seats) == ("protection_manager" in unit.seats), unit.id
        assert "staff" in unit.seats, unit.id


@pytest.mark.article("isa-25-4")
def test_from_every_seat_the_ladder_ends_at_the_commissioner() -> None:
    """規程第25条第1項から第5項まで: 職員から長官まで、どの部署でも段が途切れない。"""
    for seat in OFFICE.seats(ON):
        steps = [seat]
        while (above := OFFICE.next_seat(steps[-1], ON)) is not None:
            steps.append(above)
        role = seat.partition("@")[0]
        assert steps[-1] == "commissioner@isa" or role in ("designer", "administrator"), steps
        assert len(steps) == len(set(steps))


def test_a_step_of_an_incident_finds_its_seat_wherever_information_is_kept() -> None:
    for unit in OFFICE.units_with("protection_manager", ON):
        assert OFFICE.resolve("protection_manager", unit.id, ON) == f"protection_manager@{unit.id}"
        assert OFFICE.resolve("division_protection_manager", unit.id, ON) is not None
        assert OFFICE.resolve("commission_desk", unit.id, ON) == "commission_desk@isa"
    without = set(OFFICE.units) - {unit.id for unit in OFFICE.units_with("protection_manager", ON)}
    kinds = {OFFICE.units[unit_id].kind for unit_id in without}
    assert kinds == {"agency", "department", *REGIONAL}, "only units that consist of other units are managed by no one themselves"


# ---------------------------------------------------------------- seats


@pytest.mark.parametrize(
    ("role", "unit", "seat"),
    [
        ("protection_manager", "adjudication", "protection_manager@adjudication"),
        ("division_protection_manager", "adjudication", "division_protection_manager@immigration_control"),
        ("division_protection_manager", "information_systems", "division_protection_manager@general_affairs"),
        ("division_protection_manager", "kawasaki", "division_protection_manager@tokyo"),
        ("protection_manager", "kawasaki", "protection_manager@kawasaki"),
        ("general_protection_manager", "kawasaki", "general_protection_manager@isa"),
        ("protection_manager", "tokyo", None),  # a bureau's information is managed in its divisions
        ("baker", "tokyo", None),
        ("protection_manager", "atlantis", None),
    ],
)
def test_a_seat_is_looked_for_upward(role: str, unit: str, seat: str | None) -> None:
    assert OFFICE.resolve(role, unit, ON) == seat


def test_the_chain_of_a_unit_ends_at_the_root() -> None:
    assert [unit.id for unit in OFFICE.chain("kawasaki", ON)] == ["kawasaki", "yokohama", "tokyo", "isa"]
    assert [unit.id for unit in OFFICE.chain("isa", ON)] == ["isa"]
    with pytest.raises(UnknownUnit, match="atlantis"):
        OFFICE.chain("atlantis", ON)


@pytest.mark.parametrize(
    ("seat", "name", "post"),
    [
        ("protection_manager@adjudication", "審判課 保護管理者", "審判課長"),
        ("staff@adjudication", "審判課 職員", "審判課 職員"),
        ("protection_manager@tokyo_general_affairs", "東京出入国在留管理局総務課 保護管理者", "総務課長"),
        ("protection_manager@closed_unit", "closed_unit 保護管理者", "closed_unit 保護管理者"),  # old records stay legible
        ("person:0042", "本人", "本人"),
        ("person:a@b", "本人", "本人"),
        ("nonsense", "nonsense", "nonsense"),
    ],
)
def test_seats_are_named_as_officials_name_them(seat: str, name: str, post: str) -> None:
    assert (OFFICE.seat_name(seat), OFFICE.post_name(seat)) == (name, post)


def test_a_seat_is_a_role_at_a_unit() -> None:
    assert split_seat("staff@tokyo") == ("staff", "tokyo")
    assert split_seat("person:0042") is None
    assert split_seat("person:a@b") is None


@pytest.mark.parametrize(
    ("seat", "above"),
    [
        ("staff@narita", "protection_manager@narita"),
        ("assistant@narita", "protection_manager@narita"),
        ("protection_manager@narita", "division_protection_manager@tokyo"),
        ("division_protection_manager@tokyo", "general_protection_manager@isa"),
        ("general_protection_manager@isa", "commissioner@isa"),
        ("commissioner@isa", None),
        ("commission_desk@isa", "general_protection_manager@isa"),
        ("staff@tokyo", "division_protection_manager@tokyo"),  # a bureau has no manager of its own: the rung is skipped
        ("administrator@isa", None),
        ("staff@atlantis", None),
        ("person:0042", None),
    ],
)
def test_the_next_rung(seat: str, above: str | None) -> None:
    assert OFFICE.next_seat(seat, ON) == above


# ---------------------------------------------------------------- dates


def copy(tmp_path: Path, file: str = "", change: Callable[[str], str] | None = None) -> Path:
    """The office's three files, one of them changed."""
    folder = tmp_path / "isa"
    folder.mkdir()
    for name in ("organisation.toml", "rules.toml", "clauses.csv"):
        shutil.copy(ISA / name, folder / name)
    if change:
        text = (folder / file).read_text(encoding="utf-8")
        changed = change(text)
        assert changed != text, "the test changes nothing"
        (folder / file).write_text(changed, encoding="utf-8")
    return folder


def reorganised(tmp_path: Path) -> Organisation:
    """審判課 ends on 2027-03-31 (a Wednesday); 審判企画課 begins the next day."""

    def change(text: str) -> str:
        head, unit, rest = text.partition('[[unit]]\nid = "adjudication"\n')
        new = unit.replace("adjudication", "adjudication_planning") + rest.partition("\n\n")[0].replace("審判課", "審判企画課")
        ended = unit + rest.replace("valid_from = 2022-04-01", "valid_from = 2022-04-01\nvalid_to = 2027-03-31", 1)
        return head + ended + "\n" + new.replace("valid_from = 2022-04-01", "valid_from = 2027-04-01") + "\n"

    return load(copy(tmp_path, "organisation.toml", change))


def test_a_unit_is_there_from_its_first_day_to_its_last(tmp_path: Path) -> None:
    office = reorganised(tmp_path)
    last, first = date(2027, 3, 31), date(2027, 4, 1)
    assert office.resolve("protection_manager", "adjudication", last) == "protection_manager@adjudication"
    assert office.resolve("protection_manager", "adjudication_planning", last) is None
    assert office.resolve("protection_manager", "adjudication", first) is None
    assert office.resolve("protection_manager", "adjudication_planning", first) == "protection_manager@adjudication_planning"
    assert "staff@adjudication" in office.seats(last)
    assert "staff@adjudication" not in office.seats(first)
    assert "adjudication" not in {unit.id for unit in office.units_with("division_protection_manager", first)}


def test_a_case_of_an_abolished_unit_climbs(tmp_path: Path) -> None:
    office = reorganised(tmp_path)
    assert [unit.id for unit in office.chain("adjudication", date(2027, 4, 1))] == ["immigration_control", "isa"]
    assert office.next_seat("protection_manager@adjudication", date(2027, 4, 1)) == "division_protection_manager@immigration_control"
    assert office.seat_name("protection_manager@adjudication") == "審判課 保護管理者"


def test_before_the_text_in_force_there_are_no_seats() -> None:
    assert OFFICE.seats(date(2022, 3, 31)) == []
    assert OFFICE.resolve("commissioner", "isa", date(2022, 3, 31)) is None


def test_a_clause_that_changes_is_a_further_row(tmp_path: Path) -> None:
    row = "LAW-68-1,新しい条文,長,知った時,報告する,委員会,直ちに,,控え,報告します。,2027-04-01,,\n"
    office = load(copy(tmp_path, "clauses.csv", lambda text: text + row))
    before, after = office.clause("LAW-68-1", date(2027, 3, 31)), office.clause("LAW-68-1", date(2027, 4, 1))
    assert before
    assert after
    assert (before.citation, after.citation) == (OFFICE.clauses["LAW-68-1"].citation, "新しい条文")
    assert office.clauses["LAW-68-1"] == after
    assert office.clause("LAW-68-1", date(2022, 3, 31)) is None
    assert office.clause("LAW-0", ON) is None


# ---------------------------------------------------------------- clauses


def test_every_clause_says_where_it_stands_and_what_one_does() -> None:
    assert len(OFFICE.clauses) == 110
    for clause in OFFICE.clauses.values():
        assert clause.plain.endswith("。"), clause.clause_id
        assert 1 <= clause.plain.count("。") <= 3, clause.clause_id
        assert clause.citation, clause.clause_id


def test_a_clause_is_cited_to_the_proviso() -> None:
    assert OFFICE.clauses["ISA-25-3b"].citation == "保有個人情報等保護管理規程 第25条第3項ただし書"
    assert OFFICE.clauses["ISA-25-3b"].urgency == "直ちに"


def test_the_two_layers_of_duty_are_both_there() -> None:
    assert {"ISA-25-6", "LAW-68-1", "LAW-68-2", "LAW-78-1", "RULE-43", "RULE-44", "MN-29-4", "MN-29-4-2", "MN-GL"} <= set(OFFICE.clauses)


def test_article_numbers_that_moved_carry_a_note() -> None:
    """規程が引く法の条番号は2022年4月1日のもの。"""
    for clause_id in ("ISA-23-4/5", "ISA-23-6", "ISA-23-7"):
        assert "現在の第1" in OFFICE.clauses[clause_id].note


# ---------------------------------------------------------------- the folder


def test_the_digest_is_of_everything_in_the_folder(tmp_path: Path) -> None:
    folder = copy(tmp_path)
    digest = load(folder).digest
    assert len(digest) == 64
    assert load(folder).digest == digest
    (folder / ".swp").write_text("an editor's")
    (folder / "rules.toml~").write_text("an editor's")
    assert load(folder).digest == digest
    (folder / "incident.bpmn").write_text("<a/>")
    with_diagram = load(folder).digest
    (folder / "incident.bpmn").rename(folder / "leak.bpmn")
    assert len({digest, with_diagram, load(folder).digest}) == 3


def test_the_tables_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        OFFICE.units["x"] = OFFICE.units["isa"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        OFFICE.units["isa"].name = "x"  # type: ignore[misc]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OrganisationNotFound, match="niye"):
        load(tmp_path / "niye")


@pytest.mark.parametrize("code", ["utf-8", "utf-8-sig", "cp932"])
def test_clauses_may_come_from_a_japanese_spreadsheet(tmp_path: Path, code: str) -> None:
    folder = copy(tmp_path)
    text = (folder / "clauses.csv").read_text(encoding="utf-8").replace("\n", "\r\n") + ",,,,,,,,,,,\r\n"
    (folder / "clauses.csv").write_bytes(text.encode(code))
    assert load(folder).clauses == OFFICE.clauses


def broken(folder: Path) -> list[tuple[str, str, str, str]]:
    with pytest.raises(OrganisationBroken) as refused:
        load(folder)
    assert all(finding.message.endswith("。") for finding in refused.value.findings)
    return [(finding.rule, finding.element, finding.file, finding.message) for finding in refused.value.findings]


@pytest.mark.parametrize(
    ("old", "new", "rule", "element", "words"),
    [
        ('parent = "tokyo"\nkind = "district_office"', 'parent = "edo"\nkind = "district_office"', "unknown-parent", "narita", "edo"),
        ('parent = "isa"\nkind = "department"', 'parent = "adjudication"\nkind = "department"', "cycle", "immigration_control", "上位"),
        (
            'parent = "isa"\nkind = "department"',
            'parent = "immigration_control"\nkind = "department"',
            "cycle",
            "immigration_control",
            "上位",
        ),
        ('parent = "isa"\nkind = "department"', 'kind = "department"', "root", "", "isa、immigration_control"),
        ('id = "isa"\nname = "出入国在留管理庁"\nshort', 'id = "moj"\nname = "出入国在留管理庁"\nshort', "root", "", "moj"),
        ('id = "haneda"', 'id = "narita"', "duplicate-id", "narita", "2つ"),
        ('id = "haneda"', 'id = "羽田"', "bad-id", "羽田", "半角"),
        ('id = "haneda"', 'id = ""', "missing-key", "", "空"),
        ('id = "haneda"\n', "", "missing-key", "", "id"),
        ('id = "contract_officer"', 'id = "staff"', "duplicate-id", "staff", "役"),
        ('id = "contract_officer"', 'id = "contractor"', "unknown-role", "isa", "contract_officer"),
        (
            'seats = ["staff", "assistant", "protection_manager", "s',
            'seats = ["s',
            "post-without-seat",
            "information_systems",
            "情報システム管理室長",
        ),
        (
            'seats = ["staff", "assistant", "protection_manager", "s',
            'seats = ["staff", "staff", "s',
            "duplicate",
            "information_systems",
            "staff",
        ),
        ('seats = ["staff", "assistant", "protection_manager"]', 'seats = "staff"', "wrong-type", "audit_guidance", "並び"),
        ('seats = ["staff", "assistant", "protection_manager"]', "seats = [1]", "wrong-type", "audit_guidance", "並び"),
        ('{ protection_manager = "政策課長", ', '{ protection_manager = "", ', "wrong-type", "policy", "protection_manager"),
        (', "security_officer"', "", "role-without-seat", "security_officer", "1つも"),
        ('clause = "ISA-12"', 'clause = "ISA-99"', "unknown-clause", "staff", "ISA-99"),
        ('next = "commissioner"', 'next = "emperor"', "unknown-role", "general_protection_manager", "emperor"),
        ('next = "commissioner"', 'next = "protection_manager"', "cycle", "protection_manager", "next"),
        ("valid_from = 2022-04-01", "valid_from = 2022-04-31", "broken-toml", "", "行"),
        ("valid_from = 2022-04-01", 'valid_from = "令和4年4月1日"', "wrong-type", "isa", "日付"),
        ("valid_from = 2022-04-01", "valid_from = 2022-04-01\nvalid_to = 2021-01-01", "period", "isa", "前の日"),
        ("order = 10\n", "order = true\n", "wrong-type", "isa", "整数"),
        ("order = 10\n", "order = 10\nodrer = 10\n", "unknown-key", "isa", "odrer"),
        ('head_title = "出入国在留管理庁長官"', "", "missing-key", "isa", "head_title"),
    ],
)
def test_a_mistake_in_the_units_is_named(tmp_path: Path, old: str, new: str, rule: str, element: str, words: str) -> None:
    found = broken(copy(tmp_path, "organisation.toml", lambda text: text.replace(old, new, 1)))
    assert any(
        (one_rule, one_element, file) == (rule, element, "organisation.toml") and words in message
        for one_rule, one_element, file, message in found
    ), found


@pytest.mark.parametrize(
    ("old", "new", "rule", "element", "words"),
    [
        ("clause_id,citation", "clause,citation", "missing-column", "", "clause_id"),
        ("clause_id,citation", "clause,citation", "unknown-column", "", "clause"),
        (",valid_from,note", ",valid_from,plain", "duplicate-column", "", "plain"),
        ("\nISA-4-2,", "\nISA-3-2,", "duplicate-id", "ISA-3-2", "2つ"),
        ("\nISA-4-2,", "\n,", "missing-value", "", "clause_id"),
        ("\nISA-4-2,", "\nISA 4-2,", "bad-id", "ISA 4-2", "空白"),
        ("\nISA-4-2,", "\nISA-4-2,余分,", "wrong-width", "", "3行目"),
        ("2022-04-01", "令和4年4月1日", "bad-date", "ISA-3-2", "日付"),
        ("2022-04-01", "", "missing-value", "ISA-3-2", "valid_from"),
        ("\nISA-4-2,", '\nISA-4-2"x,"y"z,', "broken-csv", "", "CSV"),
        ("\nISA-25-9,", "\nISA-25-10,", "unknown-clause", "ISA-25-9", "ISA-25-9"),
    ],
)
def test_a_mistake_in_the_clauses_is_named(tmp_path: Path, old: str, new: str, rule: str, element: str, words: str) -> None:
    found = broken(copy(tmp_path, "clauses.csv", lambda text: text.replace(old, new, 1)))
    assert any((one_rule, one_element) == (rule, element) and words in message for one_rule, one_element, _, message in found), found


@pytest.mark.parametrize(
    ("old", "new", "rule", "words"),
    [
        ('recorded_by = ["ISA-25-9"]', 'recorded_by = ["ISA-25-99"]', "unknown-clause", "ISA-25-99"),
        ('clauses = ["RULE-44", ', 'clauses = ["RULE-45", ', "unknown-clause", "RULE-45"),
        ("when = 'isa25_8 == \"yes\"'", "when = 'isa25_8 =='", "bad-expression", "isa25_8 =="),
        ("when = 'isa25_8 == \"yes\"'", "when = 'open(\"x\")'", "bad-expression", "open"),
        ('role = "audit_officer"', 'role = "auditor"', "unknown-role", "auditor"),
        ('tells = ["holder"]', 'tells = ["holder", "watchman"]', "unknown-role", "watchman"),
        ('privileged_roles = ["', 'privileged_roles = ["king", "', "unknown-role", "king"),
    ],
)
def test_rules_name_only_what_the_office_has(tmp_path: Path, old: str, new: str, rule: str, words: str) -> None:
    found = broken(copy(tmp_path, "rules.toml", lambda text: text.replace(old, new, 1)))
    assert any((one_rule, file) == (rule, "rules.toml") and words in message for one_rule, _, file, message in found), found


@pytest.mark.parametrize("name", ["organisation.toml", "rules.toml", "clauses.csv"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = copy(tmp_path)
    (folder / name).unlink()
    assert ("missing-file", "", name, "ファイルがありません。") in broken(folder)


def test_a_broken_file_says_the_line(tmp_path: Path) -> None:
    folder = copy(tmp_path, "organisation.toml", lambda text: 'id = "isa"\nname = 出入国在留管理庁\n' + text)
    assert [(rule, message[:5]) for rule, _, file, message in broken(folder) if file == "organisation.toml"] == [
        ("broken-toml", "2行8文字")
    ]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00\x30", "あ".encode("utf-16"), b"clause_id\x00,citation"])
def test_a_file_in_an_unknown_encoding_is_named(tmp_path: Path, content: bytes) -> None:
    folder = copy(tmp_path)
    (folder / "clauses.csv").write_bytes(content)
    assert ("encoding", "clauses.csv") in {(rule, file) for rule, _, file, _ in broken(folder)}


def test_mistakes_in_all_three_files_are_said_at_once(tmp_path: Path) -> None:
    folder = copy(tmp_path, "organisation.toml", lambda text: text.replace('id = "haneda"', 'id = "narita"'))
    (folder / "rules.toml").write_text("[[urgency", encoding="utf-8")
    (folder / "clauses.csv").write_text("clause_id\n", encoding="utf-8")
    assert {file for _, _, file, _ in broken(folder)} == {"organisation.toml", "rules.toml", "clauses.csv"}

"""The immigration agency at work, told in four kinds of sentence: who acts, where it waits, how much time passes, what the record says.

Every look at where a case waits loads its marking, compares it with the inbox rows, and stores it again, and replays the record: each of
these tests is also a test that a case survives being put away, and that its facts follow from its record, as decision papers need.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from engine import JST, ClockShown, SetClock, definitions, duties
from engine.decision_record import facts_of, rows_of
from engine.marking import Marking
from engine.model import FAR_FUTURE, case_file
from engine.tokens import waiting
from tests.support import SINCE, World, make_engine, populate

FRIDAY = datetime(2026, 11, 20, 17, 0, tzinfo=JST)  # the Monday after it is a holiday
UNIT = "adjudication"  # 審判課, in 出入国管理部

#: What the report of an everyday case says: one person's sensitive data, told to somebody else, nothing unknown that matters.
#: What is said where a report comes later than its word allows; a test about that says otherwise.
LATE = "外勤中で、戻ってから入力した"
REPORT: Mapping[str, Any] = {
    "item_summary": "窓口で別人に審査の経過を話した",
    "event": "leak",
    "holds": ["pi"],
    "count": 1,
    "sensitive": "yes",
    "financial": "no",
    "malicious": "no",
    "encrypted": "no",
}

#: What officials answer when a test is about something else. The order is the one in which a case is worked off.
ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "contain_at_once": {"containment_done": ["silence"], "recovered_unseen": "no"},
    "contain_further": {"recovery_measures": "窓口の運用を改めた。", "copy_elsewhere": "no"},
    "assess_gravity": {"grave": False, "grave_reason": "相手は一人で、他言しないと約束した。"},
    "report_grave": {},
    "report_grave_to_general": {},
    "receive_grave_report": {"head_report_needed": True},
    "confirm_contractor_duty": {"contractor_name": "運用保守の委託先", "contract_clause_confirmed": True},
    "investigate": {"item_data": "氏名、審査の経過", "item_secondary_harm": "確認されていない。"},
    "report_to_division": {},
    "report_to_general": {},
    "receive_report": {"head_report_needed": False, "head_report_reason": "定例の報告にまとめる。"},
    "report_to_commissioner": {"head_report_note": "要点"},
    "receive_by_commissioner": {},
    "prepare_preliminary": {},
    "approve_preliminary": {},
    "record_preliminary": {"submitted_on": "@today", "preliminary_receipt": "速報-1"},
    "report_anonymised": {"anonymised_reported_on": "@today"},
    "check_article_78": {"nd78": "no"},
    "record_exemption": {"exemption_basis": "法第78条第1項第2号に当たる情報を含む。"},
    "take_substitute_measure": {"substitute_measure": "当庁の公式の頁に掲げ、問合せの窓口を置いた。"},
    "decide_response": {"respond_to_persons": False, "respond_reason": "本人に影響が無い。"},
    "register_persons": {"persons": [{"label": "申請人A", "contact": "申請書の連絡先"}]},
    "notify_person": {"method": "phone", "notified_on": "@today", "result": "told"},
    "report_response_to_commission": {"response_reported_on": "@today", "item_response": "本人に説明した。"},
    "decide_publication": {"publish": False, "publication_reason": "公表すると本人が知られる。"},
    "analyse_by_manager": {"item_cause": "確認不足", "item_prevention": "手順の見直し", "measures": [{"measure": "研修", "owner": "課長"}]},
    "analyse_by_division": {
        "item_cause": "確認不足",
        "item_prevention": "手順の見直し",
        "measures": [{"measure": "研修", "owner": "課長"}],
    },
    "report_measures": {"measures_note": "手順を改めた。"},
    "report_measures_to_commission": {"measures_reported_on": "@today"},
    "report_measures_voluntarily": {"voluntary_report": True, "voluntary_reported_on": "@today"},
    "prepare_final": {},
    "approve_final": {},
    "record_final": {"final_submitted_on": "@today", "final_receipt": "確報-1", "items_missing": False},
    "confirm_closing": {},
}


class Step:
    """An open step of a case."""

    def __init__(self, office: Office, row: Mapping[str, Any]) -> None:
        self.office, self.row = office, row

    def is_for(self, role: str, unit: str | None = None) -> None:
        """Whose inbox it is in."""
        assert self.row["seat"].partition("@")[0] == role
        if unit is not None:
            assert self.row["seat"].partition("@")[2] == unit

    def is_due(self, due: datetime | None, *, statutory: bool = False) -> None:
        """By when it is wanted; None means that nothing is due."""
        assert (self.row["due_at"], self.row["statutory"]) == (due or FAR_FUTURE, statutory)

    @property
    def clauses(self) -> list[str]:
        """The clauses it is done under."""
        page = self.office.engine.task(self.office.engine.viewer(self.office.person(self.row["seat"])), self.row["id"])
        return [clause.id for clause in page.clauses]

    @property
    def fields(self) -> set[str]:
        """What its form asks."""
        page = self.office.engine.task(self.office.engine.viewer(self.office.person(self.row["seat"])), self.row["id"])
        return {field.id for field in page.fields}


class Official:
    """Whoever holds a seat."""

    def __init__(self, office: Office, seat: str) -> None:
        self.office, self.seat = office, seat

    def reports(self, unit: str = UNIT, **answers: Any) -> Case:
        """Report an incident known half an hour ago, like REPORT except for what is named; None leaves an answer out."""
        given = {"known_at": self.office.clock.now().isoformat(), "owning_unit": unit, **REPORT, **answers}
        with self.office.acting(self.seat) as work:
            number = work.start("isa_incident", self.office.said({k: v for k, v in given.items() if v is not None}))
        self.office.run()
        return self.office.take_up(number)

    def completes(self, element: str, *, case: Case | None = None, **answers: Any) -> None:
        """Complete a step, with the usual answers except for what is named."""
        case = case or self.office.current
        given = {k: v for k, v in {**ANSWERS.get(element, {}), **answers}.items() if v is not None}
        with self.office.acting(self.seat) as work:
            late = str(given.pop("late_reason", LATE))
            work.complete(case.step(element).row["id"], self.office.said(given), late_reason=late)
        self.office.run()

    def sends_back(self, element: str, reason: str, to: str | None = None) -> None:
        """Return a step."""
        with self.office.acting(self.seat) as work:
            work.send_back(self.office.current.step(element).row["id"], reason, to)
        self.office.run()

    def does(self, action: str, *, case: Case | None = None, **answers: Any) -> None:
        """Do one of the actions the case offers at any time."""
        case = case or self.office.current
        with self.office.acting(self.seat) as work:
            work.act(case.id, action, self.office.said(answers))
        self.office.run()

    def merges(self, case: Case, into: Case, reason: str) -> None:
        """Merge a duplicate into another case."""
        with self.office.acting(self.seat) as work:
            work.merge(case.id, into.id, reason)
        self.office.run()

    @property
    def inbox(self) -> list[str]:
        """Elements of the steps in the inbox."""
        viewer = self.office.viewer(self.seat)
        rows = {row["id"]: row["node"] for row in self.office.rows("task")}
        return sorted(rows[row.task_id].rsplit("/", 1)[-1] for row in self.office.engine.inbox(viewer, limit=200).rows)

    def sees(self, case: Case) -> bool:
        """Whether the register shows the case."""
        shown, _ = self.office.engine.cases(self.office.viewer(self.seat))
        return case.id in {head.id for head in shown}

    @property
    def offered(self) -> list[str]:
        """Actions the case page offers."""
        return sorted(action.name for action in self.office.engine.case(self.office.viewer(self.seat), self.office.current.id).actions)

    @property
    def notices(self) -> list[str]:
        """Templates of the notices received about the case at hand, oldest first."""
        return [row["template"] for row in self.office.notices(self.office.person(self.seat), case_id=self.office.current.id)]


class Case:
    """A case at hand."""

    def __init__(self, office: Office, number: int) -> None:
        self.office, self.id = office, number

    # Where it waits.

    def waits_at(self, *elements: str) -> None:
        """Exactly these steps are open. The marking is loaded, compared with the inbox and stored again."""
        with self.office.engine.writing() as connection:
            row = connection.execute(case_file.select().where(case_file.c.id == self.id)).mappings().one()
            marking = Marking.load(row["marking"])
            net = self.office.engine.definitions.get(connection, row["definition"]).net
            connection.execute(case_file.update().where(case_file.c.id == self.id).values(marking=marking.dump()))
            told = facts_of(rows_of(connection, self.id))
        assert Marking.load(marking.dump()) == marking
        assert told == json.loads(row["facts"])
        tasks = {wait.key for wait in waiting(net, marking) if wait.kind == "task"}
        assert {step["wait"] for step in self._open()} == tasks
        assert self.waits == sorted(elements)

    @property
    def waits(self) -> list[str]:
        """Elements of the open steps."""
        return sorted(step["node"].rsplit("/", 1)[-1] for step in self._open())

    def step(self, element: str) -> Step:
        """An open step; the first one, where there are several."""
        return Step(self.office, self.office.task(self.id, element))

    def _open(self) -> list[dict[str, Any]]:
        return self.office.rows("task", case_id=self.id, state="open")

    # How it moves when a test is about something else.

    def goes_on(self, to: str | None = None, *, leaving: tuple[str, ...] = (), **answers: Mapping[str, Any]) -> None:
        """Work the case off with the usual answers until a step waits, or until nothing but the steps left alone does.

        Args:
            to: the element to stop at.
            leaving: elements nobody touches.
            answers: element -> what is answered differently there.
        """
        for _ in range(60):
            found = self.waits
            if to is not None and to in found:
                return
            element = next((one for one in ANSWERS if one in found and one not in leaving), None)
            if element is None:
                break
            self.office.at(self.step(element).row["seat"]).completes(element, case=self, **answers.get(element, {}))
        assert to is None, f"{to} is not reached; {self.waits}"

    def lets_pass(self, **span: float) -> None:
        """Time passes; what falls due meanwhile happens at its instant."""
        self.office.pass_time(**span)

    # What the record says.

    @property
    def facts(self) -> dict[str, Any]:
        """The facts."""
        return self.office.facts(self.id)

    @property
    def outcome(self) -> str | None:
        """How it ended."""
        return self.office.rows("case_file", id=self.id)[0]["outcome"]

    def clock(self, name: str) -> ClockShown | None:
        """A statutory clock as the case page shows it."""
        page = self.office.engine.case(self.office.viewer("audit_officer@isa"), self.id)
        return next((clock for clock in page.clocks if clock.id == name), None)

    def due(self, name: str) -> date | None:
        """The day a running clock is due."""
        clock = self.clock(name)
        return clock.due_on if clock is not None and clock.state != "stopped" else None

    @property
    def duties(self) -> dict[str, str]:
        """clause -> done, open or not_applicable, as the case page shows it."""
        page = self.office.engine.case(self.office.viewer("audit_officer@isa"), self.id)
        return {duty.clause: duty.state for duty in page.duties}

    def history(self, *tags: str) -> list[tuple[str, str]]:
        """(tag, element) of the history rows with these tags, in order."""
        rows = self.office.history(self.id)
        return [(row["tag"], (row["node"] or "").rsplit("/", 1)[-1]) for row in rows if row["tag"] in tags]

    def completed(self) -> list[str]:
        """Elements of the completed steps, in order."""
        return [element for _, element in self.history("task.completed")]

    def data(self, tag: str) -> list[dict[str, Any]]:
        """What the history rows of this tag hold."""
        return [row["data"] for row in self.office.history(self.id, tag)]


class Office(World):
    """The agency with a person in every seat; `current` is the case reported last."""

    current: Case

    def at(self, seat: str) -> Official:
        """Whoever holds a seat."""
        return Official(self, seat)

    def take_up(self, number: int) -> Case:
        """The case as the one at hand."""
        self.current = Case(self, number)
        return self.current

    def said(self, answers: Mapping[str, Any]) -> dict[str, Any]:
        """Answers with `@today` as the day it is."""
        today = self.clock.now().astimezone(JST).date().isoformat()
        return {name: today if value == "@today" else value for name, value in answers.items()}


_COMPILED: dict[tuple[Any, ...], Any] = {}


@pytest.fixture(scope="module", autouse=True)
def compiled_once() -> Iterator[None]:
    """What is compiled from the same files is the same and never changes: compile it once, not for every engine."""
    original = definitions.compile_bundle

    def once(process_id: str, files: Mapping[str, Any], *rest: Any, **more: Any) -> Any:
        key = (process_id, *sorted(files.items()), *rest, *sorted(more.items()))
        if key not in _COMPILED:
            _COMPILED[key] = original(process_id, files, *rest, **more)
        return _COMPILED[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(definitions, "compile_bundle", once)
        patch.setattr(duties, "compile_bundle", once)
        yield


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with everybody in place and the diagrams in force since the regulation is."""
    path = tmp_path_factory.mktemp("isa") / "template.sqlite"
    clock = SetClock(datetime(SINCE.year, SINCE.month, SINCE.day, tzinfo=JST))
    engine = make_engine(f"sqlite:///{path}", clock, isa=True)  # proven once, by tests/process/test_proofs.py
    engine.migrate()
    populate(engine, ("isa",))
    engine.close()
    return path


@pytest.fixture
def office(template: Path, tmp_path: Path) -> Iterator[Office]:
    """The agency on a Friday at 17:00, before a long weekend."""
    path = tmp_path / "isa.sqlite"
    shutil.copy(template, path)
    clock = SetClock(FRIDAY)
    made = Office(make_engine(f"sqlite:///{path}", clock, isa=True), clock, "isa")
    yield made
    assert made.engine.verify_history() == ()
    made.engine.close()


@pytest.fixture
def staff(office: Office) -> Official:
    """A member of 審判課."""
    return office.at(f"staff@{UNIT}")


@pytest.fixture
def manager(office: Office) -> Official:
    """保護管理者 of 審判課."""
    return office.at(f"protection_manager@{UNIT}")


@pytest.fixture
def other_manager(office: Office) -> Official:
    """保護管理者 of 警備課, the division next door."""
    return office.at("protection_manager@enforcement")


@pytest.fixture
def division(office: Office) -> Official:
    """部課等保護管理者 of 出入国管理部."""
    return office.at("division_protection_manager@immigration_control")


@pytest.fixture
def other_division(office: Office) -> Official:
    """部課等保護管理者 of another department."""
    return office.at("division_protection_manager@residence_support")


@pytest.fixture
def general(office: Office) -> Official:
    """総括保護管理者."""
    return office.at("general_protection_manager@isa")


@pytest.fixture
def commissioner(office: Office) -> Official:
    """長官."""
    return office.at("commissioner@isa")


@pytest.fixture
def desk(office: Office) -> Official:
    """委員会対応係."""
    return office.at("commission_desk@isa")


@pytest.fixture
def auditor(office: Office) -> Official:
    """監査責任者."""
    return office.at("audit_officer@isa")


@pytest.fixture
def incident(staff: Official) -> Case:
    """An everyday case, just reported."""
    return staff.reports()


@pytest.fixture(scope="session")
def cases() -> dict[str, Any]:
    """The nine incidents and the edge cases with what the law makes of them."""
    return json.loads((Path(__file__).parent / "cases" / "duties.json").read_text("utf-8"))

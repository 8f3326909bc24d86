"""A small engine made of view data, for fast page tests and for looking at pages: it refuses where a test asks it to and records every act."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import engine as face
from engine.papers import Section

NOW = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)  # Friday 17:30 in Japan


def at(days: float = 0, hours: float = 0) -> datetime:
    """An instant relative to now."""
    return NOW + timedelta(days=days, hours=hours)


def midnight(day: date) -> datetime:
    """24:00 JST of a day."""
    return datetime(day.year, day.month, day.day, 15, tzinfo=UTC)


PEOPLE = {
    "adj.manager": ("審判課 課長", (("protection_manager@adjudication", "審判課 保護管理者", "main"),)),
    "immigration.head": (
        "出入国管理部長",
        (
            ("division_protection_manager@immigration", "出入国管理部 部課等保護管理者", "main"),
            ("protection_manager@adjudication", "審判課 保護管理者", "acting"),
        ),
    ),
    "deputy.commissioner": ("次長", (("general_protection_manager@isa", "出入国在留管理庁 総括保護管理者", "main"),)),
    "staff": ("審判課 職員", (("staff@adjudication", "審判課 職員", "main"),)),
    "admin": ("総務課 システム担当", (("administrator@general_affairs", "総務課 管理者", "main"),)),
}
PASSWORD = "demo-demo-demo"

UNITS = (("adjudication", "審判課"), ("residence", "在留管理課"), ("tokyo", "東京出入国在留管理局"))
YES_NO = (("yes", "はい"), ("no", "いいえ"), ("unknown", "不明"))


def shown(id: str, label: str, type: str, value: Any = None, **more: Any) -> Any:
    """A field."""
    return face.FieldShown(
        id=id,
        label=label,
        type=type,
        value=value,
        text=more.pop("text", ""),
        required=more.pop("required", False),
        help=more.pop("help", ""),
        **more,
    )


TASK_FIELDS = (
    shown(
        "item_cause",
        "発生原因（わかっている範囲）",
        "text",
        required=True,
        help="経緯と合わせて、誰が読んでも分かるように書いてください。",
        maxlength=4000,
    ),
    shown("count", "影響を受けた人数", "long", 1, help="はっきりしないときは空欄のままにしてください。", minimum=0),
    shown("contact", "本人への連絡はできますか", "boolean"),
    shown("discovered_at", "発覚した日時", "datetime", "2026-11-19T05:10:00+00:00"),
    shown("measures_on", "措置を終えた日", "date"),
    shown("sensitive", "要配慮個人情報を含みますか", "enum", "yes", choices=YES_NO, required=True),
    shown(
        "holds",
        "含まれる情報",
        "set",
        ["pi"],
        choices=(("pi", "保有個人情報"), ("mynumber", "特定個人情報（マイナンバー）"), ("anon", "行政機関等匿名加工情報")),
    ),
    shown("owning_unit", "情報を管理する部署", "unit", "adjudication", choices=UNITS),
    shown(
        "persons",
        "通知の対象",
        "rows",
        [{"ref": "A", "method": "郵送"}],
        choices=(("ref", "整理番号"), ("method", "方法"), ("result", "結果")),
        help="氏名は書かず、整理番号だけを入力してください。",
    ),
    shown(
        "grave_decision",
        "重大性の判断",
        "enum",
        choices=(("grave", "特に重大と認める"), ("ordinary", "通常の事案として進める")),
        as_buttons=True,
        required=True,
    ),
)

START_FIELDS = (
    shown(
        "what",
        "何が起きましたか",
        "text",
        required=True,
        help="一文で構いません。個人の氏名や個人番号は書かないでください。",
        maxlength=4000,
    ),
    shown("known_at", "知った日時", "datetime", required=True, help="あなたがその事実を知った日時です。"),
    shown(
        "owning_unit",
        "情報を管理する部署",
        "unit",
        required=True,
        choices=UNITS,
        help="分からないときは自分の部署を選んでください。あとから移せます。",
    ),
    shown("event", "事案の種類", "enum", choices=(("leak", "漏えい"), ("loss", "紛失"), ("damage", "毀損"), ("other", "その他"))),
    shown("count", "影響を受ける人数", "long", minimum=0),
    shown("ongoing", "いまも続いていますか", "boolean"),
    shown("backdate_reason", "報告が遅れた理由", "text", shown_when="known_at < days(-1)"),
)

CLAUSES = (
    face.ClauseShown(
        "ISA-25-3b",
        "第25条第3項ただし書",
        "特に重大な事案だと認めるときは、調査の結果を待たず、直ちに部課等保護管理者へ報告します。",
        "直ちに",
    ),
    face.ClauseShown("ISA-25-3a", "第25条第3項", "発生した経緯と被害の状況を調べて、部課等保護管理者へ報告します。", ""),
)


SEAT_NAMES = {seat: label for _, seats in PEOPLE.values() for seat, label, _ in seats}
UNIT_NAMES = {"isa": "出入国在留管理庁", "immigration": "出入国管理部", "adjudication": "審判課", "general_affairs": "総務課"}
OFFICE = SimpleNamespace(
    id="isa",
    name="出入国在留管理庁",
    units={id: SimpleNamespace(id=id, name=name) for id, name in UNIT_NAMES.items()},
    seat_name=SEAT_NAMES.__getitem__,
    seats=lambda on: list(SEAT_NAMES),
)


def head(id: int = 7, **more: Any) -> Any:
    """A case in one line."""
    values: dict[str, Any] = {
        "id": id,
        "number": f"入管漏えい令8-{id:04}",
        "title": "難民認定申請書の写しの誤交付",
        "process_id": "isa_incident",
        "process_name": "漏えい等事案への対応",
        "version": 3,
        "state": "open",
        "state_text": "審判課で調査中。総括保護管理者への報告を待っています。",
        "outcome": "",
        "unit": "adjudication",
        "unit_name": "審判課",
        "reporter": "staff",
        "reporter_name": "審判課 職員",
        "known_at": at(-2),
        "started_at": at(-2, 1),
        "changed_at": at(0, -3),
        "ended_at": None,
        "merged_into": None,
        "overdue": True,
    }
    return face.CaseHead(**{**values, **more})


def row(task_id: int = 12, **more: Any) -> Any:
    """An inbox row."""
    values: dict[str, Any] = {
        "task_id": task_id,
        "case_id": 7,
        "number": "入管漏えい令8-0007",
        "title": "難民認定申請書の写しの誤交付",
        "step": "重大性を判断する",
        "process_id": "isa_incident",
        "process_name": "漏えい等事案への対応",
        "seat": "protection_manager@adjudication",
        "seat_name": "審判課 保護管理者",
        "unit": "adjudication",
        "unit_name": "審判課",
        "clause": "第25条第3項ただし書",
        "urgency": "at_once",
        "urgency_label": "直ちに",
        "opened_at": at(-2),
        "due_at": at(-1),
        "statutory": False,
        "overdue": True,
        "unread": True,
        "claimed_by": None,
        "claimed_by_name": None,
    }
    return face.InboxRow(**{**values, **more})


ROWS = (
    row(12),
    row(
        13,
        number="入管漏えい令8-0005",
        case_id=5,
        title="在外公館への電子メール誤送信",
        step="委員会へ速報を提出する",
        clause="第25条第6項",
        due_at=midnight(date(2026, 11, 20)),
        statutory=True,
        overdue=False,
        unread=False,
        claimed_by="staff",
        claimed_by_name="委員会対応係",
    ),
    row(
        14,
        number="入管漏えい令8-0004",
        case_id=4,
        title="身分事項を記載した書類の紛失（東京局）",
        step="拡大防止の措置をとる",
        clause="第25条第2項",
        urgency_label="速やかに",
        due_at=at(2),
        overdue=False,
        unread=True,
        seat_name="東京出入国在留管理局 保護管理者",
        unit_name="東京出入国在留管理局",
    ),
    row(
        15,
        number="入管漏えい令8-0003",
        case_id=3,
        title="証明書の送付先誤り",
        step="経緯と被害の状況を調べる",
        clause="第25条第3項",
        urgency_label="",
        due_at=midnight(date(2026, 12, 14)),
        statutory=True,
        overdue=False,
        unread=False,
    ),
    row(
        16,
        number="入管漏えい令8-0002",
        case_id=2,
        title="窓口での書類取り違え",
        step="終結を確認する",
        clause="",
        urgency_label="",
        due_at=None,
        overdue=False,
        unread=False,
        claimed_by="adj.manager",
        claimed_by_name="審判課 課長",
    ),
)

CLOCKS = (
    face.ClockShown(
        "preliminary_report",
        "速報",
        "個人情報保護法第68条第1項・施行規則第43条",
        date(2026, 11, 18),
        3,
        5,
        date(2026, 11, 22),
        midnight(date(2026, 11, 24)),
        "running",
        None,
    ),
    face.ClockShown(
        "final_report",
        "確報",
        "個人情報保護法第68条第1項・施行規則第43条",
        date(2026, 11, 18),
        3,
        30,
        date(2026, 12, 17),
        midnight(date(2026, 12, 17)),
        "running",
        None,
    ),
)

EVENTS = (
    face.Event(
        at(-2, 1),
        "case.started",
        "第一報を入れました",
        "審判課 職員",
        "審判課 職員",
        "第25条第1項",
        "",
        (face.FactChange("事案の種類", "", "漏えい"),),
        False,
    ),
    face.Event(
        at(-1),
        "task.completed",
        "拡大防止の措置をとりました",
        "審判課 課長",
        "審判課 保護管理者",
        "第25条第2項",
        "誤交付した書類は当日中に回収。",
        (face.FactChange("影響を受けた人数", "不明", "1人"),),
        False,
    ),
    face.Event(
        at(0, -5),
        "task.refused",
        "操作が認められませんでした：この処理の担当は「総括保護管理者」です。",
        "審判課 職員",
        "審判課 職員",
        "",
        "",
        (),
        True,
    ),
    face.Event(
        at(0, -3),
        "task.sent_back",
        "調査報告を差し戻しました",
        "出入国管理部長",
        "出入国管理部 部課等保護管理者",
        "第25条第4項",
        "回収した書類の枚数を追記してください。",
        (),
        False,
    ),
)

FILES = (face.AttachmentShown(3, "回収確認書.pdf", "application/pdf", 182_233, hashlib.sha256(b"x").hexdigest(), "審判課 課長", at(-1)),)
FACTS = (
    face.FactShown("what", "何が起きたか", "窓口で、別の申請者の申請書の写しを誤って交付した。"),
    face.FactShown("event", "事案の種類", "漏えい"),
    face.FactShown("owning_unit", "情報を管理する部署", "審判課"),
    face.FactShown("appi68", "法第68条の報告", "必要（要配慮個人情報を含む）"),
    face.FactShown("count", "人数", "1人"),
)

SENTENCES = {
    "stale": face.StaleVersion,
    "done": lambda: face.AlreadyDone(at="11月20日 17:21", person="出入国管理部長"),
    "same": lambda: face.SamePerson(other="調査報告"),
    "crash": lambda: RuntimeError("secret detail"),
    "closing": lambda: face.ClosingNotReady(duties="委員会への確報"),
}


class NobodysRegisters:
    """The desks of people, posts and orders in an office where nobody of the fake keeps them: every page of theirs is refused."""

    def may_keep(self, viewer: Any) -> bool:
        return False

    may_approve = may_design = may_see = may_read = may_keep

    def handovers(self, viewer: Any, *, everybody: bool = False) -> tuple[Any, ...]:
        return ()

    def colleagues(self, viewer: Any, on: Any = None) -> tuple[tuple[str, str], ...]:
        return tuple((id, name) for id, (name, _) in PEOPLE.items())

    def __getattr__(self, name: str) -> Any:
        def refuse(*_: Any, **__: Any) -> Any:
            raise face.NotAllowed()

        return refuse


@dataclass
class FakeEngine:
    """Answers like the engine of docs/architecture.md §8. `refuse` makes the next act fail; `acts` and `typed` say what came in."""

    refuse: Any = None
    acts: list[tuple[Any, ...]] = field(default_factory=list)
    typed: dict[str, Any] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    read: list[Any] = field(default_factory=list)
    empty: bool = False
    organisations: Mapping[str, Any] = field(default_factory=lambda: {"isa": OFFICE})
    personnel: Any = field(default_factory=NobodysRegisters)
    orders: Any = field(default_factory=NobodysRegisters)
    drafts: Any = field(default_factory=NobodysRegisters)
    versions: Any = field(default_factory=NobodysRegisters)
    matrix: Any = field(default_factory=NobodysRegisters)
    laid_before: tuple[Any, ...] = ()

    # accounts

    def viewer(self, person: str) -> Any:
        if person not in PEOPLE:
            raise face.PersonNotFound(person=person)
        name, seats = PEOPLE[person]
        held = tuple(
            face.SeatHeld(seat, label, kind, date(2026, 4, 1), date(2026, 11, 30) if kind == "acting" else None)
            for seat, label, kind in seats
        )
        return face.Viewer(person, name, "isa", held, NOW)

    def demo_accounts(self) -> tuple[Any, ...]:
        return tuple(
            SimpleNamespace(person=person, name=name, unit_name=seats[0][1].split()[0], seat_names=tuple(seat[1] for seat in seats))
            for person, (name, seats) in PEOPLE.items()
        )

    def healthy(self) -> bool:
        return True

    def find_case(self, viewer: Any, number: str) -> Any:
        found = next((item for item in self.cases(viewer, text=number)[0] if item.number == number), None)
        if found is None:
            raise face.CaseNotFound(case=number)
        return found

    def sign_in(self, person: str, password: str) -> str:
        if person == "locked":
            raise face.Locked
        if person not in PEOPLE or password != PASSWORD:
            raise face.SignInRefused
        return person

    def open_session(self, person: str) -> str:
        token = f"token-{len(self.sessions)}-{person}"
        self.sessions[token] = person
        return token

    def session_person(self, token: str) -> str | None:
        return self.sessions.get(token)

    def end_session(self, token: str) -> None:
        self.sessions.pop(token, None)

    def end_sessions_of(self, person: str, keep: str | None = None) -> None:
        self.sessions = {token: owner for token, owner in self.sessions.items() if owner != person or token == keep}

    def change_password(self, person: str, old: str, new: str) -> None:
        if old != PASSWORD:
            raise face.FormInvalid({"old": "いまのパスワードが違います。"})
        if len(new) < 12:
            raise face.FormInvalid({"new": "12文字以上で入力してください。"})

    # reads

    def inbox(
        self, viewer: Any, *, show: str = "all", process: Any = None, unit: Any = None, text: Any = None, after: Any = None, limit: int = 50
    ) -> Any:
        rows = () if self.empty or process not in (None, "isa_incident") else ROWS
        if show == "mine":
            rows = tuple(item for item in rows if item.claimed_by == viewer.person)
        if text:
            rows = tuple(item for item in rows if text in item.title or text in item.number)
        counts = face.InboxCounts(0, 0, 0, 0, 0) if self.empty else face.InboxCounts(5, 1, 1, 1, 2)
        return face.InboxPage(rows, counts, None if after else "next-cursor", (("isa_incident", "漏えい等事案への対応"),), UNITS)

    def _fields(self, fields: tuple[Any, ...], about: str, answers: Any, errors: Any) -> tuple[Any, ...]:
        values = answers if answers is not None else self.typed.get(about, {})
        return tuple(
            replace(item, value=values.get(item.id, item.value), text=str(values.get(item.id, "")), error=(errors or {}).get(item.id, ""))
            for item in fields
        )

    def task(self, viewer: Any, task_id: int, *, answers: Any = None, errors: Any = None) -> Any:
        found = next((item for item in ROWS if item.task_id == task_id), None)
        if found is None:
            raise face.TaskNotFound(task=task_id)
        acting = tuple(held for held in viewer.seats if held.seat == found.seat)
        if viewer.person == "immigration.head":
            acting = viewer.seats
        consequence = face.Consequence("特に重大な事案の報告を受ける", "出入国管理部 部課等保護管理者", ("出入国管理部長",), at(0, 1))
        buttons = (
            face.Button(
                "特に重大と認める",
                "grave_decision",
                "grave",
                (consequence, face.Consequence("経緯と被害の状況を調べる", "審判課 保護管理者", ("審判課 課長",), None)),
            ),
            face.Button(
                "通常の事案として進める",
                "grave_decision",
                "ordinary",
                (face.Consequence("経緯と被害の状況を調べる", "審判課 保護管理者", ("審判課 課長",), None),),
            ),
        )
        fields = self._fields(TASK_FIELDS, f"task:{task_id}", answers, errors)
        if task_id == 16:
            fields, buttons = (), (face.Button("終結を確認する", "", "", (face.Consequence("案件が終結します", "", (), None, True),)),)
        closed = task_id == 15
        return face.TaskPage(
            row=found,
            case=head(found.case_id, number=found.number, title=found.title),
            case_version=9,
            documentation="この事案が特に重大かどうかを判断します。迷うときは「特に重大」として先に知らせ、調査はそのまま続けます。",
            clauses=CLAUSES,
            fields=fields,
            buttons=buttons,
            send_back_targets=(("report", "第一報"), ("contain", "拡大防止の措置")) if task_id != 16 else (),
            sent_back_reason="発覚した日時を確かめてください。" if task_id == 14 else "",
            why="2026年4月1日から審判課の課長であるため、審判課 保護管理者の役として届いています。",
            acting_seats=() if closed else acting,
            facts=FACTS,
            clocks=CLOCKS,
            attachments=FILES,
            papers=(face.PaperOffered("commission_report", "委員会への報告書"),),
            timeline=EVENTS,
            draft_saved_at=at(0, -1) if f"task:{task_id}" in self.typed else None,
            state="done" if closed else "open",
            closed_text="11月20日 17:21 に 出入国管理部長 が完了しました。" if closed else "",
        )

    def preview(self, viewer: Any, task_id: int, answers: Any) -> Any:
        if self.refuse:
            raise SENTENCES[self.refuse]()
        return (face.Consequence("委員会へ速報を提出する", "総務課 委員会対応係", ("総務課 係長",), midnight(date(2026, 11, 22))),)

    def urgent_start(self, viewer: Any) -> str | None:
        return None

    def startable(self, viewer: Any) -> tuple[tuple[str, str], ...]:
        return (("isa_incident", "漏えい等事案への対応"), ("isa_media_carryout", "媒体の持出し"))

    def start_form(self, viewer: Any, process_id: str, *, answers: Any = None, errors: Any = None) -> Any:
        if process_id not in dict(self.startable(viewer)):
            raise face.ProcessNotFound(process=process_id)
        fields = self._fields(START_FIELDS, f"start:{process_id}", answers, errors)
        saved = at(0, -1) if f"start:{process_id}" in self.typed else None
        return face.StartForm(
            process_id,
            "漏えい等事案への対応",
            "漏えい、紛失、規程違反などの事実や兆候を知ったら、まずここから知らせてください。",
            fields,
            viewer.seats,
            saved,
            CLAUSES[:1],
        )

    def case(self, viewer: Any, case_id: int) -> Any:
        if case_id > 50:
            raise face.CaseNotFound(case=case_id)
        steps = (
            face.StepShown(
                12, "assess", "重大性を判断する", "審判課 保護管理者", ("審判課 課長",), at(-2), at(-1), False, True, None, True
            ),
            face.StepShown(
                13,
                "commission/preliminary",
                "委員会へ速報を提出する",
                "総務課 委員会対応係",
                ("総務課 係長", "総務課 主任"),
                at(-1),
                midnight(date(2026, 11, 22)),
                True,
                False,
                "総務課 係長",
                False,
            ),
        )
        duties = (
            face.DutyShown("ISA-25-1", "第25条第1項", "第一報", "done", at(-2, 1), "審判課 職員"),
            face.DutyShown("ISA-25-6", "第25条第6項", "委員会への報告", "open", None, ""),
            face.DutyShown("ISA-25-8", "第25条第8項", "匿名加工情報の措置報告", "not_applicable", None, ""),
        )
        return face.CasePage(
            head=head(case_id),
            facts=FACTS,
            raw_facts={},
            steps=steps,
            timeline=EVENTS,
            moments=(("発生", at(-3)), ("把握", at(-2)), ("報告", at(-2, 1)), ("決裁", None)),
            clocks=CLOCKS,
            duties=duties,
            attachments=FILES,
            actions=(self.action(viewer, case_id, "raise_to_grave"),),
            papers=(face.PaperOffered("commission_report", "委員会への報告書"),),
            diagrams=(("", "漏えい等事案への対応"), ("commission", "委員会への報告")),
            links=(head(3, title="証明書の送付先誤り", state="closed"),),
            can_withdraw=True,
            can_note=True,
            can_merge=True,
            linked=(
                face.CaseLinked("媒R8-0002", "期限を過ぎた媒体", "媒体の持出し等", 3, begun_here=False),
                face.CaseLinked("再R8-0001", "委託先からの申出", "再委託の承認", None, begun_here=True),
            ),
        )

    def action(self, viewer: Any, case_id: int, name: str, *, answers: Any = None, errors: Any = None) -> Any:
        if name != "raise_to_grave":
            raise face.ActionNotOffered(action=name)
        fields = self._fields((shown("reason", "重大と認める理由", "text", required=True),), "", answers or {}, errors)
        return face.ActionOffered(
            "raise_to_grave",
            "特に重大な事案へ変更する",
            "raise",
            fields,
            False,
            "第25条第3項ただし書",
            "調査を待たずに、部課等保護管理者へ直ちに知らせます。",
        )

    def cases(
        self, viewer: Any, *, text: Any = None, state: Any = None, mine: bool = False, unit: Any = None, after: Any = None, limit: int = 50
    ) -> Any:
        rows = tuple(
            head(number, title=title, overdue=number == 7)
            for number, title in (
                (7, "難民認定申請書の写しの誤交付"),
                (5, "在外公館への電子メール誤送信"),
                (4, "身分事項を記載した書類の紛失（東京局）"),
            )
        )
        rows += (head(2, title="窓口での書類取り違え", state="closed", state_text="終結", outcome="終結", overdue=False, ended_at=at(-1)),)
        rows = tuple(item for item in rows if (not text or text in item.number + item.title) and (not state or item.state == state))
        return (() if self.empty else rows), (None if after or text else "c2")

    def diagram(self, viewer: Any, case_id: int, path: str = "") -> str:
        self.case(viewer, case_id)
        return (Path(__file__).parents[2] / "bpmn" / "isa" / "incident.bpmn").read_text(encoding="utf-8")

    def diagram_state(self, viewer: Any, case_id: int, path: str = "") -> Any:
        self.case(viewer, case_id)
        return {
            "contain_at_once": {"state": "done", "label": "直ちに拡大を防ぐ", "count": 1, "calls": None},
            "assess_gravity": {"state": "overdue", "label": "重大性を判断する", "count": 1, "calls": None},
            "investigate": {"state": "current", "label": "経緯と被害を調べる", "count": 2, "calls": None},
        }

    def attachment(self, viewer: Any, attachment_id: int) -> Any:
        if attachment_id != 3:
            raise face.NotFound
        return replace(FILES[0], name="../../etc/回収\u202e確認書.pdf", media_type="text/html"), b"<script>alert(1)</script>"

    def save_draft(self, viewer: Any, about: str, answers: Any) -> None:
        if answers:
            self.typed[about] = answers
        else:
            self.typed.pop(about, None)

    def notices(self, viewer: Any, *, unread_only: bool = False, limit: int = 50) -> Any:
        rows = (
            face.NoticeShown(
                2, "法令上の期限が近づいています：速報（入管漏えい令8-0005）", 5, 13, at(0, -2), None, "clock_warning", None, True
            ),
            face.NoticeShown(1, "「重大性を判断する」が届きました。", 7, 12, at(-2), at(-1), "task_opened"),
        )
        rows = () if self.empty else rows
        return tuple(item for item in rows if not unread_only or item.read_at is None)[:limit], 0 if self.empty else 1

    def unread_notices(self, viewer: Any) -> int:
        return self.notices(viewer)[1]

    def read_notices(self, viewer: Any, ids: Any = None) -> None:
        self.read.append(ids)

    def acknowledge(self, viewer: Any, ids: Any) -> None:
        self.acts.append(("acknowledge", viewer.person, list(ids)))

    def told(self, viewer: Any, case_id: int) -> Any:
        sent = face.WayShown("mail", "sent", at(-1), None)
        return (
            face.ToldShown(2, "総務課 係長", "法令上の期限が近づいています", "速報", at(-1), (sent,), at(-1), None, True),
            face.ToldShown(1, "審判課 課長", "処理が届きました", "重大性を判断する", at(-2), (), None, None, False),
        )

    def outbox(self, organisation: str, limit: int = 100, *, state: str | None = None) -> Any:
        body = "案件番号：入管漏えい令8-0005\n処理：委員会へ速報を提出する"
        rows = (
            face.DeliveryShown(
                3, "mail", "dead", "総務課 係長", "x", "clock_warning", "期限", "【Tadachi】期限が近づいています", body, 6, at(-2), None, None,
                "接続できませんでした", "<a@b>",
            ),
            face.DeliveryShown(2, "webhook", "failed", "グループウェア", "", "task_opened", "処理が届きました", "", "", 2, at(-2), at(1), None, "応答 500", "evt-1"),
            face.DeliveryShown(1, "digest", "queued", "審判課 課長", "y", "task_opened", "処理が届きました", "", "", 0, at(-2), None, None, "", ""),
        )  # fmt: skip
        return tuple(row for row in rows if state in (None, row.state))

    def resend(self, viewer: Any, delivery_id: int) -> None:
        self.acts.append(("resend", viewer.person, delivery_id))

    @property
    def receiving(self) -> Any:
        def show(viewer: Any) -> Any:
            choices = (
                face.ChoiceShown("task_opened", "処理が届きました", "digest", False),
                face.ChoiceShown("clock_overdue", "法令上の期限を過ぎました", "at_once", True),
            )
            return face.ReceivingShown("x@example.go.jp", choices, True, time(8, 30), "own", time(20), time(7), True, "", at(-3))

        def save(viewer: Any, choices: Any, **named: Any) -> None:
            if self.refuse == "invalid" or (named["quiet_time"] == "own" and named["hours"][0] == named["hours"][1]):
                raise face.FormInvalid({"quiet": "送らない時間を、違う時刻で書いてください。"})
            self.acts.append(("receiving", viewer.person, choices, named))

        return SimpleNamespace(show=show, save=save)

    @property
    def ledgers(self) -> Any:
        def none(*_given: Any, **_more: Any) -> Any:
            raise face.NotFound

        return SimpleNamespace(
            offered=lambda viewer: False, of_case=lambda viewer, case_id: (), all=lambda viewer: (), page=none, entry=none
        )

    @property
    def calendar(self) -> Any:
        def read(token: str) -> str:
            if token != "right":
                raise face.FeedNotFound
            return "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"

        def note(verb: str, answer: Any = None) -> Any:
            return lambda viewer: self.acts.append((verb, viewer.person)) or answer

        return SimpleNamespace(create=note("feed", "https://tadachi.example/calendar/right.ics"), revoke=note("unfeed"), read=read)

    @property
    def webhooks(self) -> Any:
        def require(viewer: Any) -> None:
            if not viewer.has_role("administrator"):
                raise face.NotAllowed

        def all_of(viewer: Any) -> Any:
            require(viewer)
            return (
                face.WebhookShown(2, "グループウェア", "https://hook.example.go.jp/in", at(-3), "管理者", None, "", at(-1), 0, 0),
                face.WebhookShown(1, "掲示板", "https://old.example.go.jp/in", at(-9), "管理者", at(-2), "TimeoutError: 10秒", None, 0, 3),
            )

        def register(viewer: Any, name: str, url: str) -> Any:
            require(viewer)
            if not url.startswith("https://"):
                raise face.FormInvalid({"url": "https:// で始まるアドレスを書いてください。"})
            self.acts.append(("webhook", viewer.person, name, url))
            return face.WebhookMade(3, "whs_secret", "wht_token")

        def note(verb: str) -> Any:
            return lambda viewer, webhook_id: require(viewer) or self.acts.append((verb, viewer.person, webhook_id))

        def events(token: str, after: int, limit: int) -> Any:
            if token != "wht_token":
                raise face.WebhookNotFound
            return tuple(f'{{"cursor":{number}}}'.encode() for number in range(after + 1, 4)[:limit]), min(after + limit, 3)

        return SimpleNamespace(
            all=all_of, register=register, stop=note("stop"), resume=note("resume"), remove=note("remove"), events=events
        )

    def paper(self, viewer: Any, case_id: int, paper_id: str, *, index: int | None = None) -> Any:
        if paper_id != "commission_report":
            raise face.NotFound
        sections = (
            Section("1", "概要", ("窓口で、別の申請者の申請書の写しを誤って交付した。",)),
            Section("2", "漏えい等が発生した個人データの項目", rows=(("含まれる情報", "氏名、国籍"), ("要配慮個人情報", "含む"))),
            Section("5", "二次被害又はそのおそれの有無及びその内容", complete=False, missing="二次被害の有無を確かめてください。"),
            Section("10", "経過", columns=("日時", "できごと"), rows=(("11月18日", "第一報"), ("11月19日", "回収"))),
        )
        return face.Paper(
            "commission_report",
            "漏えい等報告書（速報）",
            "出入国在留管理庁",
            "個人情報保護委員会",
            "入管漏えい令8-0007",
            date(2026, 11, 20),
            sections,
            notes=("速報の目安は11月22日です。",),
            missing=("5 二次被害",),
            complete=False,
            sender="出入国在留管理庁長官",
        )

    def referrals(self, viewer: Any) -> tuple[Any, ...]:
        return self.laid_before

    def referrals_open(self, viewer: Any) -> int:
        return len(self.laid_before)

    def why(self, viewer: Any, task_id: int) -> Any:
        page = self.task(viewer, task_id)
        lines, people = (("担当の役", page.row.seat_name),), (("審判課 課長", "本務"),)
        refused = "" if page.acting_seats else f"この処理の担当は「{page.row.seat_name}」です。"
        return face.Why(task_id, page.row.case_id, page.row.step, not refused, lines, people, (page.why,), refused)

    def together(self, viewer: Any, verb: str, task_ids: Any, answers: Any = None) -> tuple[Any, ...]:
        self.acts.append(("together", viewer.person, verb, tuple(task_ids)))
        return tuple(face.BulkResult(task_id, "入管漏えい令8-0007", "重大性を判断する", True, "") for task_id in task_ids)

    # acts

    @contextmanager
    def work(self, *, by: str, seat: str | None = None) -> Iterator[Any]:
        engine = self

        class Work:
            def __getattr__(self, verb: str) -> Any:
                def do(*arguments: Any, **named: Any) -> Any:
                    if engine.refuse == "invalid":
                        raise face.FormInvalid(
                            {
                                "item_cause": "「発生原因」を入力してください。",
                                "what": "「何が起きましたか」を入力してください。",
                                "evil": "「evil」は、この画面にない項目です。",
                            }
                        )
                    if engine.refuse:
                        raise SENTENCES[engine.refuse]()
                    if verb == "withdraw" and not arguments[1]:
                        raise face.ReasonRequired
                    engine.acts.append((verb, by, seat, *arguments, named))
                    return 7 if verb == "start" else None

                return do

        yield Work()

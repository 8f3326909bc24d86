"""Personnel orders (発令): read from a file, approved by a second person, in force when their day begins, without touching a case."""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import (
    HandoverNotFound,
    NotAllowed,
    OrderInvalid,
    OrderNotFound,
    OrderRefused,
    PersonNotFound,
    SheetUnreadable,
    SignInRefused,
    TaskNotFound,
    hash_password,
)
from tests.engine.posts import (
    DIVISION_HEAD,
    KEEPER,
    MANAGER_A,
    MANAGER_B,
    STAFF_A,
    STAFF_B,
    TODAY,
    TOMORROW,
    Posts,
    leaves,
    make_posts,
    moved,
)
from tests.support import DIVISION, MANAGER, OTHER_MANAGER, STAFF, in_threads

SWAP = (moved(MANAGER_A, "第二課", "保護管理者"), moved(MANAGER_B, "第一課", "保護管理者"))
PASSWORD = "正しいパスワードです123"


def faults(posts: Posts, *rows: dict[str, str], day: date = TOMORROW) -> list[tuple[int, str]]:
    """What is wrong with an order when it is read: line and column."""
    with pytest.raises(OrderInvalid) as refused:
        posts.read(*rows, day=day)
    return [(fault.line, fault.column) for fault in refused.value.faults]


def handover_of(posts: Posts, person: str) -> Any:
    """The newest handover that concerns a person, as that person sees it."""
    return posts.engine.orders.handovers(posts.who(person))[0]


# ---------------------------------------------------------------- the midnight


def test_an_order_of_tomorrow_moves_the_inboxes_at_midnight_and_no_row_of_a_case(posts_both: Posts) -> None:
    """The two managers swap places. At 23:59 nothing is different, at 0:00 everything is, and the worker finds nothing to do to a case."""
    posts = posts_both
    cases = [posts.start(name, owning_unit=unit) for name in ("about", "pair", "approval") for unit in "ab"]
    posts.run()
    left = posts.task(cases[0], "handle")["id"]
    with posts.by(MANAGER_A) as work:
        work.claim(left)
    order = posts.order(*SWAP)
    before, mine, other = posts.of_cases(), posts.inbox_of(MANAGER_A), posts.inbox_of(MANAGER_B)
    ids = {person: {row.task_id for row in posts.engine.inbox(posts.who(person)).rows} for person in (MANAGER_A, MANAGER_B)}
    assert mine == other == ["first", "handle", "review"]
    posts.clock.advance(hours=13, minutes=59)
    posts.run()
    reminded = posts.of_cases()  # reminders of 直ちに have come meanwhile; from here on nothing is due
    posts.clock.advance(minutes=1)
    assert {row.task_id for row in posts.engine.inbox(posts.who(MANAGER_A)).rows} == ids[MANAGER_B]
    assert {row.task_id for row in posts.engine.inbox(posts.who(MANAGER_B)).rows} == ids[MANAGER_A]
    assert posts.rows("job", case_id=None, kind="posts")
    posts.run()
    assert not posts.rows("job", case_id=None, kind="posts")
    assert posts.of_cases() == reminded
    assert before["task"] == reminded["task"]
    shown = next(row for row in posts.engine.inbox(posts.who(MANAGER_B)).rows if row.task_id == left)
    assert shown.claimed_by is None, "a claim does not outlive the post"
    with posts.by(MANAGER_B) as work:
        work.claim(left)
        work.complete(left, {})
    assert posts.history(cases[0], "task.completed")[0]["person"] == MANAGER_B
    assert posts.engine.orders.all(posts.who(KEEPER))[0].in_force and order == 1
    assert posts.engine.verify_history() == ()


def test_the_predecessor_sees_what_he_did_himself_and_nothing_else(posts: Posts) -> None:
    mine, other = posts.start("about"), posts.start("about")
    posts.does(MANAGER_A, mine, "handle")
    posts.order(*SWAP)
    posts.to_midnight()
    assert posts.sees(MANAGER_A) == {mine}
    assert posts.sees(MANAGER_B) == {mine, other}
    with pytest.raises(TaskNotFound), posts.by(MANAGER_A) as work:
        work.claim(posts.task(other, "handle")["id"])


# ---------------------------------------------------------------- handing over


def test_a_seat_is_handed_over_with_a_note_and_its_open_steps(posts_both: Posts) -> None:
    posts = posts_both
    first, second = posts.start("about"), posts.start("pair")
    posts.order(*SWAP)
    coming = handover_of(posts, MANAGER_A)
    shown = {one.seat: one for one in posts.engine.orders.handovers(posts.who(MANAGER_A))}
    assert set(shown) == {MANAGER, OTHER_MANAGER}
    giving = shown[MANAGER]
    assert (giving.giver, giving.taker, giving.mine, giving.state, coming.effective_on) == (
        MANAGER_A,
        MANAGER_B,
        "giver",
        "coming",
        TOMORROW,
    )
    assert [item.step for item in giving.items] == ["調査", "調査"]
    posts.engine.orders.note_handover(posts.who(MANAGER_A), giving.id, "二件目は急ぎです。\r\n相手方に連絡済み")
    for person in (MANAGER_B, STAFF_A, KEEPER):
        with pytest.raises(HandoverNotFound):
            posts.engine.orders.note_handover(posts.who(person), giving.id, "他人")
    with pytest.raises(OrderRefused, match="発令日から"):
        posts.engine.orders.accept_handover(posts.who(MANAGER_B), giving.id)
    posts.to_midnight()
    for person in (MANAGER_A, KEEPER):
        with pytest.raises(HandoverNotFound):
            posts.engine.orders.accept_handover(posts.who(person), giving.id)
    posts.engine.orders.accept_handover(posts.who(MANAGER_B), giving.id)
    posts.does(MANAGER_B, first, "handle")
    posts.does(MANAGER_B, second, "first", found="済")
    taken = next(one for one in posts.engine.orders.handovers(posts.who(MANAGER_B)) if one.id == giving.id)
    assert (taken.state, taken.note) == ("accepted", "二件目は急ぎです。\n相手方に連絡済み")
    assert [item.number for item in taken.items] == [posts.case(case)["number"] for case in (first, second)], "as they were when accepted"
    for change in (posts.engine.orders.accept_handover, lambda who, one: posts.engine.orders.note_handover(who, one, "後から")):
        with pytest.raises(HandoverNotFound):
            change(posts.who(MANAGER_B if change == posts.engine.orders.accept_handover else MANAGER_A), giving.id)
    tags = [row["tag"] for row in posts.rows("history") if row["tag"].startswith("handover")]
    assert tags == ["handover.noted", "handover.accepted"]
    assert posts.engine.verify_history() == ()


def test_a_vacant_seat_is_handed_over_by_nobody_and_the_registers_see_every_handover(posts: Posts) -> None:
    posts.order(moved(MANAGER_A, "第一課", "保護管理者", "免"))
    posts.to_midnight()
    posts.newcomer("successor")
    posts.order(moved("successor", "第一課", "保護管理者", "任命"))
    posts.to_midnight()
    shown = handover_of(posts, "successor")
    assert (shown.giver, shown.giver_name, shown.mine, shown.state) == ("", "", "taker", "open")
    with pytest.raises(NotAllowed):
        posts.engine.orders.handovers(posts.who(STAFF_A), everybody=True)
    assert [one.id for one in posts.engine.orders.handovers(posts.who(KEEPER), everybody=True)] == [shown.id]
    assert posts.engine.orders.handovers(posts.who(STAFF_A)) == ()


# ---------------------------------------------------------------- who may


def test_an_order_is_approved_by_a_second_person_once(posts_both: Posts) -> None:
    posts = posts_both
    made = posts.read(*SWAP)
    shown = posts.engine.orders.preview(posts.who(KEEPER), made)
    assert (shown.may_approve, shown.order.state) == (False, "draft") and "本人は承認できません" in shown.why_not
    with pytest.raises(OrderRefused, match="本人は承認できません"):
        posts.engine.orders.approve(posts.who(KEEPER), made)
    for person in (STAFF_A, MANAGER_A):
        with pytest.raises(NotAllowed):
            posts.engine.orders.approve(posts.who(person), made)
        with pytest.raises(NotAllowed):
            posts.engine.orders.preview(posts.who(person), made)
        with pytest.raises(NotAllowed):
            posts.read(*SWAP, by=person)
    before = posts.rows("holding")
    assert posts.engine.orders.preview(posts.who(DIVISION_HEAD), made).may_approve
    posts.engine.orders.approve(posts.who(DIVISION_HEAD), made)
    for again in (posts.engine.orders.approve, lambda who, one: posts.engine.orders.withdraw(who, one, "やめる")):
        with pytest.raises(OrderRefused, match="すでに"):
            again(posts.who(KEEPER), made)
    assert len(posts.rows("holding")) == len(before) + 4
    assert [row["tag"] for row in posts.rows("history") if row["tag"].startswith("order")] == ["order.drafted", "order.approved"]


def test_two_who_approve_at_once_write_it_once(posts_both: Posts) -> None:
    posts = posts_both
    posts.newcomer("second", DIVISION, kind="joint")
    made = posts.read(*SWAP)
    people = (DIVISION_HEAD, "second")
    results = in_threads(2, lambda number: posts.engine.orders.approve(posts.who(people[number]), made))
    assert sorted(type(result).__name__ for result in results) == ["NoneType", "OrderRefused"], results
    assert len([row for row in posts.rows("holding") if row["source"] == f"order:{made}"]) == 2


def test_two_orders_for_the_same_seat_approved_at_once_do_not_overlap(posts_both: Posts) -> None:
    """Each fits what was known before; together they would give one person the same seat twice."""
    posts = posts_both
    posts.newcomer("second", DIVISION, kind="joint")
    people = (DIVISION_HEAD, "second")
    orders = [posts.read(moved(STAFF_A, "第二課", "保護管理者", "任命", 区分="兼務")) for _ in range(2)]
    results = in_threads(2, lambda number: posts.engine.orders.approve(posts.who(people[number]), orders[number]))
    assert sorted(type(result).__name__ for result in results) == ["NoneType", "OrderInvalid"], results
    held = [row for row in posts.rows("holding", person=STAFF_A, seat=OTHER_MANAGER) if row["superseded_at"] is None]
    assert len(held) == 1


def test_a_draft_is_given_up_with_a_reason(posts: Posts) -> None:
    made = posts.read(*SWAP)
    with pytest.raises(NotAllowed):
        posts.engine.orders.withdraw(posts.who(DIVISION_HEAD), made, "承認者はやめられない")
    posts.engine.orders.withdraw(posts.who(KEEPER), made, "誤って取り込んだ")
    with pytest.raises(OrderRefused):
        posts.engine.orders.approve(posts.who(DIVISION_HEAD), made)
    shown = posts.engine.orders.all(posts.who(DIVISION_HEAD))[0]
    assert (shown.state, shown.reason, shown.in_force) == ("withdrawn", "誤って取り込んだ", False)


def test_another_offices_order_is_not_found(posts: Posts) -> None:
    made = posts.read(*SWAP)
    stranger = posts.who("division_protection_manager.north.elsewhere")
    keeper = posts.who("general_protection_manager.elsewhere.elsewhere")
    assert posts.engine.orders.all(stranger) == ()
    for look in (posts.engine.orders.preview, posts.engine.orders.approve):
        with pytest.raises(OrderNotFound):
            look(stranger, made)
    with pytest.raises(OrderNotFound):
        posts.engine.orders.withdraw(keeper, made, "他庁")


# ---------------------------------------------------------------- what is wrong with an order


def test_an_order_is_for_a_day_to_come(posts: Posts) -> None:
    for day in (TODAY, TODAY - timedelta(days=1), date(2022, 4, 1)):
        assert faults(posts, *SWAP, day=day) == [(0, "発令日")]
    assert posts.rows("personnel_order") == []


def test_a_draft_whose_day_has_come_is_refused(posts: Posts) -> None:
    made = posts.read(*SWAP)
    posts.to_midnight()
    with pytest.raises(OrderInvalid):
        posts.engine.orders.approve(posts.who(DIVISION_HEAD), made)
    assert posts.engine.orders.preview(posts.who(DIVISION_HEAD), made).faults[0][1] == "発令日"
    assert posts.rows("holding", source=f"order:{made}") == []


def test_nobody_holds_the_same_seat_twice_or_two_main_posts(posts: Posts) -> None:
    assert faults(posts, moved(MANAGER_A, "第一課", "保護管理者", "任命")) == [(2, "役")]
    assert faults(posts, moved(MANAGER_A, "第二課", "保護管理者", "任命")) == [(2, "区分")]
    assert faults(posts, moved(STAFF_A, "第二課", "保護管理者", "免")) == [(2, "役")]
    assert faults(posts, moved(STAFF_A, "第二課", "職員"), moved(STAFF_A, "離れ", "職員", "任命", 区分="本務")) == [
        (2, "区分"),
        (3, "区分"),
    ]
    posts.read(moved(MANAGER_A, "第二課", "保護管理者", "任命", 区分="兼務"))  # beside the main post


def test_two_rows_do_not_give_the_same_seat_twice(posts: Posts) -> None:
    rows = (moved(STAFF_A, "第二課", "職員"), moved(STAFF_A, "第二課", "職員", "任命", 区分="兼務"))
    assert (3, "役") in faults(posts, *rows)


def test_a_seat_given_back_and_given_anew_is_held_without_a_gap(posts: Posts) -> None:
    """免 and 任命 of the same seat in one order: another kind from tomorrow."""
    row = {"区分": "職務代理", "根拠": "規程第5条"}
    posts.order(moved(MANAGER_A, "第一課", "保護管理者", "免"), moved(MANAGER_A, "第一課", "保護管理者", "任命", **row))
    assert posts.engine.orders.handovers(posts.who(MANAGER_A)) == ()
    kinds = []
    for _ in range(2):
        kinds.append([held.kind for held in posts.who(MANAGER_A).seats])
        posts.to_midnight()
    assert kinds == [["main"], ["acting"]]


@pytest.mark.parametrize("first", ["appoint", "relieve", "leave", "join", "join without a seat"])
def test_a_draft_that_no_longer_fits_is_refused_when_it_is_approved(posts: Posts, first: str) -> None:
    """Two drafts are read; approving one takes the ground from the other, which then changes nothing at all."""
    rows = {
        "appoint": [moved(STAFF_A, "第二課", "保護管理者", "任命", 区分="兼務")],
        "relieve": [moved(STAFF_A, "第一課", "職員", "免")],
        "leave": [leaves(STAFF_A)],
        "join": [{"職員番号": "n9", "氏名": "新井 新", "発令": "採用", "部署": "第一課", "役": "職員"}],
        "join without a seat": [{"職員番号": "n9", "氏名": "新井 新", "発令": "採用"}],
    }[first]
    late = [moved(STAFF_A, "第二課", "職員")] if first == "leave" else rows
    one, two = posts.read(*rows), posts.read(*late)
    posts.engine.orders.approve(posts.who(DIVISION_HEAD), one)
    before = posts.rows("holding"), posts.rows("person"), posts.rows("handover")
    assert posts.engine.orders.preview(posts.who(DIVISION_HEAD), two).may_approve is False
    with pytest.raises(OrderInvalid):
        posts.engine.orders.approve(posts.who(DIVISION_HEAD), two)
    assert (posts.rows("holding"), posts.rows("person"), posts.rows("handover")) == before


def test_a_draft_for_an_account_that_was_ended_meanwhile_is_refused(posts: Posts) -> None:
    made = posts.read(moved(STAFF_A, "第二課", "職員"))
    posts.engine.personnel.end_account(posts.who(KEEPER), STAFF_A, "退職")
    with pytest.raises(OrderInvalid):
        posts.engine.orders.approve(posts.who(DIVISION_HEAD), made)


def test_a_file_that_is_no_table_is_refused(posts: Posts) -> None:
    with pytest.raises(SheetUnreadable):
        posts.engine.orders.read(posts.who(KEEPER), "発令", TOMORROW, "発令.xlsx", b"PK\x03\x04")
    with pytest.raises(OrderInvalid):
        posts.engine.orders.read(posts.who(KEEPER), "発令", TOMORROW, "発令.csv", "職員番号,発令\r\n".encode())


def test_a_file_of_another_kind_of_japanese_letters_is_read(posts: Posts) -> None:
    """Excel on Japanese Windows writes CSV in cp932; the digest is of the bytes as they came."""
    utf, sjis = posts.read(*SWAP), posts.read(*SWAP, encoding="cp932")
    rows = posts.rows("personnel_order")
    assert rows[0]["content"] == rows[1]["content"] and rows[0]["sha256"] != rows[1]["sha256"]
    assert [one.seat_name for one in posts.engine.orders.preview(posts.who(KEEPER), sjis).rows] == [
        "第二課 保護管理者",
        "第一課 保護管理者",
    ]
    assert utf != sjis


# ---------------------------------------------------------------- coming and going


def test_who_joins_has_an_account_and_the_seat_from_the_day_on(posts_both: Posts) -> None:
    posts = posts_both
    case_id = posts.start("about")
    row = {
        "職員番号": "n9",
        "氏名": "新井　新",
        "発令": "採用",
        "部署": "第一課",
        "役": "保護管理者",
        "メール": "arai@example.go.jp",
        "区分": "併任",
    }
    posts.order(row)
    person = posts.rows("person", id="n9")[0]
    assert (person["name"], person["email"], person["password_hash"]) == ("新井 新", "arai@example.go.jp", None)
    with pytest.raises(SignInRefused):
        posts.engine.sign_in("n9", "")
    assert (posts.inbox_of("n9"), posts.sees("n9")) == ([], set())
    posts.to_midnight()
    assert (posts.inbox_of("n9"), posts.sees("n9")) == (["handle"], {case_id})
    assert posts.does("n9", case_id, "handle")["closed_seat"] == MANAGER


def test_a_new_number_that_another_office_has_is_refused(posts: Posts) -> None:
    row = {"職員番号": "staff.a.elsewhere", "氏名": "新井 新", "発令": "採用"}
    assert faults(posts, row) == [(2, "職員番号")]
    assert faults(posts, {**row, "職員番号": "system"}) == [(2, "職員番号")]


def test_who_leaves_keeps_everything_until_midnight_and_nothing_after(posts_both: Posts) -> None:
    """Sessions, sign-in, seats and deputies end with the last day; what he stood in for others ends, too."""
    posts = posts_both
    with posts.engine.writing() as connection:
        from engine.model import person

        connection.execute(person.update().where(person.c.id == MANAGER_A).values(password_hash=hash_password(PASSWORD)))
    case_id = posts.start("about")
    posts.newcomer("helper")
    posts.deputy(MANAGER_A, "helper")
    posts.deputy(MANAGER_B, MANAGER_A)
    posts.start("about", owning_unit="b")
    order = posts.order(leaves(MANAGER_A))
    posts.clock.set(posts.clock.now().replace(hour=14, minute=59))  # 23:59 in Japan
    posts.run()
    token = posts.engine.open_session(posts.engine.sign_in(MANAGER_A, PASSWORD))
    assert posts.engine.session_person(token) == MANAGER_A
    assert (posts.inbox_of(MANAGER_A), posts.inbox_of("helper")) == (["handle", "handle"], ["handle"])
    posts.clock.advance(minutes=1)
    assert posts.engine.session_person(token) is None
    with pytest.raises(SignInRefused):
        posts.engine.sign_in(MANAGER_A, PASSWORD)
    with pytest.raises(PersonNotFound):
        posts.who(MANAGER_A)
    assert posts.inbox_of("helper") == []
    with pytest.raises(PersonNotFound), posts.by(MANAGER_A) as work:
        work.claim(posts.task(case_id, "handle")["id"])
    posts.run()
    assert posts.engine.personnel.person(posts.who(KEEPER), MANAGER_A).row.ended
    assert [one.seat for one in posts.engine.personnel.stuck(posts.who(KEEPER))] == [MANAGER]
    said = [row["data"] for row in posts.rows("history") if row["tag"] == "person.ended"]
    assert "第一課 保護管理者さん" in said[0] and f'"order":{order}' in said[0].replace(" ", ""), "the person's name, and which order"


def test_what_an_order_lets_lapse_is_said_beforehand(posts: Posts) -> None:
    posts.newcomer("helper")
    posts.deputy(MANAGER_A, "helper")
    made = posts.read(*SWAP, moved(STAFF_A, "第一課", "職員", "免"), moved(STAFF_B, "第一課", "保護管理者", "任命", 区分="兼務"))
    shown = posts.engine.orders.preview(posts.who(DIVISION_HEAD), made)
    assert any("helper" in text and "効かなくなります" in text for text in shown.warnings), shown.warnings
    assert [(one.seat, one.since) for one in shown.vacancies] == [(STAFF, TOMORROW)]


def test_a_seat_with_a_second_holder_does_not_fall_vacant(posts: Posts) -> None:
    posts.newcomer("second", MANAGER, kind="joint")
    made = posts.read(moved(MANAGER_A, "第一課", "保護管理者", "免"))
    assert posts.engine.orders.preview(posts.who(DIVISION_HEAD), made).vacancies == ()
    made = posts.read(moved(STAFF_B, "第一課", "保護管理者", "任命", 区分="兼務"))
    warnings = posts.engine.orders.preview(posts.who(DIVISION_HEAD), made).warnings
    assert len(warnings) == 2 and all("2人になります" in text for text in warnings)


def test_what_begins_later_than_the_order_is_not_lost_by_it(posts: Posts) -> None:
    """He would have got the seat next month; a move of tomorrow takes that back, but he loses no work, as he has none of it."""
    posts.start("about", owning_unit="b")
    posts.engine.personnel.appoint(posts.who(KEEPER), STAFF_A, OTHER_MANAGER, "main", TOMORROW + timedelta(days=30))
    made = posts.read(moved(STAFF_A, "離れ", "職員"))
    shown = next(one for one in posts.engine.orders.preview(posts.who(DIVISION_HEAD), made).people if one.person == STAFF_A)
    assert shown.loses == ()
    posts.engine.orders.approve(posts.who(DIVISION_HEAD), made)
    posts.pass_time(days=31)
    assert [held.seat for held in posts.who(STAFF_A).seats] == ["staff@c"]


# ---------------------------------------------------------------- what is previewed happens

WHO = (STAFF_A, STAFF_B, MANAGER_A, MANAGER_B, "staff.c", "protection_manager.c", "extra")
WHERE = {"a": "第一課", "b": "第二課", "c": "離れ"}
ROLES = {"staff": "職員", "protection_manager": "保護管理者"}


@st.composite
def random_rows(draw: st.DrawFn) -> list[dict[str, str]]:
    """Rows as a clerk might write them, sensible or not."""
    rows = []
    for _ in range(draw(st.integers(1, 5))):
        action = draw(st.sampled_from(["任命", "免", "異動", "退職"]))
        person = draw(st.sampled_from(WHO))
        if action == "退職":
            rows.append(leaves(person))
            continue
        place, role = draw(st.sampled_from(sorted(WHERE))), draw(st.sampled_from(sorted(ROLES)))
        more = {"区分": draw(st.sampled_from(["本務", "兼務", "併任"]))} if action == "任命" else {}
        if action == "免" and person != "extra":  # mostly what is held
            role, _, place = person.partition(".")
        rows.append(moved(person, WHERE[place], ROLES[role], action, **more))
    return rows


@pytest.fixture
def busy(tmp_path: Path) -> Path:
    """A database of the office with a step waiting at most seats."""
    made = make_posts(tmp_path)
    made.newcomer("extra")
    for unit in "abc":
        made.start("duty", owning_unit=unit)
        made.start("about" if unit != "c" else "duty", owning_unit=unit)
        case_id = made.start("duty", owning_unit=unit, seat="staff@a" if unit != "a" else "staff@b")
        made.does(f"staff.{unit}", case_id, "prepare")
    made.engine.close()
    return tmp_path / "posts.sqlite"


@settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(rows=random_rows())
def test_what_a_preview_says_comes_and_goes_is_what_comes_and_goes(busy: Path, rows: list[dict[str, str]]) -> None:
    """Random orders: each person's inbox after midnight is the one before, less what was said to go, plus what was said to come."""
    with tempfile.TemporaryDirectory() as place:
        posts = make_posts(Path(place), of=busy)
        try:
            order = posts.read(*rows)
        except OrderInvalid:
            order = 0
        if order:
            _compare(posts, order)
        posts.engine.close()


def _compare(posts: Posts, order: int) -> None:
    posts_before = {who: _tasks(posts, who) for who in WHO}
    shown = posts.engine.orders.preview(posts.who(DIVISION_HEAD), order)
    assert shown.faults == ()
    gains = {one.person: {item.task_id for item in one.gains} for one in shown.people}
    loses = {one.person: {item.task_id for item in one.loses} for one in shown.people}
    gone = {row.person for row in shown.rows if row.action == "退職"}
    posts.engine.orders.approve(posts.who(DIVISION_HEAD), order)
    before = posts.of_cases()
    posts.to_midnight()
    after = posts.of_cases()
    assert {name: after[name] for name in ("case_file", "task")} == {name: before[name] for name in ("case_file", "task")}
    for who in WHO:
        expected = set() if who in gone else posts_before[who] - loses.get(who, set()) | gains.get(who, set())
        kept_from = {row["task_id"] for row in posts.rows("bar", person=who, lifted_at=None)}
        assert _tasks(posts, who) == expected - kept_from, who
    for seat in (one.seat for one in shown.vacancies):
        assert posts.engine.personnel.who_held(posts.who(KEEPER), seat, posts.on) == ()


def _tasks(posts: Posts, person: str) -> set[int]:
    try:
        return {row.task_id for row in posts.engine.inbox(posts.who(person), limit=200).rows}
    except PersonNotFound:
        return set()

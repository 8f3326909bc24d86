"""Other systems hear what happens: signed, in one order, again after a fault under the same id, and once more from a cursor; nothing of a case's
content, and nowhere the office did not mean it to go. The receiver is a real HTTP server on loopback."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from engine import DeliveryNotFound, FormInvalid, NotAllowed, WebhookMade, WebhookNotFound, outgoing
from engine.delivery_rows import WEBHOOK_RETRY_AFTER
from engine.settings import Settings
from tests.engine.telling import Sent, telling
from tests.support import MANAGER, World, in_threads

SECRET = "山田太郎"


@dataclass
class Receiver:
    """A system that hears; it can refuse, send elsewhere, hang or drip."""

    answer: str = "200"
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    waiting: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?of=office"

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.heard]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.heard.append((dict(self.headers), body))
            if made.answer == "hang":
                made.waiting.wait(30)
                return
            if made.answer == "drip":
                while not made.waiting.wait(0.05):
                    try:
                        self.wfile.write(b"H")
                    except OSError:
                        return
            self.send_response(int(made.answer))
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield made
    made.waiting.set()
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """The office, allowed to send to this machine, on both databases."""
    url = None if request.param == "sqlite" else request.getfixturevalue("postgresql_url")
    with telling(tmp_path, url, webhook_hosts=("127.0.0.1",)) as world:
        Sent(world)
        yield world


@pytest.fixture
def one(tmp_path: Path) -> Iterator[World]:
    """The same on SQLite alone."""
    with telling(tmp_path, webhook_hosts=("127.0.0.1",)) as world:
        Sent(world)
        yield world


def listen(world: World, receiver: Receiver) -> WebhookMade:
    """Register the receiver."""
    return world.engine.webhooks.register(world.engine.viewer("administrator.office"), "掲示板", receiver.url)


def posts(world: World) -> list[dict[str, Any]]:
    return [row for row in world.rows("delivery") if row["event"] is not None]


# ---------------------------------------------------------------- what is told


def test_what_happens_is_told_signed_and_without_its_content(place: World, receiver: Receiver) -> None:
    made = listen(place, receiver)
    case_id = place.start("clock", item_summary=f"{SECRET}の書類", duty="yes", report_days=5, known_at="2026-11-16 09:00")
    place.run()
    ((headers, body),) = receiver.heard
    mac = hmac.new(made.secret.encode(), headers["Tadachi-Timestamp"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["Tadachi-Signature"] == f"v1={mac}"
    assert int(headers["Tadachi-Timestamp"]) == int(place.clock.now().timestamp())
    told = json.loads(body)
    assert told == {
        "id": headers["Tadachi-Event"], "cursor": 1, "kind": "task_opened", "number": place.case(case_id)["number"], "step": "報告の作成",
        "at": "2026-11-16T10:00:00+09:00", "due_at": "2026-11-21T00:00:00+09:00", "link": "https://tadachi.example/tasks/1",
    }  # fmt: skip
    place.pass_time(days=9)
    assert {line["kind"] for line in receiver.lines()} >= {"task_opened", "clock_warning", "clock_overdue"}
    assert not [body for _, body in receiver.heard if SECRET in body.decode() or len(body) > outgoing.MAX_BODY]
    assert [line["cursor"] for line in receiver.lines()] == list(range(1, len(receiver.heard) + 1))
    assert {row["state"] for row in posts(place)} == {"sent"} and place.rows("job", kind="deliver") == []


def test_what_nobody_is_told_of_is_still_an_event_and_each_thing_is_one(one: World, receiver: Receiver) -> None:
    listen(one, receiver)
    for person in ("second", "third"):
        one.appoint(person, MANAGER, kind="acting")
    one.start("cycle")
    one.disable("protection_manager.b")
    one.start("cycle", seat="staff@b", owning_unit="b")
    one.run()
    assert [line["kind"] for line in receiver.lines()] == ["task_opened", "task_opened"]


def test_nothing_is_kept_where_nobody_listens(one: World) -> None:
    one.start("approval")
    one.run()
    assert one.rows("event") == [] and posts(one) == []


# ---------------------------------------------------------------- faults


def test_a_fault_is_followed_by_the_same_event_again(place: World, receiver: Receiver) -> None:
    listen(place, receiver)
    receiver.answer = "500"
    place.start("cycle")
    place.run()
    (row,) = posts(place)
    assert (row["state"], row["tries"], row["error"]) == ("failed", 1, "Refused: 応答 500")
    assert row["next_at"] == place.clock.now() + WEBHOOK_RETRY_AFTER[0]
    receiver.answer = "204"
    place.clock.advance(minutes=1)
    place.run()
    (first, body), (second, again) = receiver.heard
    assert body == again and first["Tadachi-Event"] == second["Tadachi-Event"] == posts(place)[0]["message_id"]
    assert first["Tadachi-Signature"] != second["Tadachi-Signature"], "the age of each request is signed with it"
    assert posts(place)[0]["state"] == "sent"


def test_a_redirect_is_not_followed(one: World, receiver: Receiver) -> None:
    listen(one, receiver)
    receiver.answer = "307"
    one.start("cycle")
    one.run()
    assert len(receiver.heard) == 1 and "転送には従いません" in posts(one)[0]["error"]


@pytest.mark.parametrize("how", ["hang", "drip"])
def test_a_receiver_that_hangs_or_drips_is_cut_off_and_costs_one_timeout_a_batch(
    one: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(outgoing, "TIMEOUT", 0.3)
    listen(one, receiver)
    receiver.answer = how
    for _ in range(3):
        one.start("wait", wake_at="2026-11-16 09:00")
    one.run()
    assert len(receiver.heard) == 1
    assert {(row["state"], "TimeoutError" in row["error"]) for row in posts(one)} == {("failed", True)}
    mailed = [row for row in one.rows("delivery") if row["channel"] == "mail"]
    assert {row["state"] for row in mailed} == {"sent"}, "mails do not wait for it"


def test_after_the_last_try_sending_stops_and_administrators_are_told_once(place: World, receiver: Receiver) -> None:
    made = listen(place, receiver)
    administrator = place.engine.viewer("administrator.office")
    receiver.answer = "503"
    place.start("wait", wake_at="2026-11-16 09:00")
    place.run()
    place.pass_time(hours=30)
    place.start("wait", wake_at="2026-11-16 09:00")  # its own tries begin later
    place.pass_time(seconds=sum(span.total_seconds() for span in WEBHOOK_RETRY_AFTER))
    shown = place.engine.webhooks.all(administrator)[0]
    assert shown.disabled_at is not None and "503" in shown.disabled_why and (shown.waiting, shown.dead) == (0, 2)
    assert [row["template"] for row in place.notices("administrator.office")] == ["webhook_disabled"]
    (mine,) = place.engine.notices(administrator)[0]
    assert mine.text == "外部システムへの通知を止めました：掲示板"
    mail = next(one for one in place.engine.outbox("office") if one.template == "webhook_disabled")
    assert "https://tadachi.example/admin/webhooks" in mail.body and mail.state == "sent"
    heard = len(receiver.heard)
    dead = next(one for one in place.engine.outbox("office", state="dead") if one.channel == "webhook")
    with pytest.raises(DeliveryNotFound):
        place.engine.resend(administrator, dead.id)
    place.start("wait", wake_at="2026-11-16 09:00")  # happens while nothing is sent
    place.run()
    assert len(receiver.heard) == heard and not [row for row in place.rows("job", kind="deliver") if row["run_at"]]
    receiver.answer = "200"
    place.engine.webhooks.resume(administrator, made.id)
    place.start("wait", wake_at="2026-11-16 09:00")
    place.run()
    kept, cursor = place.engine.webhooks.events(made.token, 0)
    assert [json.loads(line)["cursor"] for line in kept] == [1, 2, 3, 4, 5] and cursor == 5, "what happened meanwhile is there"
    place.engine.resend(administrator, dead.id)
    place.run()
    assert receiver.heard[-1][0]["Tadachi-Event"] == dead.message_id


# ---------------------------------------------------------------- reading again


def test_events_are_read_again_from_a_cursor_byte_for_byte(place: World, receiver: Receiver) -> None:
    made = listen(place, receiver)
    for _ in range(5):
        place.start("cycle")
    place.run()
    sent = [body for _, body in sorted(receiver.heard, key=lambda pair: json.loads(pair[1])["cursor"])]
    lines, cursor = place.engine.webhooks.events(made.token, 0, limit=2)
    assert (list(lines), cursor) == (sent[:2], 2)
    lines, cursor = place.engine.webhooks.events(made.token, cursor)
    assert (list(lines), cursor) == (sent[2:], 5)
    assert place.engine.webhooks.events(made.token, 5) == ((), 5)
    for wrong in ("", "x", made.secret, f"{made.token}x", "\ud800"):
        with pytest.raises(WebhookNotFound):
            place.engine.webhooks.events(wrong, 0)
    place.engine.webhooks.remove(place.engine.viewer("administrator.office"), made.id)
    with pytest.raises(WebhookNotFound):
        place.engine.webhooks.events(made.token, 0)


def test_a_token_reads_its_own_office_only(one: World, receiver: Receiver) -> None:
    made = listen(one, receiver)
    other = World(one.engine, one.clock, "elsewhere")
    other.person = lambda seat: seat.replace("@", ".") + ".elsewhere"  # type: ignore[method-assign]
    other.start("cycle")
    one.run()
    assert one.engine.webhooks.events(made.token, 0) == ((), 0) and receiver.heard == []


def test_workers_at_once_leave_no_gap_a_cursor_could_pass_over(place: World, receiver: Receiver) -> None:
    made = listen(place, receiver)
    for number in range(8):
        place.start("cycle", item_summary=f"{number}")
    in_threads(4, lambda _number: place.run())
    place.run()
    assert sorted(row["position"] for row in place.rows("event")) == list(range(1, 9))
    assert len(place.engine.webhooks.events(made.token, 0)[0]) == 8
    assert len({headers["Tadachi-Event"] for headers, _ in receiver.heard}) == len(receiver.heard) == 8


# ---------------------------------------------------------------- who may, and where to


def test_administrators_alone_keep_the_addresses(one: World, receiver: Receiver) -> None:
    made = listen(one, receiver)
    manager, desk = one.viewer(MANAGER), one.engine.webhooks
    for act in (
        lambda: desk.all(manager), lambda: desk.register(manager, "x", receiver.url), lambda: desk.stop(manager, made.id),
        lambda: desk.resume(manager, made.id), lambda: desk.remove(manager, made.id),
    ):  # fmt: skip
        with pytest.raises(NotAllowed):
            act()
    administrator = one.engine.viewer("administrator.office")
    for act in (lambda: desk.stop(administrator, 99), lambda: desk.resume(administrator, 99), lambda: desk.remove(administrator, 99)):
        with pytest.raises(WebhookNotFound):
            act()
    row = one.rows("webhook")[0]
    assert made.token not in str(row) and row["token"] == hashlib.sha256(made.token.encode()).hexdigest()
    desk.stop(administrator, made.id)
    one.start("cycle")
    one.run()
    assert receiver.heard == [] and len(one.rows("event")) == 1 and posts(one) == []
    tags = [row["tag"] for row in one.rows("history") if row["tag"].startswith("webhook.")]
    assert tags == ["webhook.registered", "webhook.stopped"] and one.engine.verify_history() == ()


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "ftp://example.go.jp/", "http://example.go.jp/", "http://10.0.0.1/", "https://", "https://a:b@example.go.jp/", "https://example.go.jp/#x",
        "https://example.go.jp:0/", "https://example.go.jp:99999/", "https://例.jp/", "https://example.go.jp/\r\nX: y", "file:///etc/passwd",
        "http://127.0.0.1.example.go.jp/", "http://[::1]/", "http://localhost/", "https://" + "a" * 500 + ".jp/",
    ],
)  # fmt: skip
def test_addresses_that_are_refused_when_they_are_registered(one: World, url: str) -> None:
    with pytest.raises(FormInvalid) as refused:
        one.engine.webhooks.register(one.engine.viewer("administrator.office"), "x", url)
    assert "url" in refused.value.fields and one.rows("webhook") == []


@pytest.mark.parametrize(
    ("address", "allowed", "goes"),
    [
        ("203.0.114.7", (), True),
        ("10.1.2.3", (), False),
        ("10.1.2.3", ("10.1.0.0/16",), True),
        ("10.2.2.3", ("10.1.0.0/16",), False),
        ("10.1.2.3", ("hook.lan.example.go.jp",), True),
        ("10.1.2.3", ("*.lan.example.go.jp",), True),
        ("10.1.2.3", ("other.lan.example.go.jp",), False),
        ("127.0.0.1", (), False),
        ("::1", (), False),
        ("fd00::5", ("fd00::/8",), True),
        ("::ffff:10.1.2.3", (), False),
        ("169.254.169.254", ("*",), False),
        ("fe80::1", ("*",), False),
        ("0.0.0.0", ("*",), False),  # noqa: S104 - looked at, not listened on
        ("224.0.0.1", ("*",), False),
    ],
)
def test_names_that_lead_inside_go_nowhere_unless_the_installation_names_them(
    monkeypatch: pytest.MonkeyPatch, address: str, allowed: tuple[str, ...], goes: bool
) -> None:
    def look_up(*_: Any, **__: Any) -> list[Any]:
        return [(2, 1, 6, "", ("203.0.114.7", 443)), (2, 1, 6, "", (address, 443))]

    monkeypatch.setattr("engine.outgoing.socket.getaddrinfo", look_up)
    if goes:
        assert outgoing.resolve("hook.lan.example.go.jp", 443, allowed) == "203.0.114.7"
    else:
        with pytest.raises(outgoing.Refused, match=r"内部のアドレス|送りません"):
            outgoing.resolve("hook.lan.example.go.jp", 443, allowed)


def test_an_address_inside_is_looked_at_again_with_every_request(one: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was allowed when it was registered may lead elsewhere later (DNS rebinding), or not be allowed any more."""
    listen(one, receiver)
    object.__setattr__(one.engine.settings, "webhook_hosts", ())
    one.start("cycle")
    one.run()
    assert receiver.heard == [] and "https://" in posts(one)[0]["error"]


def test_too_large_a_body_is_not_sent(receiver: Receiver) -> None:
    with pytest.raises(outgoing.Refused, match="64KB"):
        outgoing.post(receiver.url, b"x" * (outgoing.MAX_BODY + 1), {}, ("127.0.0.1",))
    outgoing.post(receiver.url, b"x" * outgoing.MAX_BODY, {}, ("127.0.0.1",))
    assert len(receiver.heard) == 1


def test_the_setting_is_a_list(tmp_path: Path) -> None:
    read = Settings.from_environment({"TADACHI_WEBHOOK_HOSTS": " hook.lan.example.go.jp, 10.1.0.0/16 ,"})
    assert read.webhook_hosts == ("hook.lan.example.go.jp", "10.1.0.0/16") and Settings.from_environment({}).webhook_hosts == ()
    assert WEBHOOK_RETRY_AFTER[-1] == timedelta(hours=24)

"""Every page over the fake engine: what it says, and that it stays whole when something is refused."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.webui.conftest import Post
from tests.webui.fake import FakeEngine

PAGES = (
    "/inbox",
    "/tasks/12",
    "/tasks/15",
    "/tasks/16",
    "/report",
    "/report/isa_incident",
    "/cases/7",
    "/cases/7/started",
    "/cases/7/diagram",
    "/cases/7/diagram?path=commission",
    "/cases/7/actions/raise_to_grave",
    "/cases/7/notes",
    "/cases/7/withdraw",
    "/cases/7/merge",
    "/cases/7/attachments",
    "/cases/7/papers/commission_report",
    "/register",
    "/my-reports",
    "/notices",
    "/outbox",
    "/account",
    "/account/notices",
    "/help",
    "/nope",
)

VOID = {"meta", "link", "input", "img", "br", "hr"}


class Outline(HTMLParser):
    """The parts of a page that people who do not see it depend on."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.ids: list[str] = []
        self.labelled: set[str] = set()
        self.controls: list[dict[str, str | None]] = []
        self.in_label = 0
        self.problems: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(tag)
        if found.get("id"):
            self.ids.append(str(found["id"]))
        if "style" in found or any(name.startswith("on") for name in found):
            self.problems.append(f"{tag} carries a style or a script of its own")
        if tag == "label" and found.get("for"):
            self.labelled.add(str(found["for"]))
        asks = tag in ("input", "select", "textarea") and found.get("type") not in ("hidden", "submit") and "hidden" not in found
        if asks and not self.open.count("label") and not found.get("aria-label"):
            self.controls.append(found)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> closes something else")


def outline_of(page: str) -> Outline:
    """A page read."""
    outline = Outline()
    outline.feed(page)
    return outline


@pytest.mark.parametrize("path", [*PAGES])
def test_every_page_is_whole_and_has_its_landmarks(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == (404 if path == "/nope" else 200)
    outline = outline_of(answer.text)
    assert outline.problems == [] and outline.open == []
    assert outline.headings.count("h1") == 1
    assert len(outline.ids) == len(set(outline.ids)), "an id is used twice"
    assert [control for control in outline.controls if control.get("id") not in outline.labelled] == [], "a field without a label"
    levels = [int(heading[1]) for heading in outline.headings]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels)), f"heading levels are skipped: {levels}"
    assert '<html lang="ja">' in answer.text and 'class="skip-link"' in answer.text and '<main id="main"' in answer.text
    assert "None" not in re.sub(r"<[^>]*>", "", answer.text)


def test_the_inbox_says_whose_work_it_is_why_and_by_when(client: FlaskClient) -> None:
    page = client.get("/inbox").text
    for words in (
        "期限超過",
        "審判課 保護管理者",
        "第25条第3項ただし書",
        "11月19日（木）17:30",
        "1日超過",
        "法定",
        "目安",
        "未読",
        "委員会対応係が引受中",
        "11月20日（金）24:00",
    ):
        assert words in page
    assert page.index("重大性を判断する") < page.index("委員会へ速報を提出する")  # overdue first


def test_filters_are_kept_when_going_on_and_unknown_ones_are_told(client: FlaskClient) -> None:
    page = client.get("/inbox?show=today&text=%E8%AA%A4&unit=tokyo").text
    onward = re.search(r'href="([^"]+)" rel="next"', page)
    assert onward is not None
    for part in ("show=today", "unit=tokyo", "text=", "after=next-cursor"):
        assert part in onward[1]
    answer = client.get("/inbox?show=zzz%3Cscript%3E")
    assert answer.status_code == 200 and "zzz&lt;script&gt;" in answer.text and "使えないため" in answer.text


def test_an_empty_inbox_is_friendly(client: FlaskClient, fake: FakeEngine) -> None:
    fake.empty = True
    assert "届いている処理はありません" in client.get("/inbox").text
    assert "この条件に合う処理はありません" in client.get("/inbox?text=x").text


def test_a_task_tells_what_each_button_causes(client: FlaskClient) -> None:
    page = client.get("/tasks/12").text
    assert 'name="grave_decision" value="grave"' in page
    assert (
        '特に重大な事案の報告を受ける</strong>：出入国管理部 部課等保護管理者（出入国管理部長）に届きます。期限 <span class="number">11月20日（金）18:30'
        in page
    )
    assert 'name="_version" value="9"' in page


def test_a_closed_task_shows_no_form_and_says_who_did_it(client: FlaskClient) -> None:
    page = client.get("/tasks/15").text
    assert "11月20日 17:21 に 出入国管理部長 が完了しました。" in page and "task-form" not in page


def test_who_may_only_look_gets_no_buttons(sign_in: Callable[[str], FlaskClient]) -> None:
    page = sign_in("staff").get("/tasks/12").text
    assert "閲覧だけができます" in page and "引き受ける" not in page and "task-form" not in page


def test_with_two_seats_one_chooses(sign_in: Callable[[str], FlaskClient], fake: FakeEngine, post: Post) -> None:
    head = sign_in("immigration.head")
    assert head.get("/tasks/12").text.count('type="radio" name="_seat"') == 4  # for completing and for sending back
    post(head, "/tasks/12", {"_version": "9", "_case": "7", "_seat": "protection_manager@adjudication", "grave_decision": "grave"})
    assert fake.acts[-1][:3] == ("complete", "immigration.head", "protection_manager@adjudication")


def test_completing_hands_over_every_answer_and_the_version(client: FlaskClient, fake: FakeEngine, post: Post) -> None:
    data = {
        "_version": "9",
        "_case": "7",
        "_seat": "protection_manager@adjudication",
        "item_cause": "取り違え",
        "holds": ["", "pi", "anon"],
        "count": "２",
        "contact": "true",
        "persons.0.ref": "A",
        "persons.1.ref": "B",
        "grave_decision": "grave",
        "__class__": "x",
    }
    answer = post(client, "/tasks/12", data)
    assert answer.status_code == 303 and answer.location == "/cases/7"
    verb, by, seat, task, answers, named = fake.acts[0]
    assert (verb, by, seat, task, named) == ("complete", "adj.manager", "protection_manager@adjudication", 12, {"version": 9})
    assert answers == {
        "item_cause": "取り違え",
        "holds": ["pi", "anon"],
        "count": "２",
        "contact": "true",
        "persons.0.ref": "A",
        "persons.1.ref": "B",
        "grave_decision": "grave",
        "__class__": "x",  # undeclared names reach the engine, which refuses them
    }


def test_files_chosen_while_completing_are_attached_in_the_same_act(client: FlaskClient, fake: FakeEngine, post: Post) -> None:
    data = {"_version": "9", "_case": "7", "grave_decision": "grave", "_files": (io.BytesIO(b"abc"), "確認書.pdf")}
    assert post(client, "/tasks/12", data, content_type="multipart/form-data").status_code == 303
    assert [act[0] for act in fake.acts] == ["attach", "complete"]
    assert fake.acts[0][3:6] == (7, "確認書.pdf", b"abc")


def test_a_refused_form_comes_back_with_everything_typed(client: FlaskClient, fake: FakeEngine, post: Post) -> None:
    fake.refuse = "invalid"
    data = {
        "_version": "9",
        "_case": "7",
        "count": "たくさん",
        "discovered_at": "きのう",
        "holds": ["", "anon"],
        "persons.0.ref": "Z",
        "contact": "false",
    }
    answer = post(client, "/tasks/12", data)
    assert answer.status_code == 422
    page = answer.text
    assert '<a href="#f-item_cause">「発生原因」を入力してください。</a>' in page and "data-focus" in page
    assert "「evil」は、この画面にない項目です。" in page
    assert re.search(r'id="f-item_cause"[^>]*aria-describedby="[^"]*e-item_cause"[^>]*aria-invalid="true"', page)
    assert 'value="たくさん"' in page
    assert re.search(r'type="text" name="discovered_at" value="きのう"', page), "a date input would drop what was typed"
    assert re.search(r'value="anon" checked', page) and not re.search(r'value="pi" checked', page)
    assert re.search(r'name="contact" value="false" checked', page)
    assert page.count("<title>エラー：") == 1


@pytest.mark.parametrize(
    ("refusal", "status", "words"),
    [
        ("stale", 409, "表示後に案件の内容が更新されました"),
        ("done", 409, "出入国管理部長 が完了しています"),
        ("same", 403, "「調査報告」を行った本人"),
        ("closing", 422, "委員会への確報"),
    ],
)
def test_whatever_stands_in_the_way_nothing_typed_is_lost(
    client: FlaskClient, fake: FakeEngine, post: Post, refusal: str, status: int, words: str
) -> None:
    fake.refuse = refusal
    answer = post(client, "/tasks/12", {"_version": "9", "_case": "7", "item_cause": "長い時間をかけて書いた原因"})
    assert answer.status_code == status
    assert words in answer.text and "長い時間をかけて書いた原因" in answer.text


def test_a_form_without_a_version_was_not_made_here(client: FlaskClient, fake: FakeEngine, post: Post) -> None:
    assert post(client, "/tasks/12", {"item_cause": "x"}).status_code == 400
    assert fake.acts == []


def test_sending_back_wants_a_target_and_keeps_the_reason(client: FlaskClient, fake: FakeEngine, post: Post) -> None:
    answer = post(client, "/tasks/12/send-back", {"_reason": "枚数を追記", "_case": "7"})
    assert answer.status_code == 422 and "差戻し先を選んでください" in answer.text and "枚数を追記" in answer.text
    assert '<details class="card" id="send-back" open>' in answer.text
    assert post(client, "/tasks/12/send-back", {"_reason": "枚数を追記", "_to": "report", "_case": "7"}).status_code == 303
    assert fake.acts == [("send_back", "adj.manager", None, 12, "枚数を追記", {"to": "report"})]


def test_a_draft_is_kept_offered_and_thrown_away(client: FlaskClient, fake: FakeEngine, post: Post) -> None:
    assert post(client, "/report/isa_incident/draft", {"what": "書きかけ"}, headers={"Accept": "text/html"}).status_code == 303
    saved = post(client, "/report/isa_incident/draft", {"what": "書きかけの続き"}, headers={"Accept": "*/*"})  # the pages' script
    assert saved.status_code == 200 and saved.json is not None
    page = client.get("/report/isa_incident").text
    assert "書きかけの続き" in page and "下書きの続きです" in page
    post(client, "/report/isa_incident/draft/discard")
    assert fake.typed == {} and "下書きの続きです" not in client.get("/report/isa_incident").text
    assert fake.acts == []


def test_reporting_leads_to_the_number_and_what_comes_next(client: FlaskClient, fake: FakeEngine, post: Post) -> None:
    answer = post(client, "/report/isa_incident", {"what": "誤交付", "known_at": "2026-11-20T10:00", "owning_unit": "adjudication"})
    assert answer.status_code == 303 and answer.location == "/cases/7/started"
    page = client.get(answer.location).text
    assert "入管漏えい令8-0007" in page and "重大性を判断する" in page and "審判課 課長" in page


def test_without_script_rows_can_be_added(client: FlaskClient, fake: FakeEngine, post: Post) -> None:
    page = post(client, "/tasks/12", {"_add": "persons", "item_cause": "残る"}).text
    assert page.count('name="persons.') > client.get("/tasks/12").text.count('name="persons.') and "残る" in page
    assert fake.acts == []


def test_the_preview_stores_nothing(client: FlaskClient, fake: FakeEngine, post: Post) -> None:
    page = post(client, "/tasks/12/preview", {"item_cause": "残る"}).text
    assert "まだ何も記録されていません" in page and "委員会へ速報を提出する" in page and "残る" in page
    part = post(client, "/tasks/12/preview", {"item_cause": "x"}, headers={"HX-Request": "true"}).text
    assert "<html" not in part and "総務課 委員会対応係" in part
    assert fake.acts == []


def test_withdrawing_wants_a_reason(client: FlaskClient, fake: FakeEngine, post: Post) -> None:
    answer = post(client, "/cases/7/withdraw", {"_reason": ""})
    assert answer.status_code == 422 and "理由を入力してください" in answer.text
    assert post(client, "/cases/7/withdraw", {"_reason": "誤報"}).status_code == 303


def test_merging_goes_by_number(client: FlaskClient, fake: FakeEngine, post: Post) -> None:
    answer = post(client, "/cases/7/merge", {"_number": "入管漏えい令8-9999", "_reason": "同じ"})
    assert answer.status_code == 422 and "見つかりません" in answer.text and "入管漏えい令8-9999" in answer.text
    post(client, "/cases/7/merge", {"_number": "入管漏えい令8-0005", "_reason": "同じ"})
    assert fake.acts == [("merge", "adj.manager", None, 7, {"into": 5, "reason": "同じ"})]


def test_notes_and_actions(client: FlaskClient, fake: FakeEngine, post: Post) -> None:
    assert post(client, "/cases/7/notes", {"_text": " "}).status_code == 422
    post(client, "/cases/7/notes", {"_text": "電話で確認"})
    post(client, "/cases/7/actions/raise_to_grave", {"reason": "外国公館"})
    assert [act[0] for act in fake.acts] == ["note", "act"]
    assert client.get("/cases/7/actions/nothing").status_code == 403


def test_a_case_page_has_the_diagram_and_its_words(client: FlaskClient) -> None:
    page = client.get("/cases/7").text
    for words in (
        'data-diagram="/cases/7/diagram.bpmn"',
        'data-diagram-state="/cases/7/diagram.json"',
        "built/diagram.js",
        "重大性を判断する",
        "いま誰のところにあるか",
        "総務課 係長",
    ):
        assert words in page
    assert client.get("/cases/7/diagram.bpmn").mimetype == "application/xml"
    state = client.get("/cases/7/diagram.json").json
    assert state is not None and state["assess_gravity"]["state"] == "overdue"
    assert "built/diagram.js" not in client.get("/inbox").text


def test_a_case_names_the_cases_it_belongs_to_and_links_to_those_one_may_see(client: FlaskClient) -> None:
    page = client.get("/cases/1").text
    part = page[page.index("関連する案件") : page.index("統合した案件")]
    assert 'href="/cases/3"' in part and "媒R8-0002" in part and "この案件のもとになった案件" in part
    assert "再R8-0001" in part and "この案件から始まった案件" in part and part.count("href=") == 1


def test_a_download_is_never_shown_as_a_page(client: FlaskClient) -> None:
    answer = client.get("/attachments/3")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert ".." not in answer.headers["Content-Disposition"] and "%E2%80%AE" not in answer.headers["Content-Disposition"]
    assert "sandbox" in answer.headers["Content-Security-Policy"] and answer.headers["X-Content-Type-Options"] == "nosniff"
    assert client.get("/attachments/4").status_code == 404


def test_papers_as_page_data_and_pdf(client: FlaskClient) -> None:
    page = client.get("/cases/7/papers/commission_report").text
    assert "令和8年11月20日" in page and "二次被害の有無を確かめてください。" in page
    data: Any = client.get("/cases/7/papers/commission_report.json").json
    assert data["title"] == "漏えい等報告書（速報）"
    answer = client.get("/cases/7/papers/commission_report.pdf")
    assert answer.data.startswith(b"%PDF") and answer.headers["Content-Disposition"].startswith("attachment")
    assert client.get("/cases/7/papers/none").status_code == 404


def test_notices_are_marked_by_a_button_only(client: FlaskClient, fake: FakeEngine, post: Post) -> None:
    client.get("/notices")
    assert fake.read == []
    post(client, "/notices/read", {"id": "2"})
    post(client, "/notices/read")
    assert fake.read == [[2], None]


def test_the_outbox_is_for_the_demo_and_administrators(app: Flask, client: FlaskClient, sign_in: Callable[[str], FlaskClient]) -> None:
    assert client.get("/outbox").status_code == 200
    app.config["TADACHI_DEMO"] = False
    assert client.get("/outbox").status_code == 403 and "送信箱" not in client.get("/inbox").text
    assert sign_in("admin").get("/outbox").status_code == 200


def test_the_register_finds_and_goes_on(client: FlaskClient) -> None:
    page = client.get("/register?state=closed").text
    assert "窓口での書類取り違え" in page and "証明書" not in page and 'rel="next"' in page
    assert client.get("/register?state=%00bogus").status_code == 200
    assert "まだ報告した案件はありません" in client.get("/my-reports").text or "入管漏えい" in client.get("/my-reports").text

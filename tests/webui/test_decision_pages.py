"""Decision papers and papers of approvals as pages, print, PDF and data: offered where they are needed, the same for everybody and for ever."""

from __future__ import annotations

import io
import json
import logging
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pypdf
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from tests.engine.decided import Decided, decided_on
from tests.engine.outside import SECRETS, Outside, make_outside
from tests.engine.outside import folder as outside_folder
from tests.engine.posts import DIVISION_HEAD, KEEPER, MANAGER_A, MANAGER_B, STAFF_A
from tests.support import STAFF, make_engine
from tests.webui.conftest import Post
from tests.webui.posts import signed_in, words
from tests.webui.test_outside_pages import applied as party_applies
from tests.webui.test_outside_pages import opened as enter
from webui import create_app
from webui.pdf import render_pdf

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

LONG = "長い条件を、区切りなく続けて書いたもの" * 200
WIDE = "W" * 200


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Decided]:
    """The office with a procedure that is decided."""
    with decided_on("sqlite", tmp_path) as made:
        yield made


@pytest.fixture
def app(office: Decided) -> Flask:
    """The pages over it."""
    return create_app(office.engine, secret_key="test")


def article(page: str, number: int = 0) -> str:
    """One sheet of a paper's page."""
    return re.findall(r"<article.*?</article>", page, re.DOTALL)[number]


def opened(client: FlaskClient, path: str) -> str:
    """A page that must be there."""
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.text


def printed(pdf: bytes) -> list[str]:
    """The text of each page, all of them A4."""
    pages = pypdf.PdfReader(io.BytesIO(pdf)).pages
    assert all(abs(page.mediabox.width - 595.3) < 1 and abs(page.mediabox.height - 841.9) < 1.5 for page in pages)
    return [page.extract_text() for page in pages]


def test_the_paper_is_offered_on_the_case_and_on_the_step_as_page_pdf_and_data(office: Decided, app: Flask) -> None:
    case_id = office.checked()
    head = signed_in(app, DIVISION_HEAD)
    step = opened(head, f"/tasks/{office.task(case_id, 'decide')['id']}")
    assert f'href="/cases/{case_id}/decision"' in step and "決裁鑑（案）を開く" in step
    draft = opened(head, f"/cases/{case_id}/decision")
    assert '<p class="paper-watermark">決裁前（案）</p>' in draft and "記録による証明" not in draft
    office.does(DIVISION_HEAD, case_id, "decide", decision="approve")
    case = opened(head, f"/cases/{case_id}")
    assert f'href="/cases/{case_id}/decision">決裁鑑</a>' in case and f'href="/cases/{case_id}/decision.pdf"' in case
    page = opened(head, f"/cases/{case_id}/decision")
    assert "paper-watermark" not in page and "決裁後の追記" not in page and "北部 部課等保護管理者さん" in page
    assert f'href="/cases/{case_id}/decision.pdf"' in page and f'href="/cases/{case_id}/decision.json"' in page
    answer = head.get(f"/cases/{case_id}/decision.pdf")
    assert answer.mimetype == "application/pdf" and "attachment" in answer.headers["Content-Disposition"]
    assert "決裁欄" in "".join(printed(answer.data))
    data: Any = head.get(f"/cases/{case_id}/decision.json").json
    assert (data["id"], data["number"], data["made_on"]) == ("decision", "案R8-0001", "2026-11-16")


def test_the_address_of_the_paper_is_one(office: Decided, app: Flask) -> None:
    case_id = office.decided()
    head = signed_in(app, DIVISION_HEAD)
    for tail in ("", ".pdf", ".json"):
        moved = head.get(f"/cases/{case_id}/papers/decision{tail}?index=0")
        assert moved.status_code == 308 and moved.location.endswith(f"/cases/{case_id}/decision{tail}?index=0")


def test_who_may_not_see_the_case_gets_no_paper(office: Decided, app: Flask) -> None:
    case_id = office.decided()
    stranger = signed_in(app, MANAGER_B)
    for path in ("decision", "decision.pdf", "decision.json", "papers/permit_paper", "papers/permit_paper.pdf"):
        assert stranger.get(f"/cases/{case_id}/{path}").status_code == 404
        assert app.test_client().get(f"/cases/{case_id}/{path}").status_code in (302, 303, 401)
    for path in ("decision?index=1", "decision?index=-1", "decision.pdf?index=9", "papers/nothing"):
        assert signed_in(app, DIVISION_HEAD).get(f"/cases/{case_id}/{path}").status_code == 404


def test_what_comes_later_stands_on_a_sheet_of_its_own_and_the_first_stays_byte_for_byte(office: Decided, app: Flask) -> None:
    case_id = office.decided("conditional", conditions="暗号化すること")
    head = signed_in(app, DIVISION_HEAD)
    before = article(opened(head, f"/cases/{case_id}/decision"))
    office.pass_time(days=2)
    office.act(case_id, "amend", item_summary="別の件名", amount=1, contractor="乙社", expires_on="2031-01-01", conditions="無し")
    office.attach(case_id, "後.pdf", by=MANAGER_A)
    office.engine.personnel.change(office.who(KEEPER), DIVISION_HEAD, "改姓", None)
    head = signed_in(app, DIVISION_HEAD)  # two days are longer than a session
    page = opened(head, f"/cases/{case_id}/decision")
    assert article(page) == before and article(opened(signed_in(app, MANAGER_A), f"/cases/{case_id}/decision")) == before
    added = article(page, 1)
    assert "決裁後の追記" in added and "委託先：甲社 → 乙社" in added and "「後.pdf」を添付しました" in added
    pages = printed(head.get(f"/cases/{case_id}/decision.pdf").data)
    assert "追記 1 / 1 ページ" in pages[-1] and "決裁後の追記" in pages[-1] and "乙社" not in "".join(pages[:-1])


def test_decisions_are_chosen_among(office: Decided, app: Flask) -> None:
    case_id = office.decided("correct")
    head = signed_in(app, DIVISION_HEAD)
    assert "決裁を選ぶ" not in opened(head, f"/cases/{case_id}/decision")
    office.does(STAFF_A, case_id, "fix", amount=3)
    office.does(MANAGER_A, case_id, "check", opinion="よい")
    page = opened(head, f"/cases/{case_id}/decision")
    assert "決裁前（案）" in page and "決裁を選ぶ（1）" in page
    office.does(DIVISION_HEAD, case_id, "decide", decision="approve")
    page = opened(head, f"/cases/{case_id}/decision")
    assert "決裁鑑（第2回）" in page and "決裁を選ぶ（2）" in page and f'href="/cases/{case_id}/decision?index=0"' in page
    first = opened(head, f"/cases/{case_id}/decision?index=0")
    assert "是正を求める" in article(first) and 'index=0" aria-current="page"' in first


def test_a_file_sent_with_the_decision_lay_before_who_decided(office: Decided, app: Flask, post: Post) -> None:
    case_id = office.checked()
    head = signed_in(app, DIVISION_HEAD)
    task = office.task(case_id, "decide")["id"]
    sent = {
        "decision": "approve",
        "_case": str(case_id),
        "_version": str(office.case(case_id)["version"]),
        "_files": (io.BytesIO(b"%PDF-1.4 x"), "決裁資料.pdf"),
    }
    answer = post(head, f"/tasks/{task}", sent, page=f"/tasks/{task}", content_type="multipart/form-data")
    assert answer.status_code == 303, words(answer.text)
    data: Any = head.get(f"/cases/{case_id}/decision.json").json
    [files] = [part for part in data["sections"] if part["id"] == "attachments"]
    assert files["rows"][0][0] == "決裁資料.pdf" and "additions" not in json.dumps(data)


def test_the_paper_of_an_approval_as_page_pdf_and_data(office: Decided, app: Flask) -> None:
    case_id = office.checked(media=[{"id": "M-1", "kind": "DVD", "note": ""}])
    head = signed_in(app, DIVISION_HEAD)
    assert "許可書" not in opened(head, f"/cases/{case_id}")
    assert head.get(f"/cases/{case_id}/papers/permit_paper").status_code == 404
    office.does(DIVISION_HEAD, case_id, "decide", decision="approve")
    office.does(MANAGER_A, case_id, "receive", approval_number="承-7")
    assert f'href="/cases/{case_id}/papers/permit_paper">許可書</a>' in opened(head, f"/cases/{case_id}")
    page = article(opened(head, f"/cases/{case_id}/papers/permit_paper"))
    for said in ("承-7", "甲社 殿", "令和9年3月31日", '<th scope="col">種類</th>', "DVD", "令和8年11月16日"):
        assert said in page
    [pdf] = printed(head.get(f"/cases/{case_id}/papers/permit_paper.pdf").data)
    assert "甲社 殿" in pdf and "DVD" in pdf and "種類" in pdf
    office.act(case_id, "revoke", seat="division_protection_manager@north") if office.case(case_id)["state"] == "open" else None
    data: Any = head.get(f"/cases/{case_id}/papers/permit_paper.json").json
    assert data["number"] == "承-7" and data["complete"]


def test_markup_in_facts_names_and_files_is_text(office: Decided, app: Flask) -> None:
    evil = "<script>alert(1)</script>"
    case_id = office.checked(item_summary=evil, contractor=f"{evil}社")
    office.attach(case_id, "&lt;b&gt;.pdf")
    office.engine.personnel.change(office.who(KEEPER), MANAGER_A, evil, None)
    office.does(DIVISION_HEAD, case_id, "decide", decision="conditional", conditions=evil)
    head = signed_in(app, DIVISION_HEAD)
    for path in ("decision", "papers/permit_paper"):
        page = opened(head, f"/cases/{case_id}/{path}")
        assert "<script>alert" not in page and "&lt;script&gt;alert" in page
        assert head.get(f"/cases/{case_id}/{path}.pdf").data.startswith(b"%PDF")


def test_long_texts_break_and_fifty_files_go_on_to_further_pages(office: Decided, app: Flask) -> None:
    case_id = office.applied(contractor=WIDE)
    office.does(MANAGER_A, case_id, "check", opinion=LONG)
    for number in range(50):
        office.attach(case_id, f"資料{number:02}_{'とても長いファイル名' * 4}.pdf", f"%PDF-1.4 {number}".encode())
    office.does(DIVISION_HEAD, case_id, "decide", decision="conditional", conditions=LONG)
    pages = printed(signed_in(app, DIVISION_HEAD).get(f"/cases/{case_id}/decision.pdf").data)
    assert len(pages) >= 3 and all(f"{number} / {len(pages)} ページ" in page for number, page in enumerate(pages, 1))
    whole = re.sub(r"\s", "", "".join(re.sub(r"案R8-0001\n\d+ / \d+ ページ", "", page) for page in pages))
    assert whole.count("条件：") == 0 and whole.count("書いたもの") == 400 and whole.count("W") == 200
    assert all(f"資料{number:02}_" in whole for number in range(50))


def test_seats_with_endless_names_break_too() -> None:
    from datetime import date

    from engine import Paper
    from engine.papers import Section

    seats = Section(
        "", "決裁欄", rows=(("審査", LONG, LONG, "日\n時", LONG), *(("確認", "役", "名", "日\n時", "代理"),) * 9), style="seats", id="seats"
    )
    paper = Paper(
        id="decision", title="決裁鑑", office="庁", addressee="", number="1", made_on=date(2026, 11, 16), sections=(seats,), layout="decision",
        watermark="決裁前（案）",
    )  # fmt: skip
    pages = [re.sub(r"\s", "", text) for text in printed(render_pdf(paper))]
    whole = "".join(re.sub(r"決裁前（案）1\d+/\d+ページ$", "", text) for text in pages)
    assert whole.count("区切りなく") == 600 and whole.count("〔代理〕") == 9


# ---------------------------------------------------------------- the party outside

ISSUED = """
name = "承認書"
process = ["office_contract"]
approved_when = 'verdict == "granted"'
for_party = {for_party}
sender = "{{office}} {{decided_post}}"

[[note]]
text = "職員への注意"

[[section]]
heading = "承認の内容"
  [[section.row]]
  label = "安全管理の方法"
  value = "{{measures}}"
  [[section.row]]
  label = "契約した日"
  value = "{{contracted_on}}"
  needed = {needed}
"""


def outside_with(place: Path, paper: str) -> Outside:
    """The office of the tests of outside parties with a paper of its approval."""
    made = place / "bpmn"
    shutil.copytree(outside_folder(), made)
    (made / "office" / "papers").mkdir()
    (made / "office" / "papers" / "issued.toml").write_text(paper, "utf-8")
    outside = make_outside(place)
    outside.engine.close()
    return Outside(make_engine(outside.engine.settings.database, outside.clock, bpmn=made), outside.clock)


def test_a_party_reads_the_paper_that_is_for_it_once_it_is_whole_and_no_other(tmp_path: Path) -> None:
    outside = outside_with(tmp_path, ISSUED.format(for_party="true", needed="true"))
    client = enter(create_app(outside.engine, secret_key="test"), outside.issue())
    case_id = party_applies(client, outside)
    outside.checked(case_id, complete=True)
    for path in ("/c/papers/issued", "/c/papers/issued.pdf", "/c/papers/decision", "/c/papers/division_report"):
        assert client.get(path).status_code == 404, path
    outside.complete(case_id, "decide", verdict="granted")
    assert client.get("/c/papers/issued").status_code == 404 and "受け取る書面" not in client.get("/c/").text, "it lacks the day"
    outside.complete(case_id, "report", STAFF, contracted_on="2026-11-16")
    assert '<a href="/c/papers/issued">承認書</a>' in client.get("/c/").text
    page = opened(client, "/c/papers/issued")
    assert "専用の区画で扱います" in page and "北部 部課等保護管理者" in page and "令和8年11月16日" in page
    assert "職員への注意" not in page and all(secret not in page for secret in SECRETS) and "部課等保護管理者さん" not in page
    [pdf] = printed(client.get("/c/papers/issued.pdf").data)
    assert "専用の区画で扱います" in pdf and "職員への注意" not in pdf
    for path in ("/c/papers/decision", "/c/papers/decision.pdf", f"/cases/{case_id}/decision", f"/cases/{case_id}/papers/issued"):
        assert client.get(path).status_code in (302, 303, 404), path
    other = enter(create_app(outside.engine, secret_key="test"), outside.issue(party="他社"))
    assert other.get("/c/papers/issued").status_code == 404
    outside.engine.close()


def test_a_paper_that_is_not_for_the_party_is_not_there_for_it(tmp_path: Path) -> None:
    outside = outside_with(tmp_path, ISSUED.format(for_party="false", needed="false"))
    client = enter(create_app(outside.engine, secret_key="test"), outside.issue())
    case_id = party_applies(client, outside)
    outside.checked(case_id, complete=True)
    outside.complete(case_id, "decide", verdict="granted")
    assert "issued" in [one.id for one in outside.engine.case(outside.viewer("division_protection_manager@north"), case_id).papers]
    assert client.get("/c/papers/issued").status_code == 404 and "受け取る書面" not in client.get("/c/").text
    outside.engine.close()


# ---------------------------------------------------------------- in a browser


@pytest.fixture
def site(app: Flask) -> Iterator[str]:
    """The application on loopback."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def let_in(context: BrowserContext, app: Flask, site: str, person: str) -> None:
    """Give a browser the cookie of somebody signed in."""
    cookie = signed_in(app, person).get_cookie("tadachi")
    assert cookie is not None
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": site}])


@pytest.mark.parametrize("width", [1280, 390])
def test_the_sheet_fits_the_screen_and_prints_on_a4_with_additions_on_a_new_page(
    office: Decided, app: Flask, site: str, page_at: Callable[..., Page], width: int
) -> None:
    case_id = office.checked(contractor=WIDE, media=[{"id": "M-1", "kind": "DVD", "note": ""}])
    office.attach(case_id, f"{'とても長いファイル名' * 8}.pdf")
    office.does(DIVISION_HEAD, case_id, "decide", decision="conditional", conditions=LONG)
    with office.by(MANAGER_A) as work:
        work.note(case_id, WIDE)
    page = page_at(width)
    let_in(page.context, app, site, DIVISION_HEAD)
    page.goto(f"{site}/cases/{case_id}/decision")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    boxes = page.evaluate("[...document.querySelectorAll('.paper')].map(sheet => sheet.scrollWidth <= sheet.clientWidth + 1)")
    assert boxes == [True, True]
    if width == 1280:
        pages = printed(page.pdf(format="A4", margin={"top": "20mm", "bottom": "20mm", "left": "18mm", "right": "18mm"}))
        added = [number for number, text in enumerate(pages) if "決裁後の追記" in text]
        assert added == [len(pages) - 1] and "記録による証明" in pages[-2]
        assert "PDFで保存" not in "".join(pages), "what is only for the screen stays there"

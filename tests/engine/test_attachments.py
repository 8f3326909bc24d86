"""Files: what may be attached, by size, name and content, and that a name cannot deceive."""

from __future__ import annotations

import io
import unicodedata
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import AttachmentRefused
from engine.attachments import MAX_NAME, check
from engine.organisation import load
from tests.support import MANAGER, STAFF, World, offices

RULES = load(offices() / "office").rules.attachments
NOT_ITS_KIND, KINDS = "形式ではありません", "添付できる種類は"
PNG, PDF, JPEG = b"\x89PNG\r\n\x1a\n" + b"0" * 20, b"%PDF-1.7\n", b"\xff\xd8\xff\xe0"


def office_file(folder: str) -> bytes:
    """A document as office programs write it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(f"{folder}/document.xml", "<x/>" * 100)
    return made.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("報告書.pdf", PDF, "application/pdf"), ("写真.PNG", PNG, "image/png"), ("a.jpg", JPEG, "image/jpeg"), ("メモ.txt", "日本語".encode(), "text/plain"),
        ("メモ.txt", "日本語".encode("cp932"), "text/plain"), ("文書.docx", office_file("word"), RULES.types["docx"]), ("表.xlsx", office_file("xl"), RULES.types["xlsx"]),
        ("a.b.c.pdf", PDF, "application/pdf"),
    ],
)  # fmt: skip
def test_what_may_be_attached(name: str, content: bytes, kind: str) -> None:
    assert check(name, content, RULES) == (name, kind)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.png", PDF, NOT_ITS_KIND), ("a.pdf", b"PK\x03\x04", NOT_ITS_KIND), ("a.txt", b"MZ\x00\x01", NOT_ITS_KIND), ("a.txt", b"\xff\xfe\xff\x81", NOT_ITS_KIND),
        ("a.docx", office_file("xl"), NOT_ITS_KIND), ("a.docx", b"PK\x03\x04 plain zip", NOT_ITS_KIND), ("a.xlsx", b"<html>", NOT_ITS_KIND),
        ("a.exe", b"MZ", KINDS), ("a.html", b"<script>", KINDS), ("a.svg", b"<svg/>", KINDS), ("a.docm", office_file("word"), KINDS),
        ("pdf", PDF, KINDS), ("a.pdf.exe", PDF, KINDS), ("a.pdf\x00.exe", PDF, KINDS),
        ("", PDF, "ファイル名がありません"), ("...", PDF, "ファイル名がありません"), ("dir/", PDF, "ファイル名がありません"), (" ", PDF, "ファイル名がありません"),
        ("あ" * 200 + ".pdf", PDF, f"{MAX_NAME}文字以内"), ("a.pdf", b"", "中身が空"), ("a.pdf", PDF + b"0" * 2_097_152, "2 MBまで"),
    ],
    ids=range(21),
)  # fmt: skip
def test_what_is_refused_and_why(name: str, content: bytes, why: str) -> None:
    with pytest.raises(AttachmentRefused) as refused:
        check(name, content, RULES)
    assert why in refused.value.text and refused.value.text.startswith("ファイル「")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("C:\\Users\\staff\\報告.pdf", "報告.pdf"), ("../../etc/passwd.pdf", "passwd.pdf"), ("/etc/x.pdf", "x.pdf"), ("a\x00b\r\nc.pdf", "a_b__c.pdf"),
        ("fdp.\u202egnp.pdf", "fdp._gnp.pdf"), ('a"b<c>|d?.pdf', "a_b_c__d_.pdf"), ("  .pdf.pdf. ", "pdf.pdf"), ("か\u3099.pdf", "が.pdf"),
    ],
    ids=range(8),
)  # fmt: skip
def test_names_are_made_safe(name: str, shown: str) -> None:
    assert check(name, PDF, RULES)[0] == shown


@given(st.text(max_size=200))
def test_no_name_gets_out_of_its_folder_or_reads_differently(name: str) -> None:
    try:
        shown, _ = check(name + ".pdf", PDF, RULES)
    except AttachmentRefused:
        return
    assert shown == unicodedata.normalize("NFC", shown) and 0 < len(shown) <= MAX_NAME
    assert not set(shown) & set('/\\:*?"<>|\r\n\0\u202e') and not shown.startswith(".") and shown.endswith(".pdf")


def test_the_bytes_come_back_and_their_sum_is_in_the_record(both: World) -> None:
    case_id = both.start("approval")
    with both.acting(MANAGER) as work:
        attachment = work.attach(case_id, "写真.png", PNG, task_id=both.task(case_id, "review")["id"])
    shown, content = both.engine.attachment(both.viewer(STAFF), attachment)
    assert content == PNG and shown.added_by == "第一課 保護管理者さん"
    row = both.history(case_id, "attachment.added")[0]
    assert row["data"] == {"attachment": attachment, "name": "写真.png", "sha256": shown.sha256, "size": len(PNG), "version": 2}


def test_a_name_of_half_characters(world: World) -> None:
    case_id = world.start("approval")
    with world.acting(MANAGER) as work:
        attachment = work.attach(case_id, "a\ud800.txt", b"x")
    assert world.engine.attachment(world.viewer(STAFF), attachment)[0].name.endswith(".txt")
    assert world.engine.verify_history() == ()

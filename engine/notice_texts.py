"""What notices say: the words of each kind, an office's own words for mails, and the lines of the daily digest. No text can name a fact of a case."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.office_files import Findings, read_toml

#: What a notice says, by template. Mails carry number, step and link only: the contents of a case are themselves
#: sensitive (procedures §9 trap 18), so no template can name a fact.
TEMPLATES: Mapping[str, tuple[str, str]] = {
    "task_opened": ("処理が届きました", "あなたの役に、次の処理が届きました。"),
    "task_moved": ("処理が移ってきました", "情報を管理する部署か、手続の版が変わり、次の処理があなたの役に移りました。"),
    "task_sent_back": ("差し戻されました", "次の処理が差し戻されました。理由は画面で確かめてください。"),
    "remind": ("処理が済んでいません（督促）", "次の処理がまだ済んでいません。"),
    "escalate": (
        "期限の目安を過ぎた処理があります",
        "次の処理が、期限の目安を過ぎても済んでいません。義務は担当職に残っています。状況を確かめてください。",
    ),
    "clock_warning": ("法令上の期限が近づいています", "次の案件の法令上の期限が近づいています。"),
    "clock_overdue": ("法令上の期限を過ぎました", "次の案件が、法令上の期限を過ぎました。直ちに対応してください。"),
    "step_told": ("お知らせがあります", "次の案件について知らせることがあります。"),
    "consultation": ("照会が届きました", "次の案件について、照会が届きました。画面で読み、回答してください。"),
    "consultation_answered": ("照会に回答がありました", "次の案件について行った照会に、回答がありました。"),
    "circulation": ("回覧が届きました", "次の案件が回覧されました。画面で読み、確認してください。"),
    "later_review": ("後閲する処理があります", "不在の間に先へ進んだ処理があります。画面で読み、確認してください。"),
    "decided_for_you": ("代決されました", "あなたが決裁する次の処理が、登録された代決者によって代決されました。画面で確かめてください。"),
    "case_ended": ("案件が終結しました", "あなたが報告した案件が終結しました。"),
    "case_merged": ("案件が統合されました", "次の案件は、同じ事案の別の案件に統合されました。"),
    "service_stopped": (
        "自動処理が止まっています",
        "次の自動処理が、繰り返し試みても終わりません。画面で理由を確かめ、原因を直してから、もう一度実行してください。",
    ),
    "webhook_disabled": (
        "外部システムへの通知を止めました",
        "次の送り先へ、繰り返し試みても届きませんでした。送信を止めてあります。原因を直してから、画面で再開してください。",
    ),
}
#: Statutory dates and escalations: whoever is told is asked to confirm it, and the case shows that he did.
ACKNOWLEDGED = frozenset({"escalate", "clock_warning", "clock_overdue"})
#: The mail that tells once a day; no notice of its own inside the application.
DIGEST = "digest"
#: What a text of an office may name.
PLACEHOLDERS = frozenset({"number", "step", "link", "name", "due"})
MAX_SUBJECT, MAX_BODY = 200, 4_000
FOOT = "このメールは自動で送られています。内容は画面で確かめてください。\n"


@dataclass(frozen=True)
class MailText:
    """The words of one kind of mail, with {placeholders}."""

    subject: str
    body: str


def own_text(template: str) -> MailText:
    """The words of a mail where the office has none of its own."""
    subject, sentence = TEMPLATES[template]
    if template == "webhook_disabled":
        return MailText(subject, f"{{name}} 様\n\n{sentence}\n\n送り先：{{step}}\n画面　：{{link}}\n\n{FOOT}")
    lines = "案件番号：{number}\n処理　　：{step}\n画面　　：{link}"
    return MailText(f"【{{number}}】{subject}", f"{{name}} 様\n\n{sentence}\n\n{lines}\n\n{FOOT}")


def subject_and_body(
    template: str, texts: Mapping[str, MailText], *, number: str, step: str, link: str, name: str, due: str
) -> tuple[str, str]:
    """The words of one mail: nothing about what happened."""
    text = texts.get(template) or own_text(template)
    known = {"number": number, "step": step, "link": link, "name": name, "due": due}
    # A header has one line, whatever a step is called.
    return " ".join(text.subject.format(**known).split()), text.body.format(**known)


def digest_text(name: str, day: str, counts: tuple[int, int, int], lines: list[str], link: str) -> tuple[str, str]:
    """The words of a daily digest: how much is overdue, due today, due later; and what was kept for it, by number and step."""
    overdue, today, later = counts
    parts = [
        f"{name} 様",
        "",
        f"{day}の、あなたの役の処理です。",
        "",
        f"期限超過　：{overdue}件",
        f"本日が期限：{today}件",
        f"そのほか　：{later}件",
    ]
    if lines:
        parts += ["", "まとめて届けるお知らせ", *(f"・{line}" for line in lines)]
    parts += ["", f"受信箱：{link}", "", FOOT]
    head = f"期限超過{overdue}件・" if overdue else ""
    return f"本日のまとめ（{head}処理{sum(counts)}件）", "\n".join(parts)


def read_texts(path: Path, findings: Findings) -> dict[str, MailText]:
    """An office's own words for mails (`notices.toml`, optional); what is wrong is added to `findings`."""
    if not path.is_file():
        return {}
    top = read_toml(path, findings)
    if top is None:
        return {}
    texts: dict[str, MailText] = {}
    for table in top.tables("template"):
        template = table.identifier()
        if template and template not in TEMPLATES:
            table.wrong("unknown-template", f"「{template}」という種類のお知らせはありません。")
        if template in texts:
            table.wrong("duplicate-id", "同じ id の文面が2つあります。")
        text = MailText(table.text("subject"), table.text("body"))
        for key, value, longest in (("subject", text.subject, MAX_SUBJECT), ("body", text.body, MAX_BODY)):
            for problem in _wrong_in(value):
                table.wrong("unknown-placeholder", f"「{key}」の{problem}")
            if len(value) > longest:
                table.wrong("out-of-range", f"「{key}」は{longest}文字までです。")
        if "\n" in text.subject:
            table.wrong("out-of-range", "「subject」は1行で書いてください。")
        texts[template] = text
        table.close()
    top.close()
    return texts


def _wrong_in(text: str) -> list[str]:
    """What of a text cannot be filled in."""
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError:
        return ["{ } の書き方が崩れています（文字としての括弧は {{ }} と書きます）。"]
    plain = "{" + "} {".join(sorted(PLACEHOLDERS)) + "}"
    return [
        f"「{{{name}}}」は使えません。使えるのは {plain} だけです。"
        for _, name, how, conversion in parts
        if name is not None and (name not in PLACEHOLDERS or how or conversion)
    ]

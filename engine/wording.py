"""The words for what the engine records: event tags, verbs and states, in Japanese."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.forms import japanese_day
from engine.views import SeatHeld

#: history tag -> sentence; {names} are filled from the row's data.
EVENTS: Mapping[str, str] = {
    "case.started": "「{name}」を開始しました",
    "case.ended": "案件が終わりました：{outcome}",
    "case.withdrawn": "報告を取り下げました",
    "case.merged": "案件 {into} に統合しました",
    "case.moved": "手続の第{from}版から第{to}版へ移しました（計画{plan}）",
    "case.move_undone": "手続の第{from}版へ戻しました（計画{plan}の取消し）",
    "case.linked": "案件 {number} と関連付けました：{label}",
    "case.absorbed": "案件 {from} を統合しました",
    "task.opened": "「{name}」が届きました",
    "task.claimed": "「{name}」を引き受けました",
    "task.released": "「{name}」の引き受けを戻しました",
    "task.completed": "「{name}」を完了しました",
    "task.sent_back": "「{name}」から「{to}」へ差し戻しました",
    "task.cancelled": "「{name}」は不要になりました",
    "task.passed_over": "「{name}」を、{why}先へ進めました（後閲：{to}）",
    "task.moved": "「{name}」の担当が移りました",
    "task.reminded": "「{name}」を督促しました",
    "task.escalated": "「{name}」が目安を過ぎたことを上位者にも知らせました",
    "action.done": "「{name}」を行いました",
    "timer.fired": "時間が経過しました：{name}",
    "service.failed": "自動処理「{name}」が失敗しました（{attempt}回目）",
    "service.retried": "自動処理「{name}」をもう一度実行しました",
    "service.passed": "自動処理「{name}」が終わりました（{attempt}回目）",
    "service.errored": "自動処理「{name}」は、図に描かれたエラー「{code}」になりました",
    "service.cancelled": "止まっていた自動処理「{name}」は不要になりました",
    "note.added": "メモを追加しました",
    "attachment.added": "「{name}」を添付しました",
    "ledger.entered": "{name}に登載しました（第{entry}号、{state}）",
    "ledger.changed": "{name}の第{entry}号を更新しました（{state}）",
    "ledger.corrected": "{name}の第{entry}号を訂正しました",
    "ledger.exported": "{name}を{format}に書き出しました（{rows}件）",
    "clock.started": "法令上の期限「{name}」が始まりました（{due_on}まで）",
    "clock.changed": "法令上の期限「{name}」が{due_on}に変わりました",
    "clock.met": "法令上の期限「{name}」の義務を果たしました",
    "clock.stopped": "法令上の期限「{name}」が止まりました（義務がなくなったため）",
    "clock.warned": "法令上の期限「{name}」（{due_on}まで）が近いことを知らせました",
    "clock.overdue": "法令上の期限「{name}」（{due_on}まで）を過ぎたことを知らせました",
    "referral.opened": "{kind}：{to}",
    "referral.answered": "照会に回答しました",
    "referral.confirmed": "{kind}を確認しました",
    "referral.recalled": "{kind}を取りやめました：{to}",
    "person.taken_out": "関係した職員「{person_name}」を、この案件の担当から外しました",
    "person.taken_in": "職員「{person_name}」を、この案件の担当から外すことをやめました",
    "link.issued": "相手方「{party}」に入力用のリンクを出しました（{until}まで）",
    "link.opened": "相手方が入力用のリンクを開きました",
    "link.ended": "相手方が入力用のリンクを閉じました",
    "link.stopped": "受け付けられない操作が続いたため、相手方のリンクを止めました",
    "link.revoked": "相手方「{party}」の入力用のリンクを取り消しました",
    "attempt.refused": "操作が認められませんでした：{message}",
    "definition.deployed": "手続「{process}」の第{number}版を施行しました",
    "person.registered": "利用者「{name}」を登録しました",
    "person.changed": "利用者「{name}」の登録を変えました",
    "person.ended": "利用者「{name}」の利用を終えました",
    "password.reset": "利用者「{name}」のパスワードを再設定しました",
    "seat.appointed": "「{name}」に就きました",
    "seat.ended": "「{name}」を退きました（{last_day}まで）",
    "deputy.registered": "「{name}」の{kind}を登録しました",
    "deputy.ended": "「{name}」の{kind}の登録を終えました",
    "absence.registered": "不在を登録しました（{from}から{to}まで）",
    "absence.ended": "不在の登録を終えました",
    "draft.begun": "図の下書き「{title}」を作りました",
    "draft.taken_over": "図の下書き「{title}」の編集を{person_name}から引き継ぎました",
    "draft.discarded": "図の下書き「{title}」を破棄しました",
    "draft.review_asked": "図の下書き「{title}」の確認を依頼しました",
    "draft.review_withdrawn": "図の下書き「{title}」の確認の依頼を取り下げました",
    "draft.returned": "図の下書き「{title}」を差し戻しました：{comment}",
    "definition.approved": "手続「{name}」の第{number}版を承認しました（{from}から施行）",
    "definition.in_force": "手続「{name}」の第{number}版が施行されました",
    "definition.cancelled": "手続「{name}」の第{number}版の施行を取り消しました：{reason}",
    "move.proposed": "手続「{name}」の進行中の案件{count}件を、第{from}版から第{to}版へ移すことを提案しました（計画{plan}）",
    "move.approved": "計画{plan}を承認しました：手続「{name}」の案件を第{from}版から第{to}版へ",
    "move.refused": "計画{plan}を認めませんでした：{comment}",
    "move.withdrawn": "計画{plan}を取り下げました",
    "move.undone": "計画{plan}で移した案件 {number} を第{from}版へ戻しました",
    "order.drafted": "発令「{title}」（{effective_on}）を取り込みました",
    "order.approved": "発令「{title}」（{effective_on}）を承認しました",
    "order.withdrawn": "発令「{title}」（{effective_on}）を取りやめました",
    "handover.noted": "「{name}」の引継ぎを書きました",
    "handover.accepted": "「{name}」を引き継ぎました（{count}件）",
    "person.signed_in": "ログインしました",
    "person.sign_in_refused": "ログインに失敗しました",
}

VERBS: Mapping[str, str] = {
    "start": "開始",
    "claim": "引受け",
    "release": "引受けの取消し",
    "complete": "完了",
    "send_back": "差戻し",
    "act": "操作",
    "withdraw": "取下げ",
    "note": "メモ",
    "attach": "添付",
    "merge": "統合",
    "pull_up": "引上げ",
    "consult": "照会",
    "circulate": "回覧",
    "answer": "回答",
    "confirm": "確認",
    "recall": "取りやめ",
    "retry": "再実行",
    "transfer": "別の版への移動",
    "undo_transfer": "元の版への復帰",
    "correct_entry": "台帳の訂正",
    "issue_link": "相手方のリンクの発行",
    "revoke_link": "相手方のリンクの取消し",
}


def standing_text(held: SeatHeld) -> str:
    """As what somebody may act, in one sentence: since when, how, for whom, under which rule."""
    since = japanese_day(held.since.isoformat())
    basis = f"（根拠：{held.basis}）" if held.basis else ""
    if held.kind == "substitute":
        return f"あなたは{since}から「{held.name}」の{held.principal_name}の代理に登録されています{basis}。"
    if held.kind == "decision":
        return f"あなたは{since}から「{held.name}」の{held.principal_name}の代決者に登録されており、いまその人は不在です{basis}。"
    if held.kind == "in_turn":
        return f"担当の役の人がこの処理から外れているため、次の順位の「{held.name}」であるあなたに回っています。"
    how = {"main": "", "concurrent": "（兼務）", "joint": "（併任）", "caretaker": "（事務取扱）", "acting": "（職務代理）"}[held.kind]
    return f"あなたは{since}から「{held.name}」{how}の役にあります{basis}。"


def acting_text(data: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """How one came to act, as the record keeps it beside the seat; empty when plainly by holding it."""
    told = data.get("acting")
    if not isinstance(told, Mapping):
        return ""
    word = {
        "substitute": "代理",
        "decision": "代決",
        "in_turn": "次順位",
        "link": "相手方の入力",
        "caretaker": "事務取扱",
        "acting": "職務代理",
    }.get(str(told.get("kind")), "")
    who = names.get(str(told.get("for", "")), "")
    parts = [f"{who}の{word}" if who and word else word, f"根拠：{told['basis']}" if told.get("basis") else ""]
    return "、".join(part for part in parts if part)


#: What is laid before somebody who does not decide.
REFERRALS: Mapping[str, str] = {"consultation": "照会", "circulation": "回覧", "later_review": "後閲"}


class _Quiet(dict[str, Any]):
    """A missing name reads as nothing: an old row may lack what a newer sentence says."""

    def __missing__(self, key: str) -> str:
        return ""


def event_text(tag: str, data: Mapping[str, Any]) -> str:
    """The sentence of a history row; days are written as people read them."""
    words = {**data, "due_on": japanese_day(data["due_on"])} if isinstance(data.get("due_on"), str) else data
    return EVENTS.get(tag, tag).format_map(_Quiet(words))

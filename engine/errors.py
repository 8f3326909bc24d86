"""Every refusal of the engine: one type each, with the ids it concerns and the Japanese sentence a person reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class TadachiError(Exception):
    """Base of all refusals. Subclasses set `message`, a Japanese sentence whose {names} are filled from the ids given."""

    message = "処理できませんでした。"

    def __init__(self, **ids: Any) -> None:
        self.ids: dict[str, Any] = ids
        super().__init__(self.text)

    @property
    def code(self) -> str:
        """The type's name, stable for scripts and history rows."""
        return type(self).__name__

    @property
    def text(self) -> str:
        """The sentence for people, in Japanese."""
        try:
            return self.message.format(**self.ids)
        except (KeyError, IndexError):  # an id the sentence wants was not given: the bare sentence still helps
            return self.message


class NotFound(TadachiError):
    """Something named does not exist, or the viewer may not know that it does."""

    message = "指定されたものが見つかりません。"


class CaseNotFound(NotFound):
    """No such case among those the viewer's seats may see."""

    message = "案件 {case} が見つからないか、閲覧する権限がありません。"


class TaskNotFound(NotFound):
    """No such task among those the viewer's seats may see."""

    message = "処理 {task} が見つからないか、閲覧する権限がありません。"


class PersonNotFound(NotFound):
    """No such person."""

    message = "利用者「{person}」は登録されていません。"


class ProcessNotFound(NotFound):
    """No version of the procedure is in force."""

    message = "手続「{process}」は登録されていないか、施行されていません。"


class ReferralNotFound(NotFound):
    """Nothing of this number has been laid before the person."""

    message = "照会・回覧・後閲が見つかりません。"


class AttachmentNotFound(NotFound):
    """No such attachment on a visible case."""

    message = "添付ファイル {attachment} が見つかりません。"


class LinkNotFound(NotFound):
    """No such link among those the viewer may keep."""

    message = "相手方のリンクが見つかりません。"


class LinkNotUsable(NotFound):
    """A link or its session that opens nothing: unknown, used, past its time, taken back. It never says which."""

    message = "このリンクは使えません。期限を過ぎたか、すでに使われたか、取り消されたものです。担当の職員に、新しいリンクを頼んでください。"


class OrganisationNotFound(NotFound):
    """No such office folder."""

    message = "機関「{organisation}」のフォルダーが見つかりません。"


class NotAllowed(TadachiError):
    """The actor's seat does not allow the act."""

    message = "この操作を行う権限がありません。"


class NotYourSeat(NotAllowed):
    """The actor does not hold the seat named, on that day."""

    message = "「{seat_name}」の役を、今日の時点で保持していません。"


class NotYourTask(NotAllowed):
    """The task belongs to another seat."""

    message = "この処理の担当は「{seat_name}」です。"


class SamePerson(NotAllowed):
    """Separation of duties: the actor already did the step this one must be independent of."""

    message = "「{other}」を行った本人は、この処理を行えません（兼務・代理でも同じです）。"


class NamedApart(SamePerson):
    """Separation of duties: a field of the case names the actor among those who may not do this step."""

    message = "「{other}」に挙げられている本人は、この処理を行えません（兼務・代理でも同じです）。"


class TakenOut(NotAllowed):
    """The case names the actor: whoever it is about takes no part in handling it."""

    message = "この案件に関係した職員として挙げられているため、処理できません。担当は次の順位の役に移っています。"


class ActionNotOffered(NotAllowed):
    """The case does not offer this action now, or not to this seat."""

    message = "この案件では、いま「{action}」を行えません。"


class NotAbove(NotAllowed):
    """Only a rung above the reviewer may take the paper past him (引上げ)."""

    message = "引上げは、この処理の担当の上位の役だけが行えます。"


class WithdrawNotAllowed(NotAllowed):
    """The rule of the procedure does not allow withdrawing (any more)."""

    message = "この案件は、すでに他の職員が処理したため取下げできません。"


class Conflict(TadachiError):
    """The act does not fit what has happened meanwhile."""

    message = "ほかの操作と重なりました。画面を読み直してください。"


class AlreadyClaimed(Conflict):
    """Someone else has claimed the task."""

    message = "この処理は {at} に {person} が引き受けています。"


class AlreadyDone(Conflict):
    """The task was completed by someone, earlier."""

    message = "この処理は {at} に {person} が完了しています。"


class TaskClosed(Conflict):
    """The process moved on and the task is no longer needed."""

    message = "この処理は {at} に不要となり、取り消されています。"


class StaleVersion(Conflict):
    """The case has changed since the page was read."""

    message = "表示後に案件の内容が更新されました。最新の内容を確かめて、もう一度操作してください。"


class CaseClosed(Conflict):
    """The case has ended."""

    message = "この案件は終結しています。"


class NotSendBack(Conflict):
    """The step does not allow sending back there."""

    message = "この処理から「{to}」へは差し戻せません。"


class NotPassedOver(Conflict):
    """The step is no review that may be passed over."""

    message = "「{name}」は、後閲で先へ進められる処理ではありません。"


class ReferralClosed(Conflict):
    """The consultation, circulation or later review has been closed already."""

    message = "この{kind}は、すでに終わっています。"


class DraftNotFound(NotFound):
    """No such draft of a diagram in the viewer's office."""

    message = "図の下書きが見つかりません。"


class DraftMoved(Conflict):
    """Somebody (perhaps the same person in another window) has saved the draft meanwhile; `revision` is theirs."""

    message = "この下書きは、{at}に{person}が保存しています。あなたの変更は、まだ保存されていません。"


class DraftHeld(Conflict):
    """Somebody else edits the draft now."""

    message = "この下書きは、いま{person}が編集しています（{at}から）。"


class DraftClosed(Conflict):
    """The draft is being reviewed, was approved or was thrown away."""

    message = "この下書きは{state}なので、変更できません。写しを作ると、続きを描けます。"


class VersionNotFound(NotFound):
    """No such version of a procedure in the viewer's office."""

    message = "この版は見つかりません。"


class ReviewClosed(Conflict):
    """What the reviewer decides is not, or no longer, laid before anybody: decided, withdrawn or another revision."""

    message = "{why}"


class PlanNotFound(NotFound):
    """No such plan of moving cases in the viewer's office."""

    message = "案件を別の版へ移す計画は見つかりません。"


class PlanClosed(Conflict):
    """A plan of moving cases that was decided or taken back already."""

    message = "この計画は、すでに決まっているか、取り下げられています。"


class MoveOutdated(Conflict):
    """The case has gone on since the plan was looked at, so that moving it would mean something else."""

    message = "計画を確かめた後に案件が進み、移した結果が変わりました。もう一度計画してください。"


class MoveImpossible(Conflict):
    """The case cannot be carried over to the other version."""

    message = "{why}"


class UndoRefused(Conflict):
    """A case that was moved cannot be put back: something has happened since, or happened with it."""

    message = "移した後に操作や期限の到来などがあったため、元の版に戻せません。"


class ScenariosBusy(Conflict):
    """Somebody else has scenarios played on two versions now."""

    message = "ほかの人がシナリオを試しています。1分ほど待って、もう一度お試しください。"


class VersionMoved(Conflict):
    """Another version of the procedure has been put in force, or approved, since the reviewer compared."""

    message = "この手続は、見比べた後に{person}が第{number}版を承認または施行しました。変わったところを確かめ直してください。"


class FolderBehind(Conflict):
    """A folder is deployed whose diagram was changed there and, by a draft that was approved, in the designer."""

    message = (
        "手続「{name}」は、設計の画面で承認された第{number}版と、フォルダーの図の両方が変わっています。何も施行していません。"
        "tadachi export-bundle {process} で第{number}版をフォルダーに書き出して合わせるか、"
        "フォルダーの図を優先するなら --replace {process} を付けてください。"
    )


class VersionComing(Conflict):
    """A folder is deployed over an approved version that has its day before it."""

    message = "手続「{name}」の第{number}版は、これから施行されます。先にその施行を取り消してください。何も施行していません。"


class ProofNotFound(NotFound):
    """No such proof of a draft in the viewer's office."""

    message = "この検査は見つかりません。"


class NotStopped(NotFound):
    """No stopped step of this number in the actor's office: it goes on again, or the case no longer needs it."""

    message = "この処理は、もう止まっていません。再開したか、案件のほうで不要になっています。"


class WebhookNotFound(NotFound):
    """No such address among the office's, or a token that is nobody's."""

    message = "この送り先は登録されていません。"


class DeliveryNotFound(NotFound):
    """No such delivery in the office that was given up."""

    message = "再送できる送信が見つかりません。送り直されたか、送り先がなくなっています。"


class FeedNotFound(NotFound):
    """No calendar at this address (any more)."""

    message = "この予定表のアドレスは使えません。"


class TriedMeanwhile(Conflict):
    """The stopped step was tried after the page was made."""

    message = "この処理は、表示のあとに実行されましたが、再び失敗しました。新しい理由を確かめてから、もう一度操作してください。"


class StepOver(Conflict):
    """An outside party answers a step that is done already or is no longer needed; who did it is the office's affair."""

    message = "この入力は、もう受け付けていません。すでに済んでいるか、手続が先に進んでいます。"


class NotAccepted(Conflict):
    """An outside party's act was refused for a reason that is the office's affair."""

    message = "受け付けられませんでした。何も記録されていません。お手数ですが、担当の職員に連絡してください。"


class NotClaimed(Conflict):
    """Release of something one does not hold."""

    message = "この処理を引き受けていません。"


class Invalid(TadachiError):
    """What was entered does not fit."""

    message = "入力内容に誤りがあります。"


class FormInvalid(Invalid):
    """One or more fields do not fit; `fields` maps field id to its Japanese message."""

    message = "入力内容に誤りがあります。"

    def __init__(self, fields: Mapping[str, str], **ids: Any) -> None:
        self.fields: dict[str, str] = dict(fields)
        super().__init__(**ids)

    @property
    def text(self) -> str:
        """The sentence, followed by each field's own."""
        return self.message + "".join(f"\n・{text}" for text in getattr(self, "fields", {}).values())


class ReviewRefused(Invalid):
    """A draft cannot be laid before a reviewer, be approved or come into force so."""

    message = "{why}"


class PlanRefused(Invalid):
    """Cases cannot be proposed to be moved so."""

    message = "{why}"


class DraftRefused(Invalid):
    """What is to be kept as a draft is no bundle of diagrams and tables, or too large for one."""

    message = "下書きにできません：{why}"


class ReasonRequired(Invalid):
    """The act needs a reason."""

    message = "理由を入力してください。"


class TextTooLong(Invalid):
    """Free text over its limit."""

    message = "{name}は{limit}文字以内で入力してください。"


class UnknownUnit(Invalid):
    """A unit id that the office does not have on that day."""

    message = "部署「{unit}」は、この機関にありません。"


class UnknownSeat(Invalid):
    """A seat that the office does not have on that day."""

    message = "役「{seat}」は、この機関に（その日には）ありません。「役@部署」の形で指定してください。"


class PersonExists(Invalid):
    """The id is taken."""

    message = "利用者ID「{person}」は、すでに登録されています。"


class NoSeat(Invalid):
    """No unit upward has a seat of the role, so the step would reach nobody."""

    message = "「{role}」の役が、部署「{unit}」にもその上位にもありません。"


class ClosingNotReady(Invalid):
    """Duties are open that must have a record before the case closes."""

    message = "未了の義務があるため終結できません：{duties}"


class AttachmentRefused(Invalid):
    """The file cannot be taken, and why."""

    message = "ファイル「{name}」を添付できません：{why}"


class LinkRefused(Invalid):
    """A link that cannot be issued: the procedure leaves nothing to an outside party, or there are too many already."""

    message = "リンクを出せません：{why}"


class SnoozeRefused(Invalid):
    """A step that may not be put off, or not until then."""

    message = "{why}"


class ReferralRefused(Invalid):
    """Nobody to lay the case before, or one who may not see it."""

    message = "{why}"


class MergeRefused(Invalid):
    """Two cases that cannot be merged."""

    message = "案件を統合できません：{why}"


@dataclass(frozen=True)
class Finding:
    """One thing wrong in a diagram or an office's folder.

    Attributes:
        severity: "error" keeps it from coming into force, "warning" does not.
        run: a shortest run that shows it, as steps of a scenario (engine/scenario_text.py), in JSON; "" when no run can.
    """

    rule: str
    message: str
    element: str = ""
    file: str = ""
    severity: str = "error"
    run: str = ""


class Refused(TadachiError):
    """A file was refused as a whole, with its findings."""

    message = "受け付けられません。"

    def __init__(self, findings: Sequence[Finding], **ids: Any) -> None:
        self.findings: tuple[Finding, ...] = tuple(findings)
        super().__init__(**ids)

    @property
    def text(self) -> str:
        """The sentence, followed by one line per finding."""
        lines = [
            f"\n・{f.file}{'：' if f.file else ''}{f'「{f.element}」' if f.element else ''}{f.message}"
            for f in getattr(self, "findings", ())
        ]
        return self.message + "".join(lines)


class DefinitionRefused(Refused):
    """A diagram or decision table cannot be deployed."""

    message = "この図は登録できません。"


class OrganisationBroken(Refused):
    """An office's folder does not hold together."""

    message = "機関のフォルダーに誤りがあります。"


class DiagramFault(TadachiError):
    """The diagram or a decision table does not say what happens with these facts: no fault of who acts, and nothing was done."""


class ExpressionError(DiagramFault):
    """An expression does not compile or cannot be evaluated; `position` counts characters from 0."""

    message = "式「{source}」の{position}文字目：{why}"


class NoWayOut(DiagramFault):
    """No outgoing flow of a gateway or activity may be taken (BPMN 2.0.2, 13.4.2)."""

    message = "「{node}」から先へ進む条件が、どれも成り立ちません。"


class TooManySteps(DiagramFault):
    """One act moved more than any sensible diagram does."""

    message = "処理が終わりません。図の「{node}」の近くに、待つ所のない繰り返しがないか確かめてください。"


class BadInstances(DiagramFault):
    """A repeated activity whose list or number cannot be used."""

    message = "「{node}」の繰り返しの数が正しくありません（{why}）。"


class DecisionAmbiguous(DiagramFault):
    """Several rules match where the hit policy allows one (UNIQUE), or they disagree (ANY)."""

    message = "決定表「{decision}」で複数の行が当てはまり、結果が決まりません（{rules}行目）。"


class SettingUnknown(DiagramFault):
    """An expression asks for a setting that the office's rules do not have."""

    message = "設定「{setting}」は rules.toml の [[setting]] にありません。"


class EndlessChain(DiagramFault):
    """A case begins a case that begins a case, and so on: two procedures begin each other."""

    message = "案件が案件を始める連鎖が{limit}件を超えます。"


class UnknownFormat(TadachiError):
    """A stored marking of a newer version of the engine."""

    message = "保存された進行状態の形式（{format}）を読めません。"


class NotWaiting(Conflict):
    """The act names something that does not wait (any more)."""

    message = "この要素は、いま待っていません（{wait}）。画面を読み直してください。"


class ScenarioBroken(Refused):
    """The file is not a scenario."""

    message = "シナリオを読めません。"


class ScenarioFailed(TadachiError):
    """The case did not go the way the scenario tells."""

    message = "シナリオ「{title}」の{number}番目（{step}）：{why}"


class SignInRefused(TadachiError):
    """Unknown person or wrong password: the answer does not say which."""

    message = "利用者IDまたはパスワードが違います。失敗が続くと、しばらくログインできなくなります。"


class Locked(SignInRefused):
    """Too many failed sign-ins. It reads like any other refusal: that an id is locked would say that it exists."""


class IdentityUnknown(SignInRefused):
    """A sign-in service vouches for somebody whom nobody has linked with a person here."""

    message = "この認証の利用者は、この庁のタダチに登録されていません。"


class AccountEnded(SignInRefused):
    """A sign-in service vouches for a person whose account here has ended. Only that person gets to read it."""

    message = "この利用者は、タダチの利用を終えています。"


class IdentityTaken(Invalid):
    """The outside identity stands for a person already."""

    message = "「{source}」の「{subject}」は、すでに利用者「{person}」に結び付いています。"


class IdentityInvalid(Invalid):
    """A source or subject that cannot be stored."""

    message = "認証元は英小文字・数字・_・- で60文字以内、認証元での番号は1文字以上255文字以内で指定してください（directory には利用者IDそのもの）。"


class IdentityNotFound(NotFound):
    """Nobody is linked with the outside identity."""

    message = "「{source}」の「{subject}」は、だれにも結び付いていません。"


class SettingsBroken(TadachiError):
    """The environment says something that cannot be followed."""

    message = "環境変数 {name} を確かめてください：{why}。"


class DirectoryUnavailable(TadachiError):
    """The directory of people did not answer, or not completely."""

    message = "職員の名簿を受け取れません：{why}"


@dataclass(frozen=True)
class PersonFault:
    """One person of a directory who does not fit: where the entry stands, whose id it has, and why."""

    where: str
    id: str
    why: str


@dataclass(frozen=True)
class RowFault:
    """One thing wrong in a file of rows: the line (0 = the whole file), the header of the column, and a Japanese sentence."""

    line: int
    column: str
    message: str


class OrderInvalid(Invalid):
    """An order does not fit; nothing of it was applied. `faults` says what is wrong in which row."""

    message = "発令に誤りがあります。何も取り込んでいません。"

    def __init__(self, faults: Sequence[RowFault], **ids: Any) -> None:
        self.faults: tuple[RowFault, ...] = tuple(faults)
        super().__init__(**ids)

    @property
    def text(self) -> str:
        """The sentence, followed by a line for each fault."""
        places = (
            (f"{one.line}行目 " if one.line else "") + (f"「{one.column}」" if one.column else "") for one in getattr(self, "faults", ())
        )
        told = zip(places, getattr(self, "faults", ()), strict=True)
        return self.message + "".join(f"\n・{place}{one.message}" for place, one in told)


class OrderRefused(Invalid):
    """The order cannot be decided so: by the same person, twice, or after its day has come."""

    message = "{why}"


class OrderNotFound(NotFound):
    """No such order in this office."""

    message = "発令が見つかりません。"


class HandoverNotFound(NotFound):
    """No such handover, or it is not the person's."""

    message = "引継ぎが見つかりません。"


class LedgerEntryNotFound(NotFound):
    """No such entry of a ledger among those the viewer may read."""

    message = "{ledger}の第{entry}号が見つからないか、閲覧する権限がありません。"


class EntryChanged(Conflict):
    """The entry of a ledger has a newer revision than the one the actor saw."""

    message = "この行は {at} に {person} が更新しています。最新の内容を確かめて、もう一度操作してください。"


class TooManyEntries(Invalid):
    """More entries of a ledger than one file of that form takes."""

    message = "{limit}件を超えるため、{form}に書き出せません。期間や部署で絞ってください。"


class NothingCorrected(Invalid):
    """A correction that would leave every column as it is."""

    message = "訂正するところがありません。直す列の内容を書き換えてください。"


class DatedFactInvalid(Invalid):
    """A dated fact about a person (holding, deputy, absence) does not fit with what is known."""

    message = "{why}"


class DirectoryInvalid(Invalid):
    """Rows of a directory do not fit; nothing was changed. `rows` says which and why."""

    message = "職員の名簿に誤りがあります。何も変えていません。"

    def __init__(self, rows: Sequence[PersonFault], **ids: Any) -> None:
        self.rows: tuple[PersonFault, ...] = tuple(rows)
        super().__init__(**ids)

    @property
    def text(self) -> str:
        """The sentence, followed by a line for each row."""
        return self.message + "".join(f"\n・{row.where}　{row.id or '（番号なし）'}　{row.why}" for row in getattr(self, "rows", ()))


class SyncRefused(Invalid):
    """So many accounts would end that the directory is more likely broken than the office empty."""

    message = (
        "{of}人のうち{ending}人の利用を終えることになるため、止めました（一度に終えられるのは{limit}人まで）。何も変えていません。"
        "名簿が正しいと確かめたうえで行うには --force を付けてください。"
    )


class PlayRefused(Invalid):
    """The sandbox cannot play what was asked for."""

    message = "{why}"


class PlayMoved(Conflict):
    """The run was played on in another window."""

    message = "別の画面で操作が進んでいます。いまの状態を表示しています。もう一度操作してください。"


class PlayTooLong(Invalid):
    """A run that needs more time or more due work than a sandbox has."""

    message = "試行が長くなりすぎたため、止めました（{why}）。"

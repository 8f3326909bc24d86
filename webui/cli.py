"""The command `tadachi`: sets up, serves and works an installation, and does the same acts as the pages, for people and scripts."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import click

import engine as core
from engine import JST, Engine, Settings, TadachiError
from webui import cli_acting, cli_clauses, cli_ledgers, cli_moving, cli_play, cli_posts, cli_versions, serving
from webui import demo as demonstration
from webui.cli_directory import people
from webui.cli_doctor import doctor
from webui.cli_shared import acting as _acting
from webui.cli_shared import case_id as _case_id
from webui.cli_shared import open_engine as _engine
from webui.cli_shared import print_json as _print_json

#: Seconds for the proof of one procedure: what a deployment takes, and what a command may be told to take.
DEFAULT_BUDGET, MOST_BUDGET = 180.0, 3600

Command = TypeVar("Command", bound=Callable[..., Any])


class Refusals(click.Group):
    """Turns every refusal of the engine into its Japanese sentence and exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except TadachiError as error:
            click.echo(f"エラー：{error.text}", err=True)
            sys.exit(1)
        except core.STORAGE_ERRORS as error:
            why = str(error.args[0] if error.args else error).splitlines()[0]
            click.echo(f"エラー：データベースを使えません（{why}）。", err=True)
            click.echo(
                "TADACHI_DATABASE の先が動いているか、tadachi migrate（はじめてなら init）を実行したかを確かめてください。", err=True
            )
            sys.exit(1)


@click.group(cls=Refusals, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Tadachi：個人情報の事案と承認手続のワークフロー。

    設定は環境変数（TADACHI_DATABASE, TADACHI_SMTP, TADACHI_URL など）で変えられます。
    """


def _serving_at(host: str, port: int) -> Settings:
    """The settings, with links that lead to where the pages are served unless TADACHI_URL says otherwise."""
    settings = Settings.from_environment()
    return settings if "TADACHI_URL" in os.environ else dataclasses.replace(settings, base_url=f"http://{host}:{port}")


def _day(_context: click.Context, _parameter: click.Parameter, value: str) -> date:
    try:
        return core.read_date(value)
    except ValueError:
        raise click.BadParameter(f"日付「{value}」を読めません（例：2026-12-01、令和8年12月1日）。") from None


def _answering(command: Command) -> Command:
    """--answers and --set: what is entered."""
    command = click.option("--set", "pairs", multiple=True, metavar="項目=値", help="入力項目。繰り返せます。値は JSON でも書けます。")(
        command
    )
    return click.option("--answers", type=click.File("r", encoding="utf-8"), help="入力項目の JSON ファイル（- は標準入力）。")(command)


def _answers(file: Any, pairs: tuple[str, ...]) -> dict[str, Any]:
    found: Any = {}
    if file is not None:
        try:
            found = json.load(file)
        except json.JSONDecodeError as error:
            raise click.BadParameter(f"JSON として読めません（{error.lineno}行目）。", param_hint="--answers") from None
        if not isinstance(found, dict):
            raise click.BadParameter("項目と値の組（JSON のオブジェクト）を渡してください。", param_hint="--answers")
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise click.BadParameter(f"「{pair}」は「項目=値」の形ではありません。", param_hint="--set")
        try:
            found[name] = json.loads(text)
        except json.JSONDecodeError:
            found[name] = text
    return dict(found)


def _warn(finding: core.Finding) -> None:
    click.echo(f"注意：{finding.file}  {_line(finding)}", err=True)


def _line(finding: core.Finding) -> str:
    """A finding in a line: the element, what is wrong, the rule."""
    severity = "注意：" if finding.severity != "error" else ""
    return f"{f'「{finding.element}」' if finding.element else ''}{severity}{finding.message} [{finding.rule}]"


# -------------------------------------------------------------------- setting up and running


@main.command()
@click.option("--organisation", required=True, help="機関のフォルダー名（例：isa）。")
@click.option("--admin", default="admin", show_default=True, help="最初の管理者の利用者ID。")
@click.option("--name", default="システム管理者", show_default=True, help="管理者の表示名（職名）。")
@click.password_option("--password", help="管理者のパスワード（12文字以上）。")
def init(organisation: str, admin: str, name: str, password: str) -> None:
    """データベースを作り、機関の手続と最初の管理者を登録します（デモのデータは入りません）。"""
    engine = _engine()
    office = engine.organisation(organisation)
    core.check_new_password(password, admin, office.rules.password.minimum_length)
    engine.migrate()
    stored = engine.deploy(
        organisation, admin, _warn
    )  # first: a broken diagram must not leave an office with an administrator and nothing to run
    hashed = core.hash_password(password)
    engine.register(admin, organisation, name, email=None, password_hash=hashed, seats=[f"administrator@{office.id}"])
    click.echo(f"{office.name}：管理者「{admin}」を登録し、手続{len(stored)}件を施行しました。")


@main.command()
def migrate() -> None:
    """データベースをこの版の形にします。"""
    _engine().migrate()
    click.echo("データベースは最新の形です。")


@main.command()
@click.option("--organisation", required=True, help="機関のフォルダー名。")
@click.option("--as", "person", required=True, metavar="利用者ID", help="誰が施行するか。")
@click.option("--replace", multiple=True, metavar="手続", help="設計の画面で承認された新しい版があっても、フォルダーの図を施行する手続。")
def deploy(organisation: str, person: str, replace: tuple[str, ...]) -> None:
    """機関のフォルダーの図と決定表を確かめ、変わった手続はすべての場合を検証し、新しい版として施行します。

    設計の画面で承認された版のほうが新しい手続は、フォルダーの図が変わっていなければそのままにし、変わっていれば施行せずに知らせます。
    """
    engine = _engine()
    viewer = engine.viewer(person)
    allowed = engine.organisation(organisation).rules.deployers
    if viewer.organisation != organisation or not viewer.has_role(*allowed):
        raise core.NotAllowed()
    stored = engine.deploy(organisation, person, _warn, replace=replace)
    for process_id, version in stored:
        click.echo(f"{process_id} 第{version}版")
    if not stored:
        click.echo("変わった手続はありません。")


@main.group()
def person() -> None:
    """利用者と役。"""


@person.command("add")
@click.argument("person_id")
@click.option("--organisation", required=True, help="機関のフォルダー名。")
@click.option("--name", required=True, help="表示名（職名など）。")
@click.option("--email", help="通知メールの宛先。")
@click.option("--seat", "seats", multiple=True, metavar="役@部署", help="今日から就く役。繰り返せます。")
@click.password_option("--password", help="はじめのパスワード（12文字以上）。")
def person_add(person_id: str, organisation: str, name: str, email: str | None, seats: tuple[str, ...], password: str) -> None:
    """利用者 PERSON_ID を登録し、役に就けます。"""
    engine = _engine()
    core.check_new_password(password, person_id, engine.organisation(organisation).rules.password.minimum_length)
    engine.register(person_id, organisation, name, email=email, password_hash=core.hash_password(password), seats=seats)
    click.echo(f"「{person_id}」を登録しました。")


@person.command("appoint")
@click.argument("person_id")
@click.argument("seat")
@click.option("--kind", type=click.Choice(["main", "concurrent", "joint", "caretaker", "acting"]), default="main", show_default=True)
@click.option("--since", callback=lambda c, p, v: _day(c, p, v) if v else None, help="いつから（省くと今日）。")
@click.option("--until", callback=lambda c, p, v: _day(c, p, v) if v else None, help="いつまで（この日を含む）。")
def person_appoint(person_id: str, seat: str, kind: str, since: date | None, until: date | None) -> None:
    """利用者 PERSON_ID を役 SEAT（役@部署）に就けます。"""
    _engine().appoint(person_id, seat, kind=kind, since=since, until=until)
    click.echo("役に就けました。")


@main.command()
@click.option("--demo", is_flag=True, help="デモの機関・利用者・案件を用意して始めます。")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, envvar="TADACHI_PORT", type=click.IntRange(1, 65535))
def run(demo: bool, host: str, port: int) -> None:
    """画面とワーカーを、一台の機械で並べて動かします。"""
    settings = _serving_at(host, port)
    engine = Engine(dataclasses.replace(settings, demo=True) if demo else settings)
    engine.migrate()
    if demo:
        made = demonstration.prepare(engine)
        click.echo("デモのデータを作りました。" if made else "前回のデモのデータをそのまま使います（作り直すには make demo-reset）。")
    serving.run(engine, host, port, worker=True, say=click.echo)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, envvar="TADACHI_PORT", type=click.IntRange(1, 65535))
def serve(host: str, port: int) -> None:
    """画面だけを動かします。"""
    serving.run(Engine(_serving_at(host, port)), host, port, worker=False, say=click.echo)


@main.command()
@click.option("--metrics-port", type=click.IntRange(1, 65535), help="この口で、監視のための数値（/metrics）と /livez に答えます。")
@click.option(
    "--metrics-host",
    default="127.0.0.1",
    show_default=True,
    help="その待受けのアドレス。ほかの機械から読むには TADACHI_METRICS_TOKEN が要ります。",
)
def worker(metrics_port: int | None, metrics_host: str) -> None:
    """ワーカー（期限・督促・通知）だけを動かします。PostgreSQL なら、何台の機械でいくつ動かしてもかまいません。"""
    serving.work(_engine(), say=click.echo, metrics=(metrics_host, metrics_port) if metrics_port else None)


@main.command("demo-reset")
def demo_reset() -> None:
    """デモのデータベースを消して、はじめの状態に作り直します。"""
    settings = dataclasses.replace(Settings.from_environment(), demo=True)
    demonstration.remove(settings)
    engine = Engine(settings)
    engine.migrate()
    demonstration.prepare(engine)
    click.echo("デモのデータを作り直しました。")


@main.command()
@click.option("--as", "person", metavar="利用者ID", help="どの管理者として見るか（省くと、この設置の全機関）。")
@click.option("--json", "as_json", is_flag=True)
def stopped(person: str | None, as_json: bool) -> None:
    """自動処理の失敗で止まっている処理を一覧にします。"""
    engine = _engine()
    rows = engine.stopped(engine.viewer(person) if person else None)
    if as_json:
        _print_json(rows)
        return
    for row in rows:
        again = f"{row.next_try.astimezone(JST):%Y-%m-%d %H:%M}" if row.next_try else "自動では試みません"
        since = f"{row.since.astimezone(JST):%Y-%m-%d %H:%M}"
        click.echo(f"{row.id:>6}  {row.number}  {row.step}  {since}から  {row.attempts}回  次：{again}  理由：{row.reason}")
    click.echo(f"{len(rows)}件")


@main.command()
@click.argument("job_id", type=click.IntRange(1, 2**63 - 1), metavar="ID")
@click.option("--as", "person", metavar="利用者ID", help="どの管理者が行うか（省くと、システムとして記録します）。")
def retry(job_id: int, person: str | None) -> None:
    """止まっている処理 ID（stopped の番号）を、いまもう一度実行します。"""
    with _engine().work(by=person or core.SYSTEM) as work:
        goes_on = work.retry(job_id)
    if not goes_on:
        click.echo("再び失敗しました。理由は tadachi stopped で確かめてください。", err=True)
        sys.exit(1)
    click.echo("実行し、案件は続きへ進みました。")


# -------------------------------------------------------------------- acts


@main.command()
@click.argument("process")
@_acting
@_answering
@click.option("--json", "as_json", is_flag=True)
def start(process: str, person: str, seat: str | None, answers: Any, pairs: tuple[str, ...], as_json: bool) -> None:
    """手続 PROCESS（例：isa_incident）の案件を始めます。"""
    engine = _engine()
    with engine.work(by=person, seat=seat) as work:
        case_id = work.start(process, _answers(answers, pairs))
    head = engine.case(engine.viewer(person), case_id).head
    if as_json:
        _print_json(head)
    else:
        click.echo(f"{head.number}（案件 {head.id}）を開始しました。{head.state_text}")


@main.command()
@click.option("--as", "person", required=True, metavar="利用者ID")
@click.option("--show", type=click.Choice(["all", "overdue", "today", "mine", "unread"]), default="all", show_default=True)
@click.option("--limit", default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def tasks(person: str, show: str, limit: int, as_json: bool) -> None:
    """利用者の受信箱（処理待ち）を一覧にします。"""
    engine = _engine()
    page = engine.inbox(engine.viewer(person), show=show, limit=limit)
    if as_json:
        _print_json(page.rows)
        return
    for row in page.rows:
        due = f"{row.due_at.astimezone(JST):%Y-%m-%d %H:%M}" if row.due_at else "―"
        late = "【超過】" if row.overdue else ""
        click.echo(f"{row.task_id:>6}  {row.number}  {row.step}  担当：{row.seat_name}  期限：{due}{late}")
    click.echo(f"{page.counts.all}件（うち期限超過 {page.counts.overdue}件）")


@main.command()
@click.argument("task_id", type=int)
@_acting
def claim(task_id: int, person: str, seat: str | None) -> None:
    """処理 TASK_ID を引き受けます。"""
    with _engine().work(by=person, seat=seat) as work:
        work.claim(task_id)
    click.echo("引き受けました。")


@main.command()
@click.argument("task_id", type=int)
@_acting
def release(task_id: int, person: str, seat: str | None) -> None:
    """引き受けた処理 TASK_ID を役に戻します。"""
    with _engine().work(by=person, seat=seat) as work:
        work.release(task_id)
    click.echo("引き受けを戻しました。")


@main.command()
@click.argument("task_id", type=int)
@_acting
@_answering
@click.option("--version", type=int, help="画面や show で見た案件の版。後から変わっていれば断ります。")
def complete(task_id: int, person: str, seat: str | None, answers: Any, pairs: tuple[str, ...], version: int | None) -> None:
    """処理 TASK_ID を完了します。"""
    with _engine().work(by=person, seat=seat) as work:
        work.complete(task_id, _answers(answers, pairs), version)
    click.echo("完了しました。")


@main.command("send-back")
@click.argument("task_id", type=int)
@_acting
@click.option("--reason", required=True, help="理由。")
@click.option("--to", help="戻す先の要素ID（一つしかなければ省けます）。")
def send_back(task_id: int, person: str, seat: str | None, reason: str, to: str | None) -> None:
    """処理 TASK_ID を前の段階へ差し戻します。"""
    with _engine().work(by=person, seat=seat) as work:
        work.send_back(task_id, reason, to)
    click.echo("差し戻しました。")


@main.command()
@click.argument("case")
@click.argument("action")
@_acting
@_answering
def act(case: str, action: str, person: str, seat: str | None, answers: Any, pairs: tuple[str, ...]) -> None:
    """案件 CASE（番号かID）で、図が用意する操作 ACTION（例：raise_to_grave）を行います。"""
    engine = _engine()
    with engine.work(by=person, seat=seat) as work:
        work.act(_case_id(engine, person, case), action, _answers(answers, pairs))
    click.echo("行いました。")


@main.command()
@click.argument("case")
@_acting
@click.option("--reason", required=True, help="理由。")
def withdraw(case: str, person: str, seat: str | None, reason: str) -> None:
    """自分が報告した案件 CASE を取り下げます。"""
    engine = _engine()
    with engine.work(by=person, seat=seat) as work:
        work.withdraw(_case_id(engine, person, case), reason)
    click.echo("取り下げました。")


@main.command()
@click.argument("case")
@click.argument("text")
@_acting
def note(case: str, text: str, person: str, seat: str | None) -> None:
    """案件 CASE の記録にメモ TEXT を加えます。"""
    engine = _engine()
    with engine.work(by=person, seat=seat) as work:
        work.note(_case_id(engine, person, case), text)
    click.echo("メモを加えました。")


@main.command()
@click.argument("case")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_acting
def attach(case: str, file: Path, person: str, seat: str | None) -> None:
    """案件 CASE に FILE を添付します。"""
    engine = _engine()
    with engine.work(by=person, seat=seat) as work:
        work.attach(_case_id(engine, person, case), file.name, file.read_bytes())
    click.echo("添付しました。")


@main.command()
@click.argument("case")
@click.argument("into")
@_acting
@click.option("--reason", required=True, help="理由。")
def merge(case: str, into: str, person: str, seat: str | None, reason: str) -> None:
    """重複する案件 CASE を案件 INTO に統合します。"""
    engine = _engine()
    with engine.work(by=person, seat=seat) as work:
        work.merge(_case_id(engine, person, case), _case_id(engine, person, into), reason)
    click.echo("統合しました。")


@main.command()
@click.argument("case")
@click.option("--as", "person", required=True, metavar="利用者ID", help="誰として見るか。")
@click.option("--json", "as_json", is_flag=True)
@click.option("--what-if", is_flag=True, help="だれも処理しないとき、いつ、だれに、何が知らされるか。")
@click.option("--days", type=click.IntRange(1, 365), default=30, show_default=True, help="--what-if で見る日数。")
def show(case: str, person: str, as_json: bool, what_if: bool, days: int) -> None:
    """案件 CASE（番号かID）の状況・期限・経過を表示します。"""
    engine = _engine()
    viewer = engine.viewer(person)
    page = engine.case(viewer, _case_id(engine, person, case))
    if what_if:
        told = engine.if_nobody_acts(viewer, page.head.id, days)
        if as_json:
            _print_json(told)
            return
        for one in told:
            click.echo(f"{one.at.astimezone(JST):%Y-%m-%d %H:%M}  {one.what}：{one.step}  → {'、'.join(one.to)}")
        return
    if as_json:
        _print_json(page)
        return
    click.echo(f"{page.head.number}  {page.head.title}\n状況：{page.head.state_text}")
    for clock in page.clocks:
        words = {"running": "進行中", "overdue": "超過", "met": "済", "late": "済（期限後）", "stopped": "停止"}[clock.state]
        click.echo(f"法令上の期限：{clock.name} {clock.due_on}まで（{words}、{clock.day}日目）")
    for step in page.steps:
        holders = "、".join(step.holders) or "担当者なし"
        click.echo(f"処理待ち：{step.task_id}  {step.step}  {step.seat_name}（{holders}）{'【超過】' if step.overdue else ''}")
    for other in page.linked:
        click.echo(f"関連する案件：{other.number}  {other.process_name}（{other.label}）")
    for event in page.timeline:
        click.echo(f"{event.at.astimezone(JST):%Y-%m-%d %H:%M}  {event.seat_name or event.person_name}  {event.text}")


# -------------------------------------------------------------------- the law's questions, without a case


@main.command()
@click.option("--organisation", default="isa", show_default=True, help="機関のフォルダー名。")
@click.option("--facts", "file", required=True, type=click.File("r", encoding="utf-8"), help="事実の JSON ファイル（- は標準入力）。")
@click.option(
    "--absent", type=click.Choice(["assumed", "unknown"]), default="assumed", show_default=True, help="書かれていない事実の扱い。"
)
@click.option("--json", "as_json", is_flag=True)
def duties(organisation: str, file: Any, absent: str, as_json: bool) -> None:
    """事実から、報告・通知の義務を機関の決定表で判定します。

    書かれていない事実は機関の rules.toml の [assumed] の値とみなし、標準エラーに示します。--absent unknown では不明とみなします。
    """
    try:
        facts = json.load(file)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise click.BadParameter("JSON として読めません。", param_hint="--facts") from None
    office = core.load_organisation(Settings.from_environment().bpmn / organisation)
    found, assumed = core.judge(office, facts, core.SystemClock().now(), assume=absent == "assumed")
    if assumed:
        click.echo(
            "書かれていないため、次のとおりとみなしました："
            + "、".join(f"{k}={json.dumps(v, ensure_ascii=False)}" for k, v in assumed.items()),
            err=True,
        )
    if as_json:
        _print_json(found)
        return
    for name, value in found.items():
        click.echo(f"{name}: {json.dumps(value, ensure_ascii=False)}")


@main.command()
@click.option("--known", required=True, callback=_day, help="知った日（1日目）。")
@click.option("--days", required=True, type=click.IntRange(1, 3650), help="日数。")
@click.option("--organisation", default="isa", show_default=True, help="閉庁日の定めを使う機関。")
@click.option("--json", "as_json", is_flag=True)
def due(known: date, days: int, organisation: str, as_json: bool) -> None:
    """知った日から数えた法令上の期限（末日が閉庁日なら次の開庁日）を計算します。"""
    office = core.load_organisation(Settings.from_environment().bpmn / organisation)
    raw = core.guide_day(known, days)
    limit = core.statutory_due(known, days, office.rules.calendar)
    if as_json:
        _print_json({"known": known, "days": days, "raw": raw, "due": limit})
        return
    click.echo(limit.isoformat())
    if raw != limit:
        why = office.rules.calendar.why_closed(raw)
        click.echo(f"（{days}日目の {raw} は{why}のため、次の開庁日）", err=True)


def _budget(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float:
    try:
        seconds = float(value) if value is not None else DEFAULT_BUDGET
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= MOST_BUDGET:
        raise click.BadParameter(f"0より大きく{MOST_BUDGET}までの秒数を書いてください（「{value}」）。")
    return seconds


@main.command()
@click.argument("paths", nargs=-1, metavar="FILE|FOLDER…", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="ファイルごとの指摘を JSON で出します。")
@click.option("--budget", callback=_budget, metavar="秒", help=f"一つの手続の検証にかける時間（省くと{DEFAULT_BUDGET:g}秒）。")
@click.option("--static", is_flag=True, help="図と表を読んで分かることだけを調べます（すべての場合は検証しません）。")
@click.option(
    "--save-runs", "folder", metavar="FOLDER", type=click.Path(path_type=Path), help="指摘を示す手順をシナリオ（YAML）として保存します。"
)
def check(paths: tuple[Path, ...], as_json: bool, budget: float, static: bool, folder: Path | None) -> None:
    """図と決定表を、施行せずに調べます。すべての場合をたどり、行き詰まりや終わらない案件、機関の定めに反する進み方を見つけます。

    機関のフォルダー（organisation.toml のあるもの）は機関ごと、その中のファイルはそれを使う手続を、ほかは図だけを調べます。
    指摘がなければ 0、あれば 1、調べられなければ 2 で終わります（注意だけなら 0）。
    """
    if not paths:
        raise click.UsageError("調べるファイルかフォルダーを指定してください（例：tadachi check bpmn/isa）。")
    for path in paths:
        if not path.exists():
            raise click.UsageError(f"「{path}」というファイルもフォルダーもありません。")
    if folder is not None and folder.exists() and not folder.is_dir():
        raise click.BadParameter(f"「{folder}」はフォルダーではありません。", param_hint="--save-runs")
    today = core.civil_day(core.SystemClock().now())
    try:
        found = Engine.inspect(paths, Settings.from_environment(), on=today, static=static, budget=budget)
    except OSError as error:
        raise click.UsageError(f"「{error.filename}」を読めません（権限または種類を確かめてください）。") from None
    for path in found.nothing:
        raise click.UsageError(f"「{path}」には、調べる図（.bpmn）も決定表（.dmn）もありません。")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for run in found.runs:
            (folder / run.name).write_text(run.text, "utf-8")
    files = {_shown(path, paths): findings for path, findings in found.findings.items()}
    if as_json:
        _print_json({file: [_as_object(finding) for finding in findings] for file, findings in files.items()})
    else:
        _print_findings(files)
        count = sum(map(len, files.values()))
        click.echo(f"{len(files)}ファイル、指摘 {count}件")
        if static:
            click.echo("読んで分かることだけを調べました（すべての場合の検証はしていません）。")
        else:
            unfinished = f"（うち {found.unfinished}件は終わりまで調べられず）" if found.unfinished else ""
            walked = f"手続 {found.proven}件{unfinished}、状態 {found.states:,}、遷移 {found.transitions:,}、{found.seconds:.1f}秒"
            click.echo(f"すべての場合の検証：{walked}")
        if folder is not None:
            click.echo(f"手順を {folder} に {len(found.runs)}件保存しました（tadachi play で演じられます）。")
    if found.refused:
        sys.exit(1)


def _shown(path: Path, paths: tuple[Path, ...]) -> str:
    """A file as the person would name it: from here, unless they named things from the root."""
    if any(one.is_absolute() for one in paths):
        return str(path)
    return os.path.relpath(path)


def _as_object(finding: core.Finding) -> dict[str, Any]:
    run = json.loads(finding.run) if finding.run else None
    return {"rule": finding.rule, "severity": finding.severity, "element": finding.element, "message": finding.message, "run": run}


def _print_findings(files: Mapping[str, list[core.Finding]]) -> None:
    for file, findings in files.items():
        if not findings:
            continue
        click.echo(file)
        for finding in findings:
            click.echo(f"  {_line(finding)}")
            for number, step in enumerate(json.loads(finding.run) if finding.run else [], 1):
                click.echo(f"    {number}. {_step(step)}")


def _step(step: Mapping[str, Any]) -> str:
    """A step of a run in words."""
    words = {"start": "開始", "complete": "完了", "send_back": "差戻し", "act": "操作", "due": "時間の経過", "facts": "条件の成立"}
    verb = next((verb for verb in words if verb in step), None)
    if verb is None:
        return json.dumps(step, ensure_ascii=False)
    to = f" → {step['to']}" if "to" in step else ""
    answers = "、".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in (step.get("answers") or {}).items())
    return f"{words[verb]} {step[verb]}{to}{f'（{answers}）' if answers else ''}"


@main.group()
def audit() -> None:
    """記録の確認。"""


@audit.command()
def verify() -> None:
    """履歴の連鎖を最初から確かめ、合わない場所を示します。"""
    faults = _engine().verify_history()
    for fault in faults:
        click.echo(f"{fault.chain} {fault.seq}: {fault.why}")
    if faults:
        sys.exit(1)
    click.echo("履歴に異常はありません。")


main.add_command(people)
for command in (
    *cli_acting.COMMANDS, *cli_clauses.COMMANDS, *cli_ledgers.COMMANDS, *cli_moving.COMMANDS, *cli_play.COMMANDS, *cli_posts.COMMANDS, *cli_versions.COMMANDS
):  # fmt: skip
    main.add_command(command)
main.add_command(doctor)

if __name__ == "__main__":
    main()

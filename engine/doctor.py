"""`tadachi doctor`: what an administrator should see to, in plain sentences. Reads only; nothing secret is told."""

from __future__ import annotations

import shutil
import smtplib
import ssl
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import holidays
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from engine import coming, schema
from engine.clock import civil_day, to_micros
from engine.forms import japanese_instant
from engine.measures import measures, workers
from engine.model import APPEND_ONLY, job
from engine.notices import KIND, TOLD
from engine.worker import DATABASE_CLOCK

if TYPE_CHECKING:
    from engine.service import Engine

#: Seconds by which clocks may differ: more is told, much more decides who was in time.
CLOCKS_DIFFER, CLOCKS_WRONG = 2.0, 30.0
LATE = 300.0  # seconds for which due work may lie about
LITTLE, TOO_LITTLE = 2_000_000_000, 300_000_000  # bytes free
MAIL_TIMEOUT = 5.0
KINDS = {
    "timer": "図のタイマー", "remind": "督促", "escalate": "上位への知らせ", "warn": "期限の予告", "overdue": "期限超過の知らせ",
    "deliver": "通知の送信", "posts": "発令の反映", "start": "日付で始まる案件", "service": "自動処理",
    "rung": "督促", "version": "版の施行", "digest": "毎日のまとめ", "digest_of": "毎日のまとめ",
}  # fmt: skip


#: Ways that something goes out, as `measures` counts them.
WAYS = {"mail": "メール", "webhook": "外部システムへの通知"}


@dataclass(frozen=True)
class Check:
    """One thing looked at; `state` is ok, warning or fault."""

    name: str
    state: str
    text: str


def examine(engine: Engine) -> tuple[Check, ...]:
    """Look at everything; what needs the database is left out when it does not answer."""
    found: list[Check] = []
    with_database: tuple[Callable[[Engine], Iterator[Check]], ...] = (_triggers, _clocks, _workers, _due_work, _coming)
    try:
        with engine.reading() as connection:
            revision = schema.revision(connection)
        found.append(Check("database", "ok", "データベースに届きます。"))
        if revision == schema.newest():
            found.append(Check("schema", "ok", "データベースはこの版の形です。"))
        else:
            with_database = ()
            found.append(
                Check(
                    "schema", "fault", f"データベースがこの版の形ではありません（{revision or '空'}）。tadachi migrate を打ってください。"
                )
            )
    except sa.exc.SQLAlchemyError as error:
        with_database = ()
        why = type(getattr(error, "orig", None) or error).__name__
        found.append(
            Check(
                "database", "fault", f"データベースに届きません（{why}）。TADACHI_DATABASE と、サーバーが動いているかを確かめてください。"
            )
        )
    for look in (*with_database, _mail, _calendar, _disk, _secret, _proofs):
        found += look(engine)
    return tuple(found)


def _triggers(engine: Engine) -> Iterator[Check]:
    wanted: set[str]
    with engine.reading() as connection:
        if connection.dialect.name == "sqlite":
            wanted = {f"{table}_no_{verb}" for table in APPEND_ONLY for verb in ("update", "delete")}
            there = set(connection.scalars(sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")))
        else:
            wanted = {f"{table}_append_only" for table in APPEND_ONLY}
            there = set(connection.scalars(sa.text("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'")))
    if wanted <= there:
        yield Check("history", "ok", "履歴の表は、書換えと削除を断ります。")
    else:
        yield Check(
            "history",
            "fault",
            f"履歴を守る仕掛けがありません（{'、'.join(sorted(wanted - there))}）。だれが外したかを調べ、控えと比べてください。",
        )


def _clocks(engine: Engine) -> Iterator[Check]:
    with engine.reading() as connection:
        now = engine.clock.now()
        differences: dict[str, float] = {}
        if connection.dialect.name == "postgresql":
            differences["この機械"] = (to_micros(now) - int(connection.scalar(DATABASE_CLOCK) or 0)) / 1e6
        for worker in workers(connection, now):
            if worker.ahead is not None:
                differences[f"ワーカー {worker.name}"] = worker.ahead
            elif worker.age < -CLOCKS_DIFFER:
                differences[f"ワーカー {worker.name}"] = -worker.age
    wrong = {name: value for name, value in differences.items() if abs(value) > CLOCKS_DIFFER}
    for name, value in wrong.items():
        state = "fault" if abs(value) > CLOCKS_WRONG else "warning"
        word = "進んで" if value > 0 else "遅れて"
        yield Check(
            "clock", state, f"{name}の時計が、データベースの時計より{abs(value):.0f}秒{word}います。時刻合わせ（NTP）を確かめてください。"
        )
    if not wrong:
        yield Check("clock", "ok", "時計は合っています。" if differences else "データベースはこの機械にあり、時計は一つです。")


def _workers(engine: Engine) -> Iterator[Check]:
    with engine.reading() as connection:
        found = workers(connection, engine.clock.now())
    alive = [worker for worker in found if worker.alive]
    if alive:
        yield Check("worker", "ok", f"ワーカーが{len(alive)}つ動いています。")
    else:
        yield Check(
            "worker", "fault", "動いているワーカーがありません。期限も督促もメールも止まっています。tadachi worker を動かしてください。"
        )
    for worker in found:
        if not worker.alive:
            yield Check(
                "worker",
                "warning",
                f"ワーカー {worker.name} から{abs(worker.age) / 60:.0f}分、便りがありません。止めたものなら一日で消えます。",
            )


def _due_work(engine: Engine) -> Iterator[Check]:
    found = measures(engine)
    for kind, count in sorted(found.dead.items()):
        if kind == KIND:  # counted below, by the way it was to go
            continue
        where = "「止まっている処理」" if kind == "service" else "表 job"
        yield Check(
            "dead",
            "fault",
            f"{KINDS.get(kind, kind)}が{count}件、失敗を重ねて止まっています。{where}で理由を見て、直してからもう一度動かしてください。",
        )
    lost = {way: count for (way, state), count in found.deliveries.items() if state == "dead" and way in WAYS}
    for way, count in sorted(lost.items()):
        yield Check(
            "dead",
            "fault",
            f"{WAYS[way]}が{count}件、失敗を重ねて止まっています。「送信箱」で理由を見て、直してからもう一度送ってください。",
        )
    with engine.reading() as connection:
        aimless = connection.scalar(
            sa.select(sa.func.count()).select_from(job).where(job.c.kind == KIND, job.c.key == TOLD, job.c.run_at.is_(None))
        )
    if aimless:
        yield Check("dead", "fault", f"送り方を決められなかった通知が{aimless}組あります。表 job で理由を見てください。")
    late = {kind: seconds for kind, seconds in found.late.items() if seconds > LATE}
    for kind, seconds in sorted(late.items()):
        yield Check(
            "late",
            "warning",
            f"{KINDS.get(kind, kind)}が{found.due[kind]}件、期限を過ぎて待っています（最も古いもので{seconds / 60:.0f}分）。",
        )
    with engine.reading() as connection:
        failing = connection.scalar(sa.select(sa.func.count()).select_from(job).where(job.c.error.is_not(None), job.c.run_at.is_not(None)))
    if failing:
        yield Check("failing", "warning", f"失敗して、次の試みを待っている仕事が{failing}件あります。")
    if not found.dead and not lost and not late and not failing:
        yield Check("due", "ok", "期限どおりに動いています。止まっている仕事はありません。")


def _mail(engine: Engine) -> Iterator[Check]:
    if not engine.settings.mail:
        yield Check("mail", "warning", "TADACHI_SMTP がないので、メールは外へ出ません（通知は画面だけです）。")
        return
    url = urlsplit(engine.settings.mail)
    host, secure = url.hostname or "localhost", url.scheme == "smtps"
    try:
        if secure:
            client: smtplib.SMTP = smtplib.SMTP_SSL(host, url.port or 465, timeout=MAIL_TIMEOUT, context=ssl.create_default_context())
        else:
            client = smtplib.SMTP(host, url.port or 25, timeout=MAIL_TIMEOUT)
        with client:
            client.ehlo_or_helo_if_needed()
        yield Check("mail", "ok", f"メールサーバー（{host}）が答えます。")
    except (OSError, smtplib.SMTPException, ValueError) as error:
        yield Check(
            "mail", "fault", f"メールサーバー（{host}）が答えません（{type(error).__name__}）。メールは失われず、答えるまで送り直されます。"
        )


def _calendar(engine: Engine) -> Iterator[Check]:
    today = civil_day(engine.clock.now())
    fiscal = today.year if today.month >= 4 else today.year - 1
    last = date(fiscal + 2, 3, 31)
    known = int(getattr(holidays.country_holidays("JP"), "end_year", 0))
    if known < last.year:
        yield Check(
            "holidays", "fault", f"祝日の表が{known}年までしかありません。新しい版にしてください（{last:%Y年%m月%d日}まで要ります）。"
        )
    else:
        yield Check("holidays", "ok", "祝日の表は来年度の末まであります。祝日法が改正されたら、新しい版にしてください。")
    for office in engine.organisations.values():
        calendar = office.rules.calendar
        if calendar.closed_days and not any(row.valid_to is None or row.valid_to >= last for row in calendar.closed_days):
            yield Check("holidays", "warning", f"{office.name}の rules.toml の [[closed_days]] が、来年度の末より前に終わります。")
        special = calendar.extra_closed | calendar.extra_open
        if special and max(special) < today:
            yield Check(
                "holidays",
                "ok",
                f"{office.name}の特別な閉庁日・開庁日は{max(special)}が最後です。新しいものがあれば [[special_day]] に足してください。",
            )


def _disk(engine: Engine) -> Iterator[Check]:
    url = make_url(engine.settings.database)
    places = {"設定": engine.settings.secret_file.parent}
    if url.get_backend_name() == "sqlite" and url.database:
        places = {"データベース": Path(url.database).parent}
    for name, place in places.items():
        if not place.is_dir():
            continue
        free = shutil.disk_usage(place).free
        if free < LITTLE:
            state = "fault" if free < TOO_LITTLE else "warning"
            yield Check("disk", state, f"{name}の置き場所の空きが{free / 1e9:.1f}GBしかありません（{place}）。")
        else:
            yield Check("disk", "ok", f"{name}の置き場所の空きは{free / 1e9:.0f}GBです。")


def _secret(engine: Engine) -> Iterator[Check]:
    path = engine.settings.secret_file
    try:
        size, mode = path.stat().st_size, stat.S_IMODE(path.stat().st_mode)
    except OSError:
        yield Check(
            "secret",
            "warning",
            f"クッキーに署名する鍵（{path}）がまだありません。画面を動かすと作られます。何台かで動かすなら、同じものを置いてください。",
        )
        return
    if size < 32:
        yield Check(
            "secret", "fault", f"クッキーに署名する鍵（{path}）が短すぎます。消して作り直してください（全員がログインし直します）。"
        )
    elif mode & 0o077:
        yield Check("secret", "fault", f"クッキーに署名する鍵（{path}）を、ほかの利用者が読めます。chmod 600 にしてください。")
    elif not path.is_absolute():
        yield Check(
            "secret", "warning", "TADACHI_SECRET_FILE が既定のままです（打った場所によって違う鍵になります）。絶対パスで決めてください。"
        )
    else:
        yield Check("secret", "ok", "クッキーに署名する鍵は、持ち主だけが読めます。")


def _coming(engine: Engine) -> Iterator[Check]:
    found = list(coming.unfit(engine))
    for name, number, since, why in found:
        if why:
            when = japanese_instant(since.isoformat())
            yield Check(
                "coming", "fault",
                f"手続「{name}」の第{number}版（{when}から施行）は、いまの機関のフォルダーに合いません：{why}施行を取り消すか、フォルダーを直してください。",
            )  # fmt: skip
    if not any(why for *_, why in found):
        yield Check("coming", "ok", f"これから施行される版は{len(found)}件で、機関のフォルダーに合っています。")


def _proofs(engine: Engine) -> Iterator[Check]:
    place = engine.settings.proofs
    if place is None or not place.is_dir():
        yield Check("proofs", "ok", "検証の結果は、まだ覚えていません。")
    elif stat.S_IMODE(place.stat().st_mode) & 0o022:
        yield Check(
            "proofs",
            "fault",
            f"検証の結果の置き場所（{place}）に、ほかの利用者が書けます。偽の結果を置けるので、chmod 700 にしてください。",
        )
    else:
        yield Check("proofs", "ok", "検証の結果の置き場所は、持ち主だけが書けます。")

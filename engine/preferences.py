"""How people want to be told, within what the office allows: mail at once, in the daily digest, inside the application; and quiet time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine import quiet
from engine.errors import FormInvalid
from engine.model import Row, calendar_feed, notice_setting, person
from engine.notice_texts import TEMPLATES
from engine.notice_views import ChoiceShown, ReceivingShown
from engine.quiet import Quiet
from engine.rules import NoticeRules, Rules
from engine.rules_file import HOW_TOLD
from engine.storage import insert_new
from engine.views import Viewer

if TYPE_CHECKING:
    from engine.service import Engine

DIGEST, QUIET = "digest", "quiet"


@dataclass(frozen=True)
class Chosen:
    """What one person has chosen; the rest is as the office has it."""

    settings: Mapping[str, str]

    def how(self, template: str, rules: NoticeRules) -> str:
        """at_once, digest or in_app, for what may be put off."""
        chosen = self.settings.get(template, "")
        return chosen if chosen in HOW_TOLD else rules.default

    def quiet(self, rules: NoticeRules) -> Quiet:
        """The own quiet time, else the office's."""
        own = quiet.read(self.settings[QUIET]) if QUIET in self.settings else None
        return rules.quiet if own is None else own

    def digest(self, rules: NoticeRules) -> bool:
        """Whether the daily digest is wanted even when nothing was put into it."""
        return self.settings.get(DIGEST, "on" if rules.digest else "off") == "on"


NOTHING = Chosen({})


def chosen_by(connection: sa.Connection, persons: Iterable[str]) -> dict[str, Chosen]:
    """What each of some people has chosen; who has chosen nothing is left out."""
    found: dict[str, dict[str, str]] = {}
    for row in connection.execute(sa.select(notice_setting).where(notice_setting.c.person.in_(sorted(set(persons))))):
        found.setdefault(row.person, {})[row.name] = row.value
    return {who: Chosen(settings) for who, settings in found.items()}


def pressing(row: Row, rules: NoticeRules) -> bool:
    """Whether nothing may hold a notice back: what the office fixed, and every step that is 直ちに or stands under a statutory clock.

    Args:
        row: with `template`, and `urgency` and `statutory` of its step, if it has one.
    """
    return row["template"] in rules.never_put_off or row["urgency"] == "at_once" or bool(row["statutory"])


def plan(row: Row, chosen: Chosen, rules: Rules, now: datetime) -> tuple[str, str, datetime | None]:
    """(channel, state, when) of a notice to somebody.

    Args:
        row: with `email`, besides what `pressing` asks for.
    """
    if not row["email"]:
        return "mail", "none", None
    urgent = pressing(row, rules.notices)
    how = "at_once" if urgent else chosen.how(row["template"], rules.notices)
    if how == "digest":
        return "digest", "queued", None
    if how == "in_app":
        return "mail", "none", None
    return "mail", "queued", now if urgent else chosen.quiet(rules.notices).until(now, rules.calendar)


class Receiving:
    """`Engine.receiving` hands it out: one's own choices."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def show(self, viewer: Viewer) -> ReceivingShown:
        """How the viewer is told."""
        rules = self._engine.organisations[viewer.organisation].rules.notices
        with self._engine.reading() as connection:
            email = connection.scalar(sa.select(person.c.email).where(person.c.id == viewer.person))
            chosen = chosen_by(connection, [viewer.person]).get(viewer.person, NOTHING)
            since = connection.scalar(
                sa.select(sa.func.max(calendar_feed.c.created_at)).where(
                    calendar_feed.c.person == viewer.person, calendar_feed.c.revoked_at.is_(None)
                )
            )
        choices = tuple(
            ChoiceShown(
                template,
                label,
                "at_once" if template in rules.never_put_off else chosen.how(template, rules),
                template in rules.never_put_off,
            )
            for template, (label, _) in TEMPLATES.items()
        )
        kept = chosen.settings.get(QUIET)
        hours = chosen.quiet(rules)
        return ReceivingShown(
            email=email or "",
            choices=choices,
            digest=chosen.digest(rules),
            digest_time=rules.digest_time,
            quiet="office" if kept is None else "own" if kept else "none",
            quiet_from=hours.start,
            quiet_to=hours.end,
            quiet_closed_days=hours.closed_days,
            office_quiet=in_words(rules.quiet),
            calendar_since=since,
        )

    def save(
        self,
        viewer: Viewer,
        choices: Mapping[str, str],
        *,
        digest: bool,
        quiet_time: str,
        hours: tuple[str, str] = ("", ""),
        closed_days: bool = False,
    ) -> None:
        """Keep one's own choices; those that are the office's are not kept, so that they follow when the office changes its own.

        Args:
            choices: template -> at_once, digest or in_app.
            quiet_time: office, none or own; the hours (20:00, 7:00) and days count for own.

        Raises:
            FormInvalid: what cannot be chosen.
        """
        rules = self._engine.organisations[viewer.organisation].rules.notices
        wrong: dict[str, str] = {}
        kept: dict[str, str] = {}
        for template, how in choices.items():
            if template not in TEMPLATES or how not in HOW_TOLD:
                wrong[template[:60]] = "選べない受け取り方です。画面を読み直してください。"
            elif template in rules.never_put_off and how != "at_once":
                wrong[template] = f"「{TEMPLATES[template][0]}」は、あと回しにできません。"
            elif how != rules.default and template not in rules.never_put_off:
                kept[template] = how
        if digest != rules.digest:
            kept[DIGEST] = "on" if digest else "off"
        if quiet_time == "own":
            own = _own_quiet(hours, closed_days)
            if own is None:
                wrong["quiet"] = "送らない時間を、20:00 から 7:00 のように、違う時刻で書いてください。"
            else:
                kept[QUIET] = own.written()
        elif quiet_time == "none":
            kept[QUIET] = ""
        elif quiet_time != "office":
            wrong["quiet"] = "選べない受け取り方です。画面を読み直してください。"
        if wrong:
            raise FormInvalid(wrong)
        with self._engine.writing() as connection:
            connection.execute(notice_setting.delete().where(notice_setting.c.person == viewer.person))
            rows: list[dict[str, Any]] = [{"person": viewer.person, "name": name, "value": value} for name, value in kept.items()]
            if rows:
                connection.execute(insert_new(connection, notice_setting), rows)


def _own_quiet(hours: tuple[str, str], closed_days: bool) -> Quiet | None:
    given = [part.strip() for part in hours]
    if not any(given):
        return Quiet(closed_days=True) if closed_days else None
    padded = "-".join(f"0{part}" if len(part) == 4 else part for part in given)
    return quiet.read(padded + ("+closed" if closed_days else ""))


def in_words(hours: Quiet) -> str:
    """Quiet time in words; empty when there is none."""
    parts = []
    if hours.start is not None and hours.end is not None:
        parts.append(f"{hours.start.hour}:{hours.start.minute:02}から{hours.end.hour}:{hours.end.minute:02}まで")
    if hours.closed_days:
        parts.append("閉庁日")
    return "と".join(parts)

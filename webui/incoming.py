"""What a request brings: the engine, who is looking, the answers typed, the seat chosen, the files sent."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from flask import abort, current_app, g, request, session
from flask_login import current_user
from werkzeug.datastructures import MultiDict

from engine import PersonNotFound, Viewer

if TYPE_CHECKING:
    from engine import Engine

Answers = dict[str, Any]

#: Names of the pages' own inputs. Every other name posted is an answer, so that the engine refuses what no form declares.
CONTROLS = frozenset(
    ["csrf_token", "_version", "_seat", "_case", "_to", "_reason", "_late_reason", "_add", "_back", "_files", "_once", "_text", "_number"]
)
CONTROLS |= {"_as", "_task", "_name", "_length", "_path", "_title"}  # the sandbox's
#: The step done together with the one at hand: `_then` names those chosen, `_then_shown` those on the page, `_then.NODE.FIELD` is an answer.
THEN, THEN_SHOWN = "_then", "_then_shown"
MAX_FIELDS = 2_000


@dataclass(frozen=True)
class SentFile:
    """A file as it was uploaded: the name is only what the browser claims."""

    name: str
    data: bytes


def engine() -> Engine:
    """The engine this application was composed with."""
    return cast("Engine", current_app.extensions["tadachi.engine"])


def person() -> str:
    """The id of the person signed in; all an act needs, since the engine looks up the seats itself."""
    return cast(str, current_user.person)


def viewer() -> Viewer:
    """Who is looking, with today's seats; read once per request, and not at all by acts that end in a redirect."""
    if "viewer" not in g:
        try:
            g.viewer = engine().viewer(person())
        except PersonNotFound:  # no longer among the people: the session is over
            engine().end_session(current_user.get_id())
            session.clear()
            abort(401)
    return cast(Viewer, g.viewer)


def posted_answers(form: MultiDict[str, str] | None = None) -> Answers:
    """The answers of the posted form: one text per field, a list where a field was sent several times (an empty marker left out)."""
    source = request.form if form is None else form
    if len(source) > MAX_FIELDS:
        abort(413)
    answers: Answers = {}
    for name, values in source.lists():
        if name in CONTROLS or name == THEN_SHOWN or name.partition(".")[0] == THEN:
            continue
        answers[name] = values[0] if len(values) == 1 else [value for value in values if value != ""]
    return answers


def posted_following() -> dict[str, Answers]:
    """Node -> answers of every step that the page showed to be done together with the one at hand."""
    nodes = dict.fromkeys(request.form.getlist(THEN_SHOWN))
    found: dict[str, Answers] = {node: {} for node in nodes}
    for name, values in request.form.lists():
        rest = name.removeprefix(f"{THEN}.")
        node = next((node for node in sorted(nodes, key=len, reverse=True) if rest != name and rest.startswith(f"{node}.")), None)
        if node is not None:
            found[node][rest[len(node) + 1 :]] = values[0] if len(values) == 1 else [value for value in values if value != ""]
    return found


def posted_everything() -> Answers:
    """All that was typed on a task's page, as it is shown again or kept: the answers, and those of the step after under `NODE.FIELD`."""
    more = {f"{node}.{name}": value for node, answers in posted_following().items() for name, value in answers.items()}
    chosen = {THEN: request.form.getlist(THEN)} if THEN_SHOWN in request.form else {}
    return {**posted_answers(), **more, **chosen}


def posted_version() -> int:
    """The case version the person saw. A completing form without one was not made by these pages."""
    version = request.form.get("_version", type=int)
    if version is None:
        abort(400, "画面に案件の版がありません。画面を読み直してください。")
    return version


def posted_case() -> int | None:
    """The case a task page belongs to, for the way back; rights are checked again wherever it leads."""
    return request.form.get("_case", type=int)


def chosen_seat() -> str | None:
    """The seat the person acts from; None lets the engine take the only one that fits."""
    return request.form.get("_seat") or None


def posted_text(name: str) -> str:
    """One of the pages' own text inputs."""
    return request.form.get(name, "").replace("\r\n", "\n").strip()


def sent_files() -> tuple[SentFile, ...]:
    """The files that were chosen; an empty file input sends one without a name."""
    return tuple(SentFile(item.filename, item.read()) for item in request.files.getlist("_files") if item.filename)


def query_text(name: str) -> str | None:
    """A text of the query string, without control characters; None when absent or blank."""
    raw = unicodedata.normalize("NFC", request.args.get(name, ""))
    clean = "".join(c for c in raw if unicodedata.category(c) not in ("Cc", "Cs")).strip()[:200]
    return clean or None


def query_choice(name: str, allowed: Mapping[str, str], default: str) -> tuple[str, str | None]:
    """A choice of the query string, and the text that was not understood (None when all is well)."""
    raw = query_text(name)
    if raw is None or raw in allowed:
        return raw or default, None
    return default, raw


def own_path(target: str | None) -> str | None:
    """The target if it is a path of this site, else None: a sign-in never sends anyone to another host."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")) or any(ord(c) < 33 or c == "\\" for c in target):
        return None
    parts = urlsplit(target)
    return target if not parts.scheme and not parts.netloc else None

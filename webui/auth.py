"""Signing in by any of the sources, signing out, and the account's own page. A session is a row of the engine's; the cookie only carries
its token, and while somebody is away at a sign-in service what must come back with them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import Blueprint, Flask, abort, current_app, flash, jsonify, redirect, render_template, request, session, url_for
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from werkzeug.wrappers import Response

from engine import FormInvalid, SignInRefused, parse_instant
from webui.errors import WORDS, status_of, wants_json
from webui.incoming import engine, own_path, posted_answers
from webui.incoming import person as signed_in_person
from webui.sign_in import LOCAL, AnswerRefused, SignInSource, SourceUnavailable

auth = Blueprint("auth", __name__)

#: Pages of outside parties, whose links and sessions are their own.
OUTSIDE = ("welcome", "enter", "thread", "received", "file", "paper", "paper_pdf", "end", "start", "send_start", "task", "send_task")
#: What may be asked for without signing in (the calendar and the events carry tokens of their own); every other endpoint is refused by default.
PUBLIC = frozenset(
    {
        "auth.login",
        "auth.sign_in",
        "auth.elsewhere",
        "auth.returned",
        "static",
        "health.healthz",
        "health.livez",
        "health.readyz",
        "metrics",
        "receiving.feed",
        "webhooks.events",
        *(f"outside.{page}" for page in OUTSIDE),
    }
)
#: Where the cookie keeps what must come back from a sign-in service, newest last. A few, as people open several tabs.
AWAY, MOST_AWAY, LONGEST_AWAY = "away", 3, timedelta(minutes=15)
LONGEST_TARGET = 500  # letters of the page to go on to: all of it has to fit into a cookie


class SignedIn(UserMixin):  # type: ignore[misc]
    """The person a session belongs to. Flask-Login keeps `get_id()` in the cookie: the token, never the person."""

    def __init__(self, token: str, person: str) -> None:
        self.id = token
        self.person = person


def _load(token: str) -> SignedIn | None:
    person = engine().session_person(token)
    return None if person is None else SignedIn(token, person)


def _require_sign_in() -> Any:
    if request.endpoint is None or request.endpoint in PUBLIC:
        return None
    if current_user.is_authenticated:
        return None
    return _ask_to_sign_in()


def _ask_to_sign_in() -> Any:
    if wants_json() or "HX-Request" in request.headers:
        answer = jsonify(error="SignInNeeded", message="ログインの有効期限が切れました。もう一度ログインしてください。")
        answer.headers["HX-Redirect"] = url_for("auth.login")
        return answer, 401
    if request.method in ("GET", "HEAD"):
        target = request.full_path.rstrip("?")
        return redirect(url_for("auth.login", next=target if target != "/" else None), 303)
    heading, _ = WORDS[401]
    return render_template("signed_out.html", heading=heading, typed=posted_answers()), 401


def register(app: Flask) -> None:
    """Sessions and the sign-in duty, on an application."""
    manager = LoginManager()
    manager.session_protection = None  # the engine's session row decides; addresses change behind office proxies
    manager.init_app(app, add_context_processor=False)  # it would read the session again while an error page is drawn
    manager.user_loader(_load)
    app.before_request(_require_sign_in)
    app.register_blueprint(auth)


def _sources() -> Mapping[str, SignInSource]:
    found: Mapping[str, SignInSource] = current_app.extensions["tadachi.sign_in"]
    return found


def _service(name: str) -> SignInSource:
    """A source other than our own form, by the name in an address."""
    found = _sources().get(name)
    if found is None or name == LOCAL:
        abort(404)
    return found


def _login_page(status: int, error: str = "", person: str = "") -> tuple[str, int]:
    demo = current_app.config["TADACHI_DEMO"]
    accounts = engine().demo_accounts() if demo else ()
    chosen = request.args.get("as", "") if demo else ""
    password = current_app.config["TADACHI_DEMO_PASSWORD"] if demo else ""
    target = own_path(request.values.get("next"))
    known = _sources()
    left = known.get(session.pop("left", ""))
    return (
        render_template(
            "login.html",
            local=LOCAL in known,
            services=[source for source in known.values() if source.id != LOCAL],
            sign_out_address=left.sign_out_address() if left else None,
            error=error,
            person=person or chosen,
            accounts=accounts,
            demo_password=password,
            prefill=bool(chosen),
            target=target,
        ),
        status,
    )


@auth.get("/login")
def login() -> Any:
    """The sign-in page."""
    if current_user.is_authenticated:
        return redirect(url_for("inbox.show"), 303)
    return _login_page(200)


@auth.post("/login")
def sign_in() -> Any:
    """Sign in with a password; unknown ids and wrong passwords get the same answer."""
    source = _sources().get(LOCAL)
    if source is None:
        return _login_page(403, "パスワードでのログインは使われていません。")
    try:
        known = source.finish(engine(), request.form, {})
    except SignInRefused as error:
        return _login_page(status_of(error), error.text, request.form.get("person", "").strip()[:64])
    target = own_path(request.form.get("next"))
    _begin(known, source)
    return redirect(target or url_for("inbox.show"), 303)


@auth.get("/login/<name>")
def elsewhere(name: str) -> Any:
    """Send the person to a sign-in service."""
    target = own_path(request.args.get("next"))
    try:
        going = _service(name).begin(engine())
    except SourceUnavailable as error:
        return _login_page(503, error.text)
    if going is None:
        return redirect(url_for("auth.login", next=target), 303)
    pending = {**going.pending, "source": name, "at": engine().clock.now().isoformat()}
    if target and len(target) <= LONGEST_TARGET:
        pending["next"] = target
    session[AWAY] = [*session.get(AWAY, []), pending][-MOST_AWAY:]
    return redirect(going.address, 303)


@auth.get("/login/<name>/return")
def returned(name: str) -> Any:
    """Take somebody back from a sign-in service. What was kept for the way is used once, whatever comes of it."""
    source = _service(name)
    away = session.get(AWAY, [])
    pending = next((one for one in away if one["state"] == request.args.get("state")), None)
    session[AWAY] = [one for one in away if one is not pending]
    try:
        if pending is None or pending["source"] != name or engine().clock.now() - parse_instant(pending["at"]) > LONGEST_AWAY:
            raise AnswerRefused()
        known = source.finish(engine(), request.args, pending)
    except (SignInRefused, SourceUnavailable) as error:
        return _login_page(503 if isinstance(error, SourceUnavailable) else status_of(error), error.text)
    if current_user.is_authenticated:
        engine().end_session(current_user.get_id())
    _begin(known, source)
    return redirect(own_path(pending.get("next")) or url_for("inbox.show"), 303)


def _begin(person: str, source: SignInSource) -> None:
    """A new session and a new CSRF secret: nothing an earlier visitor planted survives."""
    session.clear()
    login_user(SignedIn(engine().open_session(person), person))
    session["source"] = source.id


@auth.post("/logout")
def logout() -> Response:
    """End the session in the table, not only in the browser."""
    engine().end_session(current_user.get_id())
    logout_user()
    source = session.get("source", "")
    session.clear()
    session["left"] = source
    flash("ログアウトしました。", "success")
    return redirect(url_for("auth.login"), 303)


@auth.get("/account")
def account() -> str:
    """The viewer's own seats and the password form."""
    return _account_page({}, "")


def _account_page(errors: Mapping[str, str], summary: str) -> str:
    return render_template("account.html", errors=errors, summary=summary, local=LOCAL in _sources())


@auth.post("/account/password")
def change_password() -> Any:
    """Change one's own password; every other session of the account ends."""
    if LOCAL not in _sources():
        abort(403, "パスワードでのログインは使われていません。")
    old, new, again = (request.form.get(name, "") for name in ("old", "new", "again"))
    person = signed_in_person()
    try:
        if new != again:
            raise FormInvalid({"again": "確認のための入力が、新しいパスワードと一致しません。"})
        engine().change_password(person, old, new)
    except (FormInvalid, SignInRefused) as error:
        fields = getattr(error, "fields", {})
        return _account_page(fields, "" if fields else error.text), status_of(error) if fields else 422
    engine().end_sessions_of(person, keep=current_user.get_id())
    flash("パスワードを変更しました。ほかの端末でのログインは終了しました。", "success")
    return redirect(url_for("auth.account"), 303)

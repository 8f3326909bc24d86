"""Signing in and out, and the account's own page. A session is a row of the engine's; the cookie only carries its token."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, current_app, flash, jsonify, redirect, render_template, request, session, url_for
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from werkzeug.wrappers import Response

from engine import FormInvalid, SignInRefused
from webui.errors import WORDS, status_of, wants_json
from webui.incoming import engine, own_path, posted_answers
from webui.incoming import person as signed_in_person

auth = Blueprint("auth", __name__)

#: What may be asked for without signing in; every other endpoint is refused by default.
PUBLIC = frozenset({"auth.login", "auth.sign_in", "static", "help.healthz"})


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


def _login_page(status: int, error: str = "", person: str = "") -> tuple[str, int]:
    demo = current_app.config["TADACHI_DEMO"]
    accounts = engine().demo_accounts() if demo else ()
    chosen = request.args.get("as", "") if demo else ""
    password = current_app.config["TADACHI_DEMO_PASSWORD"] if demo else ""
    target = own_path(request.values.get("next"))
    return (
        render_template(
            "login.html",
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
    """Sign in; unknown ids and wrong passwords get the same answer."""
    person = request.form.get("person", "").strip()
    try:
        known = engine().sign_in(person, request.form.get("password", ""))
    except SignInRefused as error:
        return _login_page(status_of(error), error.text, person[:64])
    target = own_path(request.form.get("next"))
    _begin(known)
    return redirect(target or url_for("inbox.show"), 303)


def _begin(person: str) -> None:
    """A new session and a new CSRF secret: nothing an earlier visitor planted survives."""
    session.clear()
    login_user(SignedIn(engine().open_session(person), person))


@auth.post("/logout")
def logout() -> Response:
    """End the session in the table, not only in the browser."""
    engine().end_session(current_user.get_id())
    logout_user()
    session.clear()
    flash("ログアウトしました。", "success")
    return redirect(url_for("auth.login"), 303)


@auth.get("/account")
def account() -> str:
    """The viewer's own seats and the password form."""
    return render_template("account.html", errors={}, summary="")


@auth.post("/account/password")
def change_password() -> Any:
    """Change one's own password; every other session of the account ends."""
    old, new, again = (request.form.get(name, "") for name in ("old", "new", "again"))
    person = signed_in_person()
    try:
        if new != again:
            raise FormInvalid({"again": "確認のための入力が、新しいパスワードと一致しません。"})
        engine().change_password(person, old, new)
    except (FormInvalid, SignInRefused) as error:
        fields = getattr(error, "fields", {})
        return render_template("account.html", errors=fields, summary="" if fields else error.text), status_of(error) if fields else 422
    engine().end_sessions_of(person, keep=current_user.get_id())
    flash("パスワードを変更しました。ほかの端末でのログインは終了しました。", "success")
    return redirect(url_for("auth.account"), 303)

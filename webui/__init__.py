"""The Flask application: pages composed from blueprints over one engine."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, g, has_request_context, url_for
from flask_login import current_user
from flask_wtf.csrf import CSRFProtect
from werkzeug.routing import IntegerConverter

from webui import auth, errors, formatting, metrics, security
from webui.absences import absences
from webui.admin import admin, may_manage
from webui.admin_orders import orders
from webui.admin_people import people
from webui.admin_posts import posts
from webui.cases import cases
from webui.designer import designer, may_design
from webui.designer_clauses import clauses
from webui.designer_clauses import may_read as may_read_clauses
from webui.designer_desk import designer_desk
from webui.designer_moving import moving
from webui.designer_play import play
from webui.designer_scenarios import scenarios
from webui.designer_versions import versions
from webui.diagrams import diagrams
from webui.handovers import handovers
from webui.health import health
from webui.help import help
from webui.inbox import inbox
from webui.incoming import engine as current_engine
from webui.incoming import viewer
from webui.ledgers import ledgers
from webui.links import links
from webui.notices import may_see_outbox, notices
from webui.outside import outside
from webui.receiving import receiving
from webui.referrals import referrals
from webui.register import register
from webui.report import report
from webui.sign_in import LocalPassword, SignInSource
from webui.stopped import may_administer, stopped
from webui.tasks import tasks
from webui.webhooks import webhooks

if TYPE_CHECKING:
    from engine import Engine

logger = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"


class IdConverter(IntegerConverter):
    """A row's id: what no 64-bit column can hold is simply not found."""

    def __init__(self, url_map: Any) -> None:
        super().__init__(url_map, min=1, max=2**63 - 1)


def create_app(
    engine: Engine,
    *,
    secret_key: str | bytes | None = None,
    https: bool = False,
    demo: bool = False,
    demo_password: str = "",
    trusted_hosts: Sequence[str] | None = None,
    max_upload: int = 25 * 1024 * 1024,
    sign_in: Sequence[SignInSource] = (LocalPassword(),),
    metrics_token: str = "",
) -> Flask:
    """Compose the application.

    Args:
        engine: the engine all pages read from and act through.
        secret_key: signs the cookie; without one a random key is made, and everyone signs in again after a restart.
        https: whether people reach the site by https: cookies are then only sent there.
        demo: whether the sign-in page lists the demo accounts and everyone may look at the outbox.
        demo_password: the password of the demo accounts, shown on the sign-in page in the demo only.
        trusted_hosts: the host names the site answers to; None for any (a loopback demo).
        max_upload: the largest request in bytes.
        sign_in: where people may sign in from.
        metrics_token: who brings it may read /metrics from anywhere; without one only this machine may.
    """
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=secret_key or secrets.token_bytes(32),
        SESSION_COOKIE_NAME="__Host-tadachi" if https else "tadachi",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=https,
        MAX_CONTENT_LENGTH=max_upload,
        MAX_FORM_MEMORY_SIZE=2 * 1024 * 1024,
        MAX_FORM_PARTS=2_000,
        TRUSTED_HOSTS=list(trusted_hosts) if trusted_hosts else None,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session lasts: a form may be filled in for hours
        SEND_FILE_MAX_AGE_DEFAULT=31_536_000,  # addresses of static files carry their digest
        TADACHI_DEMO=demo,
        TADACHI_DEMO_PASSWORD=demo_password if demo else "",
    )
    app.extensions["tadachi.engine"] = engine
    app.extensions["tadachi.sign_in"] = {source.id: source for source in sign_in}
    app.url_map.converters["id"] = IdConverter
    app.jinja_env.filters.update(formatting.FILTERS)
    app.jinja_env.tests.update(formatting.TESTS)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    metrics.measure(app, engine, metrics_token)
    security.protect(app, https=https)
    CSRFProtect(app).exempt(outside)  # it checks the token itself
    auth.register(app)
    for blueprint in (inbox, tasks, referrals, report, cases, diagrams, notices, receiving, webhooks, stopped, register, help, health):
        app.register_blueprint(blueprint)
    for blueprint in (links, outside, ledgers, designer, designer_desk, versions, moving):
        app.register_blueprint(blueprint)
    for blueprint in (admin, people, posts, orders, absences, handovers):
        app.register_blueprint(blueprint)
    for blueprint in (play, scenarios, clauses):
        app.register_blueprint(blueprint)
    errors.register(app)
    app.context_processor(_words_for_templates)
    return app


def _words_for_templates() -> dict[str, Any]:
    """What every page's frame needs; nothing is read for people who are not signed in."""
    bare = {"viewer": None, "asset": asset, "now": None}
    if not has_request_context() or g.get("frame_failed"):
        return bare
    try:
        if not current_user.is_authenticated:
            return bare
        seen = viewer()
    except Exception:  # an error page must still be drawn when the store itself is what failed
        logger.exception("the frame of the page could not be read")
        g.frame_failed = True
        return bare
    office = current_engine().organisations.get(seen.organisation)
    return {
        "viewer": seen,
        "asset": asset,
        "now": seen.at,
        "office": office.name if office else "",
        "unread_notices": lambda: current_engine().unread_notices(seen),
        "ledgers_offered": current_engine().ledgers.offered(seen),
        "outbox_offered": may_see_outbox(),
        "administers": may_administer(),
        "manages": may_manage(),
        "designs": may_design(),
        "reads_clauses": may_read_clauses(),
    }


@cache
def _digest(path: Path, stamp: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def asset(name: str) -> str:
    """The address of a static file, with a digest that changes when the file does."""
    path = STATIC / name
    if not path.is_file():
        return url_for("static", filename=name)
    return url_for("static", filename=name, v=_digest(path, path.stat().st_mtime_ns))

"""Signs of life for supervision, a proxy and systemd: lives, is ready, reaches its database. Nothing is told about what is kept."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from webui.incoming import engine

health = Blueprint("health", __name__)


@health.get("/healthz")
def healthz() -> tuple[Response, int]:
    """Whether the process answers and reaches its database."""
    well = engine().healthy()
    return jsonify(status="ok" if well else "database unreachable"), 200 if well else 503


@health.get("/livez")
def livez() -> Response:
    """Whether the process answers at all; whoever restarts it by this must not do so because a database is away."""
    return jsonify(status="ok")


@health.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Whether requests can be served and deadlines are watched: the database answers, has this version's tables, and a worker lives."""
    found = engine().readiness()
    said = {"database": found.database, "schema": found.schema, "worker": found.worker}
    return jsonify(status="ok" if found.ready else "not ready", **said), 200 if found.ready else 503

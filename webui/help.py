"""The help pages, and the sign of life for supervision."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, render_template

from webui.incoming import engine

help = Blueprint("help", __name__)


@help.get("/help")
def show() -> str:
    """How the pages are used."""
    return render_template("help.html")


@help.get("/healthz")
def healthz() -> tuple[Response, int]:
    """Whether the process answers and reaches its database."""
    well = engine().healthy()
    return jsonify(status="ok" if well else "database unreachable"), 200 if well else 503

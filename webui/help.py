"""The help pages, and the sign of life for supervision."""

from __future__ import annotations

from flask import Blueprint, jsonify, render_template
from werkzeug.wrappers import Response

help = Blueprint("help", __name__)


@help.get("/help")
def show() -> str:
    """How the pages are used."""
    return render_template("help.html")


@help.get("/healthz")
def healthz() -> Response:
    """The web process answers."""
    return jsonify(status="ok")

"""The help pages."""

from __future__ import annotations

from flask import Blueprint, render_template

help = Blueprint("help", __name__)


@help.get("/help")
def show() -> str:
    """How the pages are used."""
    return render_template("help.html")

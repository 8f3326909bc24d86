"""Headers and refusals that hold for every request, whatever the page."""

from __future__ import annotations

from flask import Flask, Response, abort, request

from webui.errors import OUTSIDE

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
FEED = "receiving.feed"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def _refuse_other_sites() -> None:
    """A browser says where a write comes from; anything but this site itself is refused before the token is looked at."""
    if request.method not in SAFE_METHODS and request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        abort(403, "別のサイトからの操作は受け付けません。")


def protect(app: Flask, *, https: bool) -> None:
    """Put the refusals and the headers on an application."""

    def add_headers(response: Response) -> Response:
        if request.path.startswith(OUTSIDE):  # the address is a key: nobody is told it, and nobody lists it
            response.headers["Referrer-Policy"] = "no-referrer"
            response.headers["X-Robots-Tag"] = "noindex, nofollow"
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if https:
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
        if request.endpoint == FEED:  # a program asks for it again and again; nobody in between may keep it
            response.headers["Cache-Control"] = "private, max-age=300"
        elif request.endpoint != "static":  # pages show what only this viewer may see: nothing is kept on a shared machine
            response.headers["Cache-Control"] = "no-store"
        return response

    app.before_request(_refuse_other_sites)
    app.after_request(add_headers)

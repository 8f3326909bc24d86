"""The one table from refusals to HTTP answers, and the pages that tell them."""

from __future__ import annotations

import logging

from flask import Flask, Response, jsonify, render_template, request, url_for
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, SecurityError

from engine import Conflict, DiagramFault, Invalid, NotAllowed, NotFound, Refused, SignInRefused, TadachiError

logger = logging.getLogger(__name__)

#: First match wins; what is not named here is a defect of ours and answers 500.
STATUS: tuple[tuple[type[TadachiError], int], ...] = (
    (NotFound, 404),
    (NotAllowed, 403),
    (Conflict, 409),
    (Invalid, 422),
    (Refused, 422),
    (DiagramFault, 422),
    (SignInRefused, 401),
)

#: What a page says about a status: heading, and what to do now.
WORDS: dict[int, tuple[str, str]] = {
    400: ("受け取った内容を読み取れませんでした", "前の画面に戻り、読み直してからもう一度お試しください。"),
    401: ("ログインしてください", "もう一度ログインすると、続きから操作できます。"),
    403: ("この操作はできません", "担当の役については、案件の画面の「いま誰のところにあるか」を確かめてください。"),
    404: ("見つかりません", "番号が違うか、あなたの役では閲覧できないものです。受信箱や案件の検索から探してください。"),
    405: ("この開き方はできません", "操作は、画面のボタンから行ってください。"),
    409: ("ほかの操作と重なりました", "最新の状態を確かめてから、必要ならもう一度操作してください。"),
    413: ("送られた内容が大きすぎます", "ファイルを分けるか小さくして、もう一度お試しください。"),
    415: ("この形式は受け取れません", "画面の入力欄から送ってください。"),
    422: ("入力内容を確かめてください", "示された箇所を直して、もう一度お試しください。"),
    429: ("しばらくお待ちください", "時間をおいてから、もう一度お試しください。"),
    500: (
        "処理できませんでした",
        "こちらの不具合です。操作は取り消され、途中まで進んだものはありません。時間をおいて、もう一度お試しください。",
    ),
    503: ("ただいま混み合っています", "少し待ってから、もう一度お試しください。"),
}
#: Where outside parties' pages are: they are told nothing of the office's own, and no way into them.
OUTSIDE = "/c/"
ADVICE_OUTSIDE = "分からないときは、リンクを送った担当の職員に尋ねてください。"
#: The same for a diagram that does not say what comes next: there is nothing for the person to correct.
FAULT = ("この先の手続が決まっていません", "手続の図が直るまで、この処理は進みません。急ぐ用件は、上司に口頭で知らせてください。")


def status_of(error: TadachiError) -> int:
    """The HTTP status a refusal of the engine answers with."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def text_of(error: TadachiError) -> str:
    """What a refusal says on a page; for a fault of the diagram, that nothing was done and who can put it right."""
    if isinstance(error, DiagramFault):
        return f"{error.text}\n手続の図か決定表の不備です。操作は取り消され、案件は元のままです。手続の図の担当者に知らせてください。"
    return error.text


def wants_json() -> bool:
    """Whether the caller is a script of our pages or a program, not a person looking at a page."""
    if request.path.endswith(".json"):
        return True
    best = request.accept_mimetypes.best_match(("text/html", "application/json"), "text/html")
    return best == "application/json" and request.accept_mimetypes[best] > request.accept_mimetypes["text/html"]


def answer(status: int, text: str, code: str, words: tuple[str, str] | None = None, why: str = "") -> tuple[Response | str, int]:
    """One refusal, as a page or as JSON; `words` replaces what is said about its status, `why` is where the reasons are."""
    if wants_json():
        return jsonify(error=code, message=text), status
    heading, advice = words or WORDS.get(status, WORDS[500 if status >= 500 else 400])
    if request.path.startswith(OUTSIDE):
        heading = "この画面は開けません" if status == 404 else heading
        return render_template("outside/error.html", status=status, heading=heading, text=text, advice=ADVICE_OUTSIDE), status
    return render_template("error.html", status=status, heading=heading, text=text, advice=advice, why=why), status


def _refused(error: TadachiError) -> tuple[Response | str, int]:
    status = status_of(error)
    if status == 500:
        logger.error("refusal without a status: %s", error.code, exc_info=error)
    task_id = (request.view_args or {}).get("task_id")
    why = url_for("tasks.why", task_id=task_id) if isinstance(error, NotAllowed) and task_id is not None else ""
    return answer(status, text_of(error), error.code, FAULT if isinstance(error, DiagramFault) else None, why)


def _csrf(error: CSRFError) -> tuple[Response | str, int]:
    logger.info("csrf refused: %s", error.description)
    text = (
        "画面を開いてから時間がたったか、ログインし直したため、この画面からの操作を受け付けられませんでした。前の画面を読み直してください。"
    )
    return answer(400, text, "CSRFError")


def _http(error: HTTPException) -> tuple[Response | str, int] | Response | HTTPException:
    status = error.code or 500
    if status < 400:
        return error
    if isinstance(error, SecurityError):  # nothing of a page can be drawn: there is no address to build links from
        logger.warning("%s TADACHI_URL names the site.", error.description)
        text = "このアドレスの名前では応答しません。機関から案内されたアドレスを開いてください。\n"
        return Response(text, status, mimetype="text/plain")
    ours = error.description if type(error).description != error.description and error.description else ""
    return answer(status, ours or "", type(error).__name__)


def _unexpected(error: Exception) -> tuple[Response | str, int]:
    logger.error("unhandled error on %s %s", request.method, request.path, exc_info=error)
    return answer(500, "", "InternalServerError")


def register(app: Flask) -> None:
    """Put the table on an application."""
    app.register_error_handler(TadachiError, _refused)
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)

"""What is laid before people who do not decide it: 照会 to answer, 回覧 and 後閲 to confirm; and the forms that lay a case before others."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from engine import Conflict, FormInvalid, Invalid, NotAllowed, TadachiError, civil_day
from webui.errors import status_of, text_of
from webui.incoming import chosen_seat, engine, person, posted_case, posted_text, viewer

referrals = Blueprint("referrals", __name__)

#: How many empty lines for addressees a new circulation offers.
LINES = 3
SEAT, PERSON = "（役）", "（本人）"


# ---------------------------------------------------------------- what is laid before me


def _page(error: TadachiError | None = None, about: int | None = None, typed: str = "") -> Any:
    rows = engine().referrals(viewer())
    fields = error.fields if isinstance(error, FormInvalid) else {}
    gone = typed if error is not None and about not in {row.id for row in rows} else ""
    return render_template(
        "referrals.html",
        rows=rows,
        about=about,
        typed=typed,
        gone=gone,
        errors={f"_text_{about}": text for text in fields.values()},
        problem=text_of(error) if error is not None and not fields else "",
    ), status_of(error) if error is not None else 200


@referrals.get("/referrals")
def show() -> Any:
    """Everything laid before the viewer, the oldest first."""
    return _page()


@referrals.post("/referrals/<id:referral_id>/answer")
def answer(referral_id: int) -> Any:
    """Answer a 照会."""
    text = posted_text("_text")
    try:
        if not text:
            raise FormInvalid({"_text": "回答を入力してください。"})
        with engine().work(by=person()) as work:
            work.answer(referral_id, text)
    except (Invalid, NotAllowed, Conflict) as error:
        return _page(error, referral_id, text)
    flash("回答しました。尋ねた人に知らせました。", "success")
    return redirect(url_for("referrals.show"), 303)


@referrals.post("/referrals/<id:referral_id>/confirm")
def confirm(referral_id: int) -> Any:
    """Confirm having read a 回覧 or a 後閲."""
    try:
        with engine().work(by=person()) as work:
            work.confirm(referral_id)
    except (Invalid, NotAllowed, Conflict) as error:
        return _page(error, referral_id)
    flash("確認したことを記録しました。", "success")
    return redirect(url_for("referrals.show"), 303)


@referrals.post("/referrals/<id:referral_id>/recall")
def recall(referral_id: int) -> Response:
    """取りやめ: take back what one has asked or circulated."""
    case_id = posted_case()
    try:
        with engine().work(by=person()) as work:
            work.recall(referral_id)
        flash("取りやめました。", "success")
    except Conflict as error:
        flash(text_of(error), "warning")
    back = url_for("cases.show", case_id=case_id, _anchor="referrals") if case_id else url_for("referrals.show")
    return redirect(back, 303)


# ---------------------------------------------------------------- laying a case before others


def _addressees() -> dict[str, str]:
    """Words -> seat or `person:ID` of everything a case can be laid before; two people named alike are told apart by their ids."""
    seen = viewer()
    office = engine().organisations[seen.organisation]
    found = {f"{office.seat_name(seat)}{SEAT}": seat for seat in office.seats(civil_day(seen.at))}
    colleagues = [(id, name) for id, name in engine().personnel.colleagues(seen) if id != seen.person]
    names = [name for _, name in colleagues]
    for id, name in colleagues:
        found[f"{name}（本人、{id}）" if names.count(name) > 1 else f"{name}{PERSON}"] = f"person:{id}"
    return found


def _plain(text: str) -> str:
    """A name as it is compared: however wide its characters and spaces are."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def _resolve(texts: Iterable[str], offered: dict[str, str]) -> list[str]:
    """Whom the typed words name: as offered, without what stands in brackets where only one is called so, or by key."""
    exact = {_plain(words): key for words, key in offered.items()} | {key: key for key in offered.values()}
    by_name: dict[str, set[str]] = {}
    for words, key in offered.items():
        by_name.setdefault(_plain(words.rpartition("（")[0]), set()).add(key)
    found = []
    for text in texts:
        keys = {exact[_plain(text)]} if _plain(text) in exact else by_name.get(_plain(text), set())
        if not keys:
            raise FormInvalid({"_addressee": f"「{text[:80]}」という役も職員も見つかりません。候補から選んでください。"})
        if len(keys) > 1:
            raise FormInvalid({"_addressee": f"「{text[:80]}」に当たる宛先が{len(keys)}つあります。候補から選んでください。"})
        found += keys
    return found


def _form(case_id: int, template: str, error: TadachiError | None = None, typed: Sequence[str] = (), text: str = "") -> Any:
    fields = error.fields if isinstance(error, FormInvalid) else {}
    page = engine().case(viewer(), case_id)
    lines = [*typed, *[""] * (LINES if request.form.get("_add") else LINES - len(typed))]
    return render_template(
        template,
        page=page,
        offered=_addressees(),
        problem=text_of(error) if error is not None and not fields else "",
        errors=fields,
        typed={"_addressee": typed[0] if typed else "", "_text": text},
        lines=lines,
        seat=chosen_seat(),
    ), status_of(error) if error is not None else 200


def _lay_before(case_id: int, verb: str, template: str, missing: str, done: str) -> Any:
    typed = [line for name in request.form.getlist("_addressee") if (line := name.strip())]
    text = posted_text("_text")
    if request.form.get("_add"):
        return _form(case_id, template, typed=typed, text=text)
    try:
        wrong = {} if typed else {"_addressee": "宛先を選んでください。"}
        wrong |= {} if text else {"_text": missing}
        if wrong:
            raise FormInvalid(wrong)
        to = _resolve(typed, _addressees())
        with engine().work(by=person(), seat=chosen_seat()) as work:
            getattr(work, verb)(case_id, to[0] if verb == "consult" else to, text)
    except (Invalid, NotAllowed, Conflict) as error:
        return _form(case_id, template, error, typed, text)
    flash(done, "success")
    return redirect(url_for("cases.show", case_id=case_id, _anchor="referrals"), 303)


@referrals.get("/cases/<id:case_id>/consult")
def consult_form(case_id: int) -> Any:
    """The form for asking somebody."""
    return _form(case_id, "case_consult.html")


@referrals.post("/cases/<id:case_id>/consult")
def consult(case_id: int) -> Any:
    """照会する."""
    return _lay_before(
        case_id, "consult", "case_consult.html", "尋ねることを入力してください。", "照会しました。回答が届いたらお知らせします。"
    )


@referrals.get("/cases/<id:case_id>/circulate")
def circulate_form(case_id: int) -> Any:
    """The form for letting others read."""
    return _form(case_id, "case_circulate.html")


@referrals.post("/cases/<id:case_id>/circulate")
def circulate(case_id: int) -> Any:
    """回覧する."""
    return _lay_before(case_id, "circulate", "case_circulate.html", "回覧の趣旨を入力してください。", "回覧しました。")

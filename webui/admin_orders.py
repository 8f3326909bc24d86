"""Orders: a personnel order from a file or a reorganisation from a form, drafted by one person, looked at, and approved by another."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, redirect, request, url_for

from engine import Conflict, Invalid, TadachiError, UnitChange
from webui.admin import require_keeper, require_sight
from webui.admin_forms import Typed, file_sent, page, today
from webui.incoming import engine, viewer

orders = Blueprint("admin_orders", __name__)
orders.before_request(require_sight)

STATES = {"draft": "承認待ち", "approved": "承認済み", "withdrawn": "取りやめ"}
#: Header of a column -> what to write there; the first of the names the engine knows.
COLUMNS = (
    ("職員番号", True, "利用者ID。採用では、新しい番号"),
    ("氏名", False, "採用では必須。ほかでは、職員番号と合っているかを確かめるために使います"),
    ("発令", True, "採用・任命・免・異動・退職のどれか"),
    ("部署", False, "部署の名称。同じ名称が2つあるときは部署のid（退職では空にします）"),
    ("役", False, "保護管理者など。職から1つに決まるときは空でも構いません"),
    ("職", False, "審判課長など。役から1つに決まるときは空でも構いません"),
    ("区分", False, "本務（省いたとき）・兼務・併任・事務取扱・職務代理"),
    ("発令日", False, "2027-04-01、令和9年4月1日、R9.4.1 など。画面で発令日を入力したときは空でも構いません"),
    ("終了日", False, "最後の日（この日を含む）。決まっていなければ空にします"),
    ("根拠", False, "事務取扱・職務代理では必須"),
    ("メール", False, "採用する職員の通知先"),
)
ACTIONS = (
    ("採用", "利用者として登録し、役を書いたときはその役に就けます"),
    ("任命", "いまの役はそのままに、もう1つの役に就けます（兼務・併任・事務取扱・職務代理も）"),
    ("免", "書いた役だけを終えます"),
    ("異動", "本務の役をすべて終え、書いた役に就けます"),
    ("退職", "すべての役と代理を終え、前の日で利用も終えます"),
)
EXAMPLE = (
    ("n0123", "○○ ○○", "異動", "審判課", "保護管理者", "審判課長", "本務", "令和9年4月1日", "", "", ""),
    ("n0456", "○○ ○○", "任命", "審判課", "保護管理者", "", "事務取扱", "令和9年4月1日", "令和9年6月30日", "事務取扱の発令 第12号", ""),
    ("n0789", "○○ ○○", "退職", "", "", "", "", "令和9年4月1日", "", "", ""),
)
CHANGES = {"rename": "名称・所属の変更", "merge": "統合", "split": "分割"}
MOST_CHANGES = 30


@orders.get("/admin/orders")
def show() -> Any:
    """Every order, the newest first."""
    return page("admin/orders.html", rows=engine().orders.all(viewer()), states=STATES, keeps=engine().personnel.may_keep(viewer()))


# ---------------------------------------------------------------- import


def _import_page(typed: Typed, problem: TadachiError | None = None) -> Any:
    return page("admin/order_new.html", typed, problem, columns=COLUMNS, actions=ACTIONS, example=EXAMPLE)


@orders.get("/admin/orders/new")
def new() -> Any:
    """The form that takes a file."""
    require_keeper()
    return _import_page(Typed.asked("title", "on"))


@orders.post("/admin/orders/new")
def read() -> Any:
    """Keep a file's rows as a draft, or tell every fault of every row."""
    require_keeper()
    typed = Typed.posted("title", "on")
    name, content = file_sent("file")
    try:
        on = typed.day_or_none("on")
        if not name:
            typed.errors["file"] = "発令のファイルを選んでください。"
        typed.check()
        made = engine().orders.read(viewer(), typed.values["title"], on, name, content)
    except (Invalid, Conflict) as error:
        return _import_page(typed, error)
    flash("発令を取り込みました。まだ何も変わっていません。内容を確かめ、ほかの人が承認してください。", "success")
    return redirect(url_for("admin_orders.order", order_id=made), 303)


@orders.get("/admin/orders/template.csv")
def template() -> Response:
    """An empty file with the headers; with a mark, so that spreadsheets read it as UTF-8."""
    require_keeper()
    text = ",".join(header for header, _, _ in COLUMNS) + "\r\n"
    disposition = "attachment; filename=\"order.csv\"; filename*=UTF-8''%E7%99%BA%E4%BB%A4.csv"
    return Response(text.encode("utf-8-sig"), mimetype="text/csv", headers={"Content-Disposition": disposition})


# ---------------------------------------------------------------- look and decide


def _order_page(order_id: int, typed: Typed | None = None, problem: TadachiError | None = None) -> Any:
    seen, personnel = viewer(), engine().personnel
    preview = engine().orders.preview(seen, order_id)
    return page("admin/order.html", typed, problem, preview=preview, order=preview.order, states=STATES, keeps=personnel.may_keep(seen))


@orders.get("/admin/orders/<id:order_id>")
def order(order_id: int) -> Any:
    """What an order would do as things stand now."""
    return _order_page(order_id)


@orders.post("/admin/orders/<id:order_id>/approve")
def approve(order_id: int) -> Any:
    """Approve an order."""
    try:
        engine().orders.approve(viewer(), order_id)
    except (Invalid, Conflict) as error:
        return _order_page(order_id, None, error)
    flash("発令を承認しました。発令日の0時から効きます。", "success")
    return redirect(url_for("admin_orders.order", order_id=order_id), 303)


@orders.post("/admin/orders/<id:order_id>/withdraw")
def withdraw(order_id: int) -> Any:
    """Give an order up."""
    require_keeper()
    typed = Typed.posted("reason")
    try:
        reason = typed.text("reason", "取りやめる理由")
        typed.check()
        engine().orders.withdraw(viewer(), order_id, reason)
    except (Invalid, Conflict) as error:
        return _order_page(order_id, typed, error)
    flash("発令を取りやめました。", "success")
    return redirect(url_for("admin_orders.order", order_id=order_id), 303)


# ---------------------------------------------------------------- reorganisation


def _changes() -> list[dict[str, Any]]:
    """The changes typed so far, by their numbers in the form."""
    many = min(max(request.form.get("_changes", 1, type=int), 1), MOST_CHANGES)
    found = []
    for number in range(many):
        named = {
            part: request.form.get(f"c{number}_{part}", "").replace("\r\n", "\n").strip() for part in ("kind", "names", "into", "parent")
        }
        units = [unit for unit in request.form.getlist(f"c{number}_units") if unit][:50]
        found.append({**named, "units": units})
    return found


def _reorganise_page(typed: Typed, changes: list[dict[str, Any]], problem: TadachiError | None = None) -> Any:
    office, on = engine().organisations[viewer().organisation], today()
    units = [(unit.id, unit.name) for unit in office.units.values() if unit.valid_to is None or unit.valid_to >= on]
    offered = [unit for unit in units if unit[0] != office.id]
    more = {"changes": changes, "offered": offered, "units": units, "change_kinds": CHANGES}
    return page("admin/reorganise.html", typed, problem, **more)


@orders.get("/admin/reorganise")
def reorganise_form() -> Any:
    """The form with one empty change."""
    require_keeper()
    return _reorganise_page(Typed.asked("title", "on"), [{"kind": "", "names": "", "into": "", "parent": "", "units": []}])


@orders.post("/admin/reorganise")
def reorganise() -> Any:
    """Draft the order, or show the form again with room for one more change."""
    require_keeper()
    typed, changes = Typed.posted("title", "on"), _changes()
    if "_add" in request.form:
        changes = [*changes, {"kind": "", "names": "", "into": "", "parent": "", "units": []}][:MOST_CHANGES]
        return _reorganise_page(typed, changes)
    filled = [one for one in changes if one["kind"] or one["names"] or one["units"] or one["into"] or one["parent"]]
    try:
        on = typed.day("on", "施行日")
        typed.check()
        told = [
            UnitChange(
                one["kind"],
                tuple(one["units"]),
                tuple(name.strip() for name in one["names"].splitlines() if name.strip()),
                one["into"],
                one["parent"],
            )
            for one in filled
        ]
        made = engine().orders.reorganise(viewer(), typed.values["title"], on, told)
    except (Invalid, Conflict) as error:
        return _reorganise_page(typed, filled or changes, error)
    flash("組織の改正を下書きしました。まだ何も変わっていません。内容を確かめ、ほかの人が承認してください。", "success")
    return redirect(url_for("admin_orders.order", order_id=made), 303)

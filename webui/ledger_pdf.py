"""A ledger as PDF: A4 landscape, its headings on every page, who took it out and when at the foot."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, SimpleDocTemplate, Spacer, Table

from engine import EntryShown, LedgerShown
from webui.formatting import moment
from webui.ledger_files import MASK
from webui.pdf import FAINT, RULE, SANS, SERIF, SHADE, SMALL, SUBSTITUTED, _Printer, _style  # the very hand that draws papers

MARGIN = 12 * mm
WIDTH = landscape(A4)[0] - 2 * MARGIN
MOST = 1_000  # above it the paper helps nobody, and drawing it takes minutes
TITLE = _style("ledger-title", SANS, 14)
#: How wide a column is beside the others, by its kind.
_SHARES = {"text": 3.0, "choice": 2.0, "unit": 2.4, "date": 2.2, "datetime": 2.4, "number": 1.2, "yes_no": 1.1}


def render_ledger(ledger: LedgerShown, rows: Sequence[EntryShown], office: str, said: str, made_at: datetime, by: str) -> bytes:
    """The ledger as PDF.

    Args:
        said: the conditions it was narrowed by, in words.
        by: who took it out.
    """
    printer = _Printer()
    shares = [1.1, 1.8, *(_SHARES.get(column.kind, 3.0) for column in ledger.columns), 2.8]
    size = 8.5 if sum(shares) < 26 else 7.5 if sum(shares) < 34 else 6.5
    cell, head = _style("ledger-cell", SERIF, size), _style("ledger-head", SANS, size)
    titles = ["番号", "状態", *(column.name for column in ledger.columns), "保存期限"]
    grid: list[list[Any]] = [[printer.words(title, head) for title in titles]]
    for row in rows:
        texts = [str(row.entry), row.state, *(MASK if one.masked else one.text for one in row.cells), row.kept]
        grid.append([printer.words(text, cell) for text in texts])
    story: list[Flowable] = [
        printer.words(ledger.name, TITLE),
        printer.words("　".join(part for part in (ledger.basis, f"保存期間 {ledger.kept}", said, f"{len(rows)}件") if part), SMALL),
        Spacer(1, 3 * mm),
        Table(
            grid,
            colWidths=[WIDTH * share / sum(shares) for share in shares],
            repeatRows=1,
            splitByRow=1,
            splitInRow=1,
            style=[
                ("GRID", (0, 0), (-1, -1), 0.4, RULE),
                ("BACKGROUND", (0, 0), (-1, 0), SHADE),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 3),
                ("RIGHTPADDING", (0, 0), (-1, -1), 3),
                ("TOPPADDING", (0, 0), (-1, -1), 1),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
            ],
        ),
    ]
    if printer.substituted:
        story += [Spacer(1, 3 * mm), printer.words(SUBSTITUTED, SMALL)]
    foot = printer.plain(f"{office}　{ledger.name}　{moment(made_at)}　{by} 出力")
    out = io.BytesIO()
    document = SimpleDocTemplate(
        out, pagesize=landscape(A4), leftMargin=MARGIN, rightMargin=MARGIN, topMargin=12 * mm, bottomMargin=16 * mm, title=ledger.name,
        author=office, subject=ledger.name, creator="Tadachi", producer="Tadachi", lang="ja", invariant=1, allowSplitting=1,
    )  # fmt: skip
    document.build(story, canvasmaker=lambda *args, **kwargs: _Pages(*args, foot=foot, **kwargs))
    return out.getvalue()


class _Pages(Canvas):
    """Writes the number of pages on every page once it is known."""

    def __init__(self, *args: Any, foot: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.setViewerPreference("DisplayDocTitle", "true")
        self._foot = foot
        self._kept: list[dict[str, Any]] = []

    def showPage(self) -> None:
        self._kept.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        for number, page in enumerate(self._kept, 1):
            self.__dict__.update(page)
            self.setFont(SANS, 8)
            self.setFillColor(FAINT)
            self.drawString(MARGIN, 9 * mm, self._foot)
            self.drawRightString(landscape(A4)[0] - MARGIN, 9 * mm, f"{number} / {len(self._kept)} ページ")
            super().showPage()
        super().save()

"""Draws a paper as PDF: A4, Japanese without any font file, the same bytes for the same paper.

Only the CID fonts that every PDF viewer knows by name are used: nothing is embedded, and the machine that makes the PDF needs no fonts.
Characters outside the Japanese set are drawn from the Western, Korean or Chinese font of the same kind. What none of them has (emoji,
rare ideographs beyond the basic plane) becomes 〓; a Latin letter with an unusual mark loses it. Either way a line at the end says so.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_CENTER, TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import CondPageBreak, Flowable, KeepTogether, PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table

from engine import Paper
from webui.formatting import wareki

SERIF, SANS = "HeiseiMin-W3", "HeiseiKakuGo-W5"
#: Fonts for what the Japanese ones lack, by the codec that tells what they have. Measured against Adobe's character maps:
#: cp932 and shift_jis lie wholly within UniJIS-UCS2-H, euc_kr and gbk within theirs but for a few signs.
OTHERS = (("cp1252", "Times-Roman"), ("euc_kr", "HYSMyeongJo-Medium"), ("gbk", "STSong-Light"))
SUBSTITUTE = "〓"
SUBSTITUTED = "この文書には、印字できる字形が無いため、〓又は記号の付かない字で示した文字があります。"

for _font in (SERIF, SANS, "HYSMyeongJo-Medium", "STSong-Light"):
    pdfmetrics.registerFont(UnicodeCIDFont(_font))

MARGIN = 20 * mm
WIDTH = A4[0] - 2 * MARGIN
LABEL = 42 * mm
TOGETHER = 24 * mm  # a heading never stands alone at the foot of a page
SMALL_TABLE = 50 * mm  # one that is no taller is not torn apart
TALL_ROW = 180 * mm  # a row that is taller breaks inside
RULE, SHADE, FAINT = HexColor("#767676"), HexColor("#f0f0f0"), HexColor("#4d4d4d")


def _style(name: str, font: str = SERIF, size: float = 10.5, **more: Any) -> ParagraphStyle:
    return ParagraphStyle(name, fontName=font, fontSize=size, leading=size * 1.6, wordWrap="CJK", **more)


BODY = _style("body")
LETTER = _style("letter", size=11, spaceAfter=4, firstLineIndent=11)
TO = _style("to", size=11.5, spaceAfter=6)
SIDE = _style("side", alignment=TA_RIGHT)
TITLE = _style("title", SANS, 15, alignment=TA_CENTER, spaceBefore=14, spaceAfter=14)
HEADING = _style("heading", SANS, 10.5)
HEADING_IN_LETTER = _style("heading-in-letter", SANS, 11, spaceBefore=8, spaceAfter=2)
LABELS = _style("label", SANS, 9)
SMALL = _style("small", size=9, textColor=FAINT)
BOX_STEP = _style("box-step", SANS, 8.5, alignment=TA_CENTER)
BOX = _style("box", size=9, alignment=TA_CENTER)
BOX_NAME = _style("box-name", SANS, 10, alignment=TA_CENTER)
IN_A_ROW = 4  # boxes of seats side by side


def render_pdf(paper: Paper) -> bytes:
    """The paper as PDF. Notes to the official who makes it are printed after a report, never on a letter."""
    printer = _Printer()
    letter = paper.layout == "letter"
    title = f"（案）{paper.title}" if letter and not paper.complete else paper.title
    story: list[Flowable] = [printer.words(text, SIDE) for text in (paper.number, wareki(paper.made_on)) if text]
    if paper.addressee:
        story.append(printer.words(paper.addressee, TO))
    story += [printer.words(paper.sender or paper.office, SIDE), printer.words(title, TITLE)]
    for section in paper.sections:
        story += printer.letter_section(section) if letter else printer.section(section)
    if not letter:
        story += printer.notes(paper)
    if paper.additions:
        story += printer.additions(paper)
    if printer.substituted:
        story += [Spacer(1, 4 * mm), printer.words(SUBSTITUTED, SMALL)]

    out = io.BytesIO()
    document = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=20 * mm,
        bottomMargin=22 * mm,
        title=" ".join(part for part in (paper.title, paper.number) if part),
        author=paper.office,
        subject=paper.title,
        creator="Tadachi",
        producer="Tadachi",
        lang="ja",
        invariant=1,
        allowSplitting=1,
    )
    foot, across = printer.plain(paper.number), printer.plain(paper.watermark)
    document.build(story, canvasmaker=lambda *args, **kwargs: _Pages(*args, foot=foot, across=across, **kwargs))
    return out.getvalue()


class _Apart(Flowable):
    """From the page it stands on, pages are counted anew and named in the footer: what is added changes nothing on the pages before."""

    width = height = 0

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def draw(self) -> None:
        self.canv.part = self._name


class _Pages(Canvas):
    """Writes the number of pages on every page once it is known, each part's by itself, and lays a watermark across."""

    def __init__(self, *args: Any, foot: str, across: str = "", **kwargs: Any) -> None:
        self.part = ""
        self._across = across
        super().__init__(*args, **kwargs)
        self.setViewerPreference("DisplayDocTitle", "true")
        self._foot = foot
        self._kept: list[dict[str, Any]] = []

    def showPage(self) -> None:
        self._kept.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        parts = [page["part"] for page in self._kept]
        for place, page in enumerate(self._kept):
            self.__dict__.update(page)
            if self._across:
                self._lay_across()
            self.setFont(SANS, 8.5)
            self.setFillColor(FAINT)
            self.drawString(MARGIN, 12 * mm, self._foot)
            number = parts[: place + 1].count(self.part)
            self.drawRightString(A4[0] - MARGIN, 12 * mm, f"{self.part}{number} / {parts.count(self.part)} ページ")
            super().showPage()
        super().save()

    def _lay_across(self) -> None:
        size = min(72.0, 460.0 / max(len(self._across), 1))
        self.saveState()
        self.setFont(SANS, size)
        self.setFillColor(FAINT, alpha=0.16)
        self.translate(A4[0] / 2, A4[1] / 2)
        self.rotate(30)
        self.drawCentredString(0, -size / 2, self._across)
        self.restoreState()


class _Printer:
    """Turns the parts of a paper into flowing text and tables, and remembers whether a character had to be replaced."""

    def __init__(self) -> None:
        self.substituted = False

    def words(self, text: str, style: ParagraphStyle) -> Paragraph:
        """A paragraph of plain text: whatever looks like markup is shown as it was typed."""
        lines = "<br/>".join(self._marked(line) for line in text.split("\n"))
        return Paragraph(lines, style)

    def plain(self, text: str) -> str:
        """Text for one Japanese font only, such as the footer."""
        return "".join(shape if font == "" else SUBSTITUTE for shape, font in self._shapes(text))

    def _marked(self, line: str) -> str:
        marked, run, current = "", "", ""
        for shape, font in [*self._shapes(line), ("", None)]:
            if font != current:
                marked += f'<font name="{current}">{escape(run)}</font>' if current else escape(run)
                run, current = "", font or ""
            run += shape
        return marked

    def _shapes(self, line: str) -> Iterator[tuple[str, str]]:
        for character in unicodedata.normalize("NFC", line):
            shape, font = _shape(character)
            self.substituted |= shape not in (character, " ") and not _unseen(character)
            if shape:
                yield shape, font

    def section(self, section: Any) -> list[Flowable]:
        """A section of a report: a boxed table with its heading, which may break anywhere, inside a cell too."""
        if section.style == "seats":
            return self.seats(section)
        grid: list[list[Any]] = []
        styles: list[tuple[Any, ...]] = [
            ("BOX", (0, 0), (-1, -1), 0.7, RULE),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 6),
            ("RIGHTPADDING", (0, 0), (-1, -1), 6),
            ("TOPPADDING", (0, 0), (-1, -1), 3),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 5),
        ]
        columns = max([len(section.columns), *(len(row) for row in section.rows), 1])
        if section.heading:
            heading = f"{section.number}　{section.heading}" if section.number else section.heading
            grid.append([self.words(heading, HEADING), *[""] * (columns - 1)])
            styles += [("SPAN", (0, 0), (-1, 0)), ("BACKGROUND", (0, 0), (-1, 0), SHADE), ("LINEBELOW", (0, 0), (-1, 0), 0.7, RULE)]
        for line in section.lines:
            grid.append([self.words(line, BODY), *[""] * (columns - 1)])
            styles.append(("SPAN", (0, len(grid) - 1), (-1, len(grid) - 1)))
        first = len(grid)
        if section.columns:
            grid.append([self.words(name, LABELS) for name in section.columns] + [""] * (columns - len(section.columns)))
        for row in section.rows:
            cells = [self.words(cell, BODY if section.columns or n else LABELS) for n, cell in enumerate(row)]
            grid.append(cells + [""] * (columns - len(row)))
        if len(grid) > first:
            styles.append(("INNERGRID", (0, first), (-1, -1), 0.4, RULE))
            if first:
                styles.append(("LINEABOVE", (0, first), (-1, first), 0.4, RULE))
        if not grid:
            return []
        widths = _widths(columns, bool(section.columns), section.widths)
        table = Table(grid, colWidths=widths, style=styles, splitByRow=1, splitInRow=1)
        height = table.wrap(WIDTH, A4[1])[1]
        if section.widths and not section.lines and max(table._rowHeights) < TALL_ROW:
            # Rows that fit on a page stay whole, and the columns are named on every page; reportlab cannot do that and break inside rows.
            table = Table(grid, colWidths=widths, style=styles, splitByRow=1, splitInRow=0, repeatRows=first + 1)
        return [CondPageBreak(TOGETHER), KeepTogether([table]) if height <= SMALL_TABLE else table, Spacer(1, 3 * mm)]

    def seats(self, section: Any) -> list[Flowable]:
        """Seats as boxes side by side, as on the sheet that goes round for stamps."""
        parts: list[Flowable] = [CondPageBreak(TOGETHER), self.words(section.heading, HEADING), Spacer(1, 1 * mm)]
        boxes = [self._box(*row) for row in section.rows]
        lines = [boxes[start : start + IN_A_ROW] for start in range(0, len(boxes), IN_A_ROW)]
        for line in lines:
            last = len(line) - 1
            styles = [
                ("BOX", (0, 0), (last, -1), 0.7, RULE),
                ("LINEAFTER", (0, 0), (last, -1), 0.4, RULE),
                ("LINEBELOW", (0, 0), (last, 0), 0.4, RULE),
                ("BACKGROUND", (0, 0), (last, 0), SHADE),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 3),
                ("RIGHTPADDING", (0, 0), (-1, -1), 3),
                ("TOPPADDING", (0, 0), (-1, -1), 1),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
            ]
            grid = [list(row) + [""] * (IN_A_ROW - len(line)) for row in zip(*line, strict=True)]
            table = Table(grid, colWidths=[WIDTH / IN_A_ROW] * IN_A_ROW, style=styles, splitByRow=1, splitInRow=1)
            parts.append(KeepTogether([table]))
        return [*parts, Spacer(1, 3 * mm)]

    def _box(self, step: str, seat: str, name: str, when: str, mark: str) -> list[Paragraph]:
        """One box from top to bottom; what is long in it breaks like any other text."""
        return [
            self.words(step, BOX_STEP),
            self.words(seat, BOX),
            self.words(name, BOX_NAME),
            self.words(when, BOX),
            self.words(f"〔{mark}〕" if mark else "", BOX),
        ]

    def additions(self, paper: Paper) -> list[Flowable]:
        """What came after, on pages of its own."""
        said = f"次の事項は、{wareki(paper.made_on)}の決裁の後に加わったものです。{paper.title}の内容は変わっていません。"
        parts: list[Flowable] = [
            PageBreak(),
            _Apart("追記 "),
            self.words(paper.number, SIDE),
            self.words("決裁後の追記", TITLE),
            self.words(said, BODY),
        ]
        parts.append(Spacer(1, 3 * mm))
        for section in paper.additions:
            parts += self.section(section)
        return parts

    def letter_section(self, section: Any) -> list[Flowable]:
        """A section of a letter: a heading and paragraphs."""
        parts: list[Flowable] = []
        if section.heading:
            heading = f"{section.number}　{section.heading}" if section.number else section.heading
            parts += [CondPageBreak(TOGETHER), self.words(heading, HEADING_IN_LETTER)]
        parts += [self.words(line, LETTER) for line in section.lines if line]
        if section.rows:
            parts += self.section(replace(section, heading="", lines=()))
        return parts

    def notes(self, paper: Paper) -> list[Flowable]:
        """What the official who makes a report has to know; it is not part of what is submitted."""
        lines = list(paper.notes)
        if paper.missing:
            lines.insert(0, f"記載が済んでいない事項：{'、'.join(paper.missing)}")
        if not lines:
            return []
        said = [
            Spacer(1, 2 * mm),
            self.words("作成者への注意（提出する文面には含まれません）", SMALL),
            *(self.words(f"・{line}", SMALL) for line in lines),
        ]
        return [KeepTogether(said)]


def _widths(columns: int, headed: bool, shares: tuple[int, ...] = ()) -> list[float]:
    if len(shares) == columns:
        return [WIDTH * share / sum(shares) for share in shares]
    if columns == 1:
        return [WIDTH]
    if not headed:
        return [LABEL, *[(WIDTH - LABEL) / (columns - 1)] * (columns - 1)]
    if columns == 3:  # when, what, who
        return [46 * mm, WIDTH - 88 * mm, 42 * mm]
    return [WIDTH / columns] * columns


def _unseen(character: str) -> bool:
    """Whether a reader misses nothing without it: controls and choices among variants of a glyph."""
    return unicodedata.category(character) in ("Cc", "Cf") or unicodedata.name(character, "").startswith("VARIATION SELECTOR")


@lru_cache(maxsize=8192)
def _shape(character: str) -> tuple[str, str]:
    """What is drawn for a character, and the font it needs ("" for the paragraph's own)."""
    kind = unicodedata.category(character)
    if kind in ("Cc", "Cf", "Mn"):
        return "", ""
    if kind in ("Cs", "Co"):  # half a character, or one that a single machine has defined for itself
        return SUBSTITUTE, ""
    if character == "\u00a0":
        return " ", ""
    if _has(character, "cp932") or _has(character, "shift_jis"):
        return character, ""
    for codec, font in OTHERS:
        if _has(character, codec):
            return character, font
    base = unicodedata.normalize("NFKD", character)[0]
    return (base, "") if base.isascii() and base.isalpha() else (SUBSTITUTE, "")


def _has(character: str, codec: str) -> bool:
    try:
        character.encode(codec)
    except UnicodeEncodeError:
        return False
    return True

"""Writes one table as an XLSX workbook (ECMA-376): headings that stay and repeat when printed, A4 landscape, and never a formula.

Written out by hand rather than with a spreadsheet library: a table is all that is wanted, a ledger of many thousand lines is ready in a
second, and the same table is the same bytes.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape, quoteattr

#: What makes a spreadsheet take a text for a formula; Japanese ones take the full-width signs too.
FORMULA = tuple("=+-@\t\r\n＝＋－＠")
UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # XML 1.0 has no place for them
LONGEST = 32_767  # characters of a cell, by the specification of the program that most offices open it with
_DAY_0 = datetime(1899, 12, 30)  # noqa: DTZ001 - serial numbers of days know no time zone
_HEADING, _TEXT, _FORMULA, _DAY, _INSTANT = 1, 2, 3, 4, 5  # places in cellXfs below
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_KINDS = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_WRAP = '<alignment vertical="top" wrapText="1"/>'
_STYLES = f"""{_HEAD}<styleSheet xmlns="{_MAIN}"><numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy/mm/dd"/>\
<numFmt numFmtId="165" formatCode="yyyy/mm/dd\\ hh:mm"/></numFmts>\
<fonts count="2"><font><sz val="10"/><name val="Yu Gothic"/></font><font><b/><sz val="10"/><name val="Yu Gothic"/></font></fonts>\
<fills count="3"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>\
<fill><patternFill patternType="solid"><fgColor rgb="FFE8F1FE"/></patternFill></fill></fills>\
<borders count="1"><border/></borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>\
<cellXfs count="6"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>\
<xf numFmtId="0" fontId="1" fillId="2" borderId="0" xfId="0" applyFont="1" applyFill="1" applyAlignment="1">{_WRAP}</xf>\
<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0" applyAlignment="1">{_WRAP}</xf>\
<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0" quotePrefix="1" applyAlignment="1">{_WRAP}</xf>\
<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyAlignment="1">{_WRAP}</xf>\
<xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyAlignment="1">{_WRAP}</xf></cellXfs>\
<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>"""


def workbook(name: str, headings: Sequence[str], lines: Iterable[Sequence[Any]]) -> bytes:
    """The table as a workbook of one sheet.

    Args:
        name: the sheet's; what a sheet's name may not hold becomes `_`.
        headings: the first row.
        lines: values of each row: text, int, float, date, datetime without a zone, or None.
    """
    sheet = re.sub(r"[\[\]:*?/\\']", "_", UNWRITABLE.sub("", name))[:31] or "1"
    rows = [_row(1, headings, _HEADING), *(_row(number, line, _TEXT) for number, line in enumerate(lines, 2))]
    last = f"{_column(len(headings))}{len(rows)}"
    widths = "".join(
        f'<col min="{place}" max="{place}" width="{max(10, min(40, 2 * len(title) + 4))}" customWidth="1"/>'
        for place, title in enumerate(headings, 1)
    )
    quoted = escape(f"'{sheet}'")
    parts = {
        "[Content_Types].xml": f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
        f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_KINDS}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_KINDS}.worksheet+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_KINDS}.styles+xml"/></Types>',
        "_rels/.rels": _relations(("officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets><sheet name={quoteattr(sheet)} sheetId="1" '
        f'r:id="rId1"/></sheets><definedNames><definedName name="_xlnm._FilterDatabase" localSheetId="0" hidden="1">'
        f"{quoted}!$A$1:{_fixed(last)}</definedName>"
        f'<definedName name="_xlnm.Print_Titles" localSheetId="0">{quoted}!$1:$1</definedName></definedNames></workbook>',
        "xl/_rels/workbook.xml.rels": _relations(("worksheet", "worksheets/sheet1.xml"), ("styles", "styles.xml")),
        "xl/styles.xml": _STYLES,
        "xl/worksheets/sheet1.xml": f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetPr><pageSetUpPr fitToPage="1"/></sheetPr><sheetViews>'
        f'<sheetView workbookViewId="0"><pane xSplit="1" ySplit="1" topLeftCell="B2" activePane="bottomRight" state="frozen"/></sheetView>'
        f"</sheetViews><cols>{widths}</cols><sheetData>{''.join(rows)}</sheetData>"
        f'<autoFilter ref="A1:{last}"/><pageMargins left="0.4" right="0.4" top="0.5" bottom="0.6" header="0.3" footer="0.3"/>'
        f'<pageSetup paperSize="9" orientation="landscape" fitToWidth="1" fitToHeight="0"/>'
        f"<headerFooter><oddFooter>&amp;L&amp;A&amp;R&amp;P / &amp;N</oddFooter></headerFooter></worksheet>",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in parts.items():
            archive.writestr(zipfile.ZipInfo(path), text.encode(), zipfile.ZIP_DEFLATED)  # with no instant: the same bytes each time
    return out.getvalue()


def _relations(*targets: tuple[str, str]) -> str:
    each = (f'<Relationship Id="rId{n}" Type="{_RELATIONS}/{kind}" Target="{target}"/>' for n, (kind, target) in enumerate(targets, 1))
    return f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{"".join(each)}</Relationships>'


def _row(number: int, line: Sequence[Any], style: int) -> str:
    cells = (_cell(f"{_column(place)}{number}", value, style) for place, value in enumerate(line, 1))
    return f'<row r="{number}">{"".join(cells)}</row>'


def _cell(at: str, value: Any, style: int) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, datetime):
        return f'<c r="{at}" s="{_INSTANT}"><v>{(value - _DAY_0) / timedelta(days=1):.15g}</v></c>'
    if isinstance(value, date):
        return f'<c r="{at}" s="{_DAY}"><v>{(value - _DAY_0.date()).days}</v></c>'
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f'<c r="{at}" s="{style}"><v>{value}</v></c>'
    text = UNWRITABLE.sub("", str(value))[:LONGEST]
    style = _FORMULA if text.startswith(FORMULA) and style == _TEXT else style  # marked as text, so that editing the cell leaves it so
    return f'<c r="{at}" s="{style}" t="inlineStr"><is><t xml:space="preserve">{escape(text)}</t></is></c>'


def _column(place: int) -> str:
    """A, B, … Z, AA, …"""
    name = ""
    while place:
        place, rest = divmod(place - 1, 26)
        name = chr(65 + rest) + name
    return name


def _fixed(at: str) -> str:
    return re.sub(r"([A-Z]+)(\d+)", r"$\1$\2", at)

"""Reads a table that someone saved in a spreadsheet, CSV or XLSX, into texts by column: bounded in time and memory whatever the file holds.

XLSX is read with lxml rather than with a spreadsheet library: only the cells of one sheet are wanted, with a bound on everything, and
with the date formats that Japanese Excel has built in.
"""

from __future__ import annotations

import csv
import io
import math
import posixpath
import re
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from lxml import etree

from engine.errors import Invalid


class SheetUnreadable(Invalid):
    """The file is not a table that can be read, and why."""

    message = "ファイル「{name}」を読めません：{why}"


@dataclass(frozen=True, slots=True)
class SheetLimits:
    """How large a table may be: bytes of the file and of what it unpacks to, rows below the headers, columns, letters of one cell."""

    size: int = 5 * 1024 * 1024
    unpacked: int = 100 * 1024 * 1024
    rows: int = 5_000
    columns: int = 100
    letters: int = 10_000


LIMITS = SheetLimits()
_HEADER_LETTERS = 100
_MARKS = 600_000  # tags, and attributes, of one part of an XLSX file: above them its tree would take gigabytes
_PARTS = 5_000
_LAST_ROW = 1_048_576  # of a spreadsheet

#: Characters that nobody sees or that change the order in which others are read: controls, bidirectional marks, zero-width characters.
HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0001-\U000e007f]"
)
_NOT_TEXT = re.compile("[\0\uf8f0-\uf8f3]")  # Python's CP932 reads bytes that are in no Japanese text as these


@dataclass(frozen=True)
class SheetRow:
    """One row: the line on which it begins (of a workbook, the row's number), and header -> text of the cell."""

    line: int
    cells: Mapping[str, str]


@dataclass(frozen=True)
class Sheet:
    """A table: its headers in NFKC without blanks, in their order, and the rows below that are not blank."""

    headers: tuple[str, ...]
    rows: tuple[SheetRow, ...]


class _Bad(Exception):
    """The table cannot be read; the message is the Japanese reason."""


_DAMAGED = "Excelファイルとして壊れています。Excelで開けるか確かめ、保存し直してください。"
_LOCKED = "パスワードで暗号化されています。パスワードを外して保存し直してください。"


def read_table(name: str, content: bytes, limits: SheetLimits = LIMITS) -> Sheet:
    """The table of a CSV file (UTF-8, UTF-16 with a mark, or CP932; comma, tab or semicolon) or of an XLSX file's first visible sheet.

    Args:
        name: what the file is called, for the refusal only: its kind is decided by its content.
        content: the bytes.
        limits: upper bounds.

    Raises:
        SheetUnreadable: with the reason in Japanese.
    """
    try:
        if not content:
            raise _Bad("中身が空です。")
        if len(content) > limits.size:
            raise _Bad(f"大きさは{limits.size / 1_048_576:g} MBまでです。")
        return _table(_records(content, limits), limits)
    except _Bad as bad:
        raise SheetUnreadable(name=HIDDEN.sub("_", name)[:60], why=str(bad)) from None


def _table(records: Iterator[tuple[int, list[str]]], limits: SheetLimits) -> Sheet:
    headers: tuple[str, ...] | None = None
    rows: list[SheetRow] = []
    letters = 0
    for line, cells in records:
        filled = [place for place, cell in enumerate(cells) if cell and not cell.isspace()]
        if not filled:
            continue  # spreadsheets leave blank lines, above the table and below
        if filled[-1] >= limits.columns:
            raise _Bad(f"{line}行目に{filled[-1] + 1}列あります。列は{limits.columns}までです。")
        if headers is None:
            headers = _headers(line, cells[: filled[-1] + 1])
            continue
        if len(rows) == limits.rows:
            raise _Bad(f"見出しの下の行は{limits.rows:,}行までです。ファイルを分けてください。")
        for place in filled:
            letters += len(cells[place])
            if place >= len(headers) or not headers[place]:
                raise _Bad(f"{line}行目の{place + 1}列目に値がありますが、その列に見出しがありません。表の最初の行を見出しにしてください。")
            if len(cells[place]) > limits.letters or letters > limits.size:
                raise _Bad(f"{line}行目の「{headers[place]}」までの文字が多すぎます（1つのセルは{limits.letters:,}文字まで）。")
        # Excel leaves separators out where the rest of a line is blank
        texts = [*cells, *[""] * (len(headers) - len(cells))]
        rows.append(SheetRow(line, {header: texts[place] for place, header in enumerate(headers) if header}))
    if headers is None:
        raise _Bad("見出しの行がありません。")
    return Sheet(tuple(header for header in headers if header), tuple(rows))


def _headers(line: int, cells: list[str]) -> tuple[str, ...]:
    found: list[str] = []
    for place, cell in enumerate(cells):
        if len(cell) > _HEADER_LETTERS:
            raise _Bad(f"{line}行目の{place + 1}列目の見出しが長すぎます。表の最初の行を見出しにしてください。")
        header = "".join(unicodedata.normalize("NFKC", cell).split())
        if HIDDEN.search(header):
            raise _Bad(f"{line}行目の{place + 1}列目の見出しに、制御文字などの見えない文字が含まれています。")
        if header and header in found:
            raise _Bad(f"見出し「{header}」の列が2つあります。")
        found.append(header)
    return tuple(found)


# ---------------------------------------------------------------- what kind of file it is

_ZIP = b"PK\x03\x04"
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # what Office wrote before 2007, and how it wraps encrypted files now
_KINDS = (
    (b"%PDF-", "PDF"),
    (b"\x89PNG", "画像（PNG）"),
    (b"\xff\xd8\xff", "画像（JPEG）"),
    (b"GIF8", "画像（GIF）"),
    (b"II*\0", "画像（TIFF）"),
    (b"MM\0*", "画像（TIFF）"),
    (b"{\\rtf", "リッチテキスト"),
    (b"PK\x05\x06", "ZIP"),
    (b"\x1f\x8b", "圧縮ファイル"),
    (b"7z\xbc\xaf\x27\x1c", "圧縮ファイル"),
    (b"Rar!", "圧縮ファイル"),
    (b"<", "HTMLまたはXML"),
)
_ZIP_KINDS = (
    ("xl/workbook.bin", "Excelのバイナリ形式（.xlsb）"),
    ("word/", "Word"),
    ("ppt/", "PowerPoint"),
    ("content.xml", "OpenDocument"),
)


def _another_kind(kind: str) -> _Bad:
    return _Bad(f"{kind}の形式です。CSVまたはExcel（.xlsx）で保存し直してください。")


def _records(content: bytes, limits: SheetLimits) -> Iterator[tuple[int, list[str]]]:
    """Line number and texts of each row, the headers' among them."""
    if content.startswith(_ZIP):
        return _xlsx_records(_Package(content, limits), limits)
    if content.startswith(_COMPOUND):
        if "EncryptedPackage".encode("utf-16-le") in content:
            raise _Bad(_LOCKED)
        old = any(stream.encode("utf-16-le") in content for stream in ("Workbook\0", "Book\0"))
        raise _another_kind("古いExcel（.xls）" if old else "古いOffice文書")
    for start, kind in _KINDS:
        if content.startswith(start) or (start == b"<" and content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(start)):
            raise _another_kind(kind)
    return _csv_records(_text(content))


# ---------------------------------------------------------------- CSV


def _text(content: bytes) -> str:
    """The text of a file; a byte order mark decides its code, otherwise UTF-8 is tried before the CP932 of Japanese spreadsheets."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        codes: tuple[str, ...] = ("utf-16",)
    elif content.startswith(b"\xef\xbb\xbf"):
        codes = ("utf-8-sig",)
    else:
        codes = ("utf-8", "cp932")
    for code in codes:
        try:
            text = content.decode(code)
        except UnicodeDecodeError:
            continue
        if not _NOT_TEXT.search(text):
            return text
    raise _Bad("CSVまたはExcel（.xlsx）ではないか、文字コードがUTF-8・UTF-16・シフトJIS（CP932）のどれでもありません。")


def _csv_records(text: str) -> Iterator[tuple[int, list[str]]]:
    if text.count("\n") + text.count("\r") > 2 * _LAST_ROW:
        raise _Bad("行が多すぎます。下の空白の行を消してください。")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error:
            raise _Bad(f"{line}行目から、CSVの引用符が閉じていないか、1つの値が長すぎます。") from None
        if cells is None:
            return
        yield line, cells


def _separator(text: str) -> str:
    """The separator that parts the first line that is not blank into the most columns."""
    start = text.lstrip()[:200_000]

    def width(mark: str) -> int:
        try:
            return len(next(csv.reader(io.StringIO(start, newline=""), delimiter=mark, strict=True), ()))
        except csv.Error:
            return 0

    return max(",\t;", key=width)


# ---------------------------------------------------------------- XLSX (ECMA-376, Part 1, 18.2 to 18.8)

# What zipfile raises about archives that are not sound.
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError, OverflowError)
_OPTIONS: Mapping[str, Any] = {
    "encoding": "utf-8",  # whatever the part declares: what we looked through is what is parsed
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}
_CELL = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_NUMBER = re.compile(r"[-+]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][-+]?[0-9]{1,3})?")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
# Formats 27 to 36 and 50 to 58 are the dates of East Asian Excel; such a file names their numbers alone.
_BUILT_IN_DATES = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
_NOT_FORMAT = re.compile(r'"[^"]*"|\\.|[_*].|\[[^\]]*\]')


class _Package:
    """The parts of an XLSX file, each checked before it is parsed."""

    def __init__(self, content: bytes, limits: SheetLimits) -> None:
        if content.count(b"PK\x01\x02") > _PARTS:
            raise _Bad("圧縮されたファイルの数が多すぎます。")
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(content))
        except _BROKEN:
            raise _Bad(_DAMAGED) from None
        found = self._archive.infolist()
        self._parts = {part.filename: part for part in found}
        if "xl/workbook.xml" not in self._parts:
            kinds = (kind for start, kind in _ZIP_KINDS if any(name.startswith(start) for name in self._parts))
            raise _another_kind(next(kinds, "ZIP"))
        if any(part.flag_bits & 1 for part in found):
            raise _Bad(_LOCKED)
        if sum(part.file_size for part in found) > limits.unpacked:
            raise _Bad(f"展開すると大きすぎます（{limits.unpacked // 1_048_576} MBまで）。")
        if len(found) != len(self._parts) or any(part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for part in found):
            raise _Bad(_DAMAGED)

    def has(self, name: str) -> bool:
        """Whether there is such a part."""
        return name in self._parts

    def read(self, name: str) -> bytes:
        """The XML of a part, without document type, and with a number of tags and attributes that can be borne."""
        if name not in self._parts:
            raise _Bad(_DAMAGED)
        try:
            data = self._archive.read(self._parts[name])
        except _BROKEN:
            raise _Bad(_DAMAGED) from None
        if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
            raise _Bad("安全のため、文書型宣言（DOCTYPE）を含むファイルは受け付けません。")
        if data.count(b"<") > _MARKS or data.count(b"=") > _MARKS:
            raise _Bad("セルや書式の数が多すぎます。必要な列と行だけを新しいブックに写してください。")
        return data

    def root(self, name: str) -> Any:
        """The root element of a part."""
        try:
            return etree.fromstring(self.read(name), etree.XMLParser(**_OPTIONS))
        except etree.XMLSyntaxError:
            raise _Bad(_DAMAGED) from None

    def targets(self) -> dict[str, tuple[str, str]]:
        """Relationship id -> last word of its kind and name of the part, of the workbook."""
        found = {}
        for item in self.root("xl/_rels/workbook.xml.rels").iterchildren("{*}Relationship"):
            part = posixpath.normpath(posixpath.join("/xl", item.get("Target", ""))).lstrip("/")
            if item.get("TargetMode") != "External":
                found[item.get("Id", "")] = (item.get("Type", "").rpartition("/")[2], part)
        return found


def _xlsx_records(package: _Package, limits: SheetLimits) -> Iterator[tuple[int, list[str]]]:
    workbook = package.root("xl/workbook.xml")
    targets = package.targets()
    of_kind = dict(targets.values())
    sheet = _first_sheet(workbook, targets)
    settings = workbook.find("{*}workbookPr")
    epoch = date(1904, 1, 1) if settings is not None and settings.get("date1904") in ("1", "true") else date(1899, 12, 30)
    strings = of_kind.get("sharedStrings", "")
    styles = of_kind.get("styles", "")
    reader = _CellReader(
        [_letters_of(item) for item in package.root(strings).iterchildren("{*}si")] if package.has(strings) else [],
        _formats(package.root(styles)) if package.has(styles) else [],
        epoch,
    )
    line = 0
    try:
        for _event, row in etree.iterparse(io.BytesIO(package.read(sheet)), events=("end",), tag="{*}row", **_OPTIONS):
            parent = row.getparent()
            if parent is None or not parent.tag.endswith("}sheetData"):
                continue  # drawings have rows, too
            line = _row_number(row.get("r"), line)
            if len(row):
                yield line, _row(row, line, reader, limits)
                row.clear()
            while parent[0] is not row:
                del parent[0]
    except etree.XMLSyntaxError:
        raise _Bad(_DAMAGED) from None


def _first_sheet(workbook: Any, targets: Mapping[str, tuple[str, str]]) -> str:
    """The part of the first sheet of cells that people see."""
    for sheet in workbook.iterfind("{*}sheets/{*}sheet"):
        id_ = next((value for name, value in sheet.attrib.items() if name.endswith("}id")), "")
        kind, part = targets.get(id_, ("", ""))
        if kind == "worksheet" and sheet.get("state", "visible") == "visible":
            return part
    raise _Bad("表示されているシートがありません。")


def _row_number(written: str | None, before: int) -> int:
    number = before + 1 if written is None else int(written) if re.fullmatch("[0-9]{1,7}", written) else 0
    if not before < number <= _LAST_ROW:
        raise _Bad(_DAMAGED)
    return number


def _row(row: Any, line: int, reader: _CellReader, limits: SheetLimits) -> list[str]:
    texts: list[str] = []
    column = 0
    for cell in row.iterchildren("{*}c"):
        written = cell.get("r")
        if written is None:
            column += 1
        else:
            match = _CELL.fullmatch(written)
            if match is None or int(match[2]) != line or _column(match[1]) <= column:
                raise _Bad(_DAMAGED)
            column = _column(match[1])
        text = reader.text(cell, written or f"{line}行目の{column}列目")
        if not text:
            continue
        if column > limits.columns:
            raise _Bad(f"{line}行目に{column}列あります。列は{limits.columns}までです。")
        texts += [""] * (column - len(texts))
        texts[column - 1] = text
    return texts


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def _letters_of(item: Any) -> str:
    """The text of a shared or inline string; readings (ふりがな) stand apart from it in `rPh`."""
    parts = [part for child in item for part in ([child] if child.tag.endswith("}t") else child if child.tag.endswith("}r") else ())]
    text = "".join(part.text or "" for part in parts if part.tag.endswith("}t"))
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


def _formats(styles: Any) -> list[str]:
    """For each style of cells: "date", "00000" for figures written with leading zeros, or ""."""
    own = {item.get("numFmtId"): item.get("formatCode", "") for item in styles.iterfind("{*}numFmts/{*}numFmt")}
    known: dict[str, str] = {}
    found = []
    for style in styles.iterfind("{*}cellXfs/{*}xf"):
        number = style.get("numFmtId", "0")
        if number not in known:
            known[number] = _format(own[number]) if number in own else "date" if number in map(str, _BUILT_IN_DATES) else ""
        found.append(known[number])
    return found


def _format(code: str) -> str:
    code = code[:255]  # more than Excel takes
    if re.fullmatch("0{2,32}", code):
        return code
    bare = _NOT_FORMAT.sub("", code).lower()
    return "date" if "general" not in bare and re.search("[ymdhs]|ge|aaa", bare) else ""


@dataclass(frozen=True)
class _CellReader:
    """Turns a cell into the text that a person sees in it, as far as it matters here."""

    strings: list[str]
    formats: list[str]
    epoch: date

    def text(self, cell: Any, place: str) -> str:
        """The text of a cell; `place` is what to call it."""
        kind, value, formula = cell.get("t", "n"), "", False
        for child in cell:
            name = child.tag.rpartition("}")[2]
            if name == "v":
                value = child.text or ""
            elif name == "is":
                value = _letters_of(child)
            elif name == "f":
                formula = True
        if formula and not value and kind != "str":  # a formula whose result is no text at all has kind "str"
            raise _Bad(f"セル{place}の数式に計算結果がありません。Excelで開いて保存し直すか、値に置き換えてください。")
        if kind == "e":
            raise _Bad(f"セル{place}がエラー（{HIDDEN.sub('', value)[:20]}）になっています。")
        if not value or kind in ("str", "inlineStr"):
            return value
        try:
            if kind == "s":
                return self.strings[int(value[:9])]
            if kind == "b":
                return "TRUE" if int(value[:9]) else "FALSE"
            if kind == "d":
                moment = datetime.fromisoformat(value)
                return _moment(moment.date(), moment.time())
            return self._number(value.strip(), self._format_of(cell.get("s", "0")))
        except (ValueError, IndexError, OverflowError):
            raise _Bad(f"セル{place}の値を読めません。") from None

    def _format_of(self, style: str) -> str:
        place = int(style[:9])
        return self.formats[place] if 0 <= place < len(self.formats) else ""

    def _number(self, value: str, form: str) -> str:
        number = float(value) if _NUMBER.fullmatch(value) else math.nan
        if not math.isfinite(number):
            raise ValueError(value)
        if form == "date":
            days, seconds = divmod(round(number * 86_400), 86_400)
            clock = time(seconds // 3600, seconds % 3600 // 60, seconds % 60)
            return _moment(self.epoch + timedelta(days), clock) if number >= 1 else clock.isoformat()
        if not number.is_integer():
            return repr(number)
        whole = int(value) if re.fullmatch("[-+]?[0-9]+", value) else int(number)
        return str(whole).zfill(len(form))


def _moment(day: date, clock: time) -> str:
    """A day in ISO, with the time where it is not midnight."""
    return day.isoformat() if clock == time() else f"{day.isoformat()} {clock.isoformat('seconds')}"

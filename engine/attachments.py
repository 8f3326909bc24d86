"""What files may be attached: size, kind by content, and a name that is safe to show and to save."""

from __future__ import annotations

import re
import unicodedata

from engine.errors import AttachmentRefused
from engine.rules import AttachmentRules

MAX_NAME = 150
#: How the content of a kind of file begins; text kinds are checked as text instead.
_SIGNATURES: dict[str, tuple[bytes, ...]] = {
    "application/pdf": (b"%PDF-",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
}
_ZIP = b"PK\x03\x04"
# Controls, path separators, bidirectional marks and half characters: a name must not read differently from what it is.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f/\\:*?\"<>|\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def check(name: str, content: bytes, rules: AttachmentRules) -> tuple[str, str]:
    """The safe name and the media type of a file.

    Args:
        name: the name as uploaded; a path before it is dropped.
        content: the bytes.
        rules: the office's limits and kinds.

    Raises:
        AttachmentRefused: with the reason in Japanese.
    """
    shown = _UNSAFE.sub("_", unicodedata.normalize("NFC", name.replace("\\", "/").rsplit("/", 1)[-1])).strip(" .")
    if not shown:
        raise AttachmentRefused(name=name[:60], why="ファイル名がありません。")
    if len(shown) > MAX_NAME:
        raise AttachmentRefused(name=shown[:60] + "…", why=f"ファイル名は{MAX_NAME}文字以内にしてください。")
    if not content:
        raise AttachmentRefused(name=shown, why="中身が空です。")
    if len(content) > rules.maximum_bytes:
        raise AttachmentRefused(name=shown, why=f"大きさは{rules.maximum_bytes // 1_048_576} MBまでです。")
    extension = shown.rsplit(".", 1)[-1].lower() if "." in shown else ""
    media_type = rules.types.get(extension)
    if media_type is None:
        raise AttachmentRefused(name=shown, why=f"添付できる種類は {'、'.join(sorted(rules.types))} です。")
    if not _is(media_type, content):
        raise AttachmentRefused(name=shown, why=f"中身が「.{extension}」の形式ではありません（名前だけが変えられている可能性があります）。")
    return shown, media_type


def _is(media_type: str, content: bytes) -> bool:
    if media_type in _SIGNATURES:
        return content.startswith(_SIGNATURES[media_type])
    if media_type.startswith("text/"):
        if b"\x00" in content:
            return False
        for encoding in ("utf-8", "cp932"):
            try:
                content.decode(encoding)
                return True
            except UnicodeDecodeError:
                continue
        return False
    # Office documents are zip archives that name their parts
    part = b"word/" if "wordprocessingml" in media_type else b"xl/" if "spreadsheetml" in media_type else b"ppt/"
    return content.startswith(_ZIP) and part in content and b"[Content_Types].xml" in content

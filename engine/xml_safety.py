"""Reads XML that came from outside: bounded, UTF-8, without document types, entities or processing instructions."""

from __future__ import annotations

from typing import Any

from lxml import etree

from engine.errors import DefinitionRefused, Finding

MAX_BYTES = 2 * 1024 * 1024
MAX_DEPTH = 60


def read_xml(data: bytes, file: str = "") -> Any:
    """The root element of a document.

    Raises:
        DefinitionRefused: with one finding saying what is wrong.
    """

    def refuse(rule: str, message: str) -> DefinitionRefused:
        return DefinitionRefused([Finding(rule, message, "", file)])

    if len(data) > MAX_BYTES:
        raise refuse("xml_size", f"ファイルが大きすぎます（{MAX_BYTES // 1024 // 1024}MBまで）。")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        raise refuse("xml_encoding", "文字コードはUTF-8にしてください。") from None
    if b"\0" in data:  # a parser could take it for UTF-16 and see another document than we did
        raise refuse("xml_encoding", "文字コードはUTF-8にしてください。")
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise refuse("xml_unsafe", "文書型宣言（DOCTYPE）は使えません。")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False, remove_comments=True
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise refuse("xml_broken", f"XMLとして読めません（{line}行目の{column}文字目の近く）。") from None
    except ValueError:
        raise refuse("xml_broken", "XMLとして読めません。") from None
    if (root.getroottree().docinfo.encoding or "UTF-8").upper() not in ("UTF-8", "ASCII", "US-ASCII"):
        raise refuse("xml_encoding", "文字コードはUTF-8にしてください。")
    if any(True for _ in root.itersiblings(preceding=True)) or any(not isinstance(node.tag, str) for node in root.iter()):
        raise refuse("xml_unsafe", "処理命令や実体参照は使えません。")
    if _depth(root) > MAX_DEPTH:
        raise refuse("xml_depth", f"入れ子が深すぎます（{MAX_DEPTH}段まで）。")
    return root


def _depth(root: Any) -> int:
    depth = deepest = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        deepest = max(deepest, depth)
    return deepest

"""Reads XML that came from outside: bounded, UTF-8, without document types, entities or processing instructions."""

from __future__ import annotations

from typing import Any

from lxml import etree

from engine.errors import DefinitionRefused, Finding
from engine.limits import DEFAULT, Limits


def read_xml(data: bytes, file: str = "", limits: Limits = DEFAULT) -> Any:
    """The root element of a document.

    Raises:
        DefinitionRefused: with one finding saying what is wrong.
    """

    def refuse(rule: str, message: str) -> DefinitionRefused:
        return DefinitionRefused([Finding(rule, message, "", file)])

    def too_large(name: str, value: int) -> DefinitionRefused:
        return refuse("xml_size", f"{limits.exceeded(name, value)}図や表を分けてください。")

    if len(data) > limits.xml_bytes:
        raise too_large("xml_bytes", len(data))
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        raise refuse("xml_encoding", "文字コードはUTF-8にしてください。") from None
    if b"\0" in data:  # a parser could take it for UTF-16 and see another document than we did
        raise refuse("xml_encoding", "文字コードはUTF-8にしてください。")
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise refuse("xml_unsafe", "文書型宣言（DOCTYPE）は使えません。その行を消してください。")
    tags = data.count(b"<") - data.count(b"</")  # before parsing: half a million empty elements would take a hundred megabytes
    if tags > 2 * limits.xml_elements:
        raise too_large("xml_elements", tags)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False, remove_comments=True
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise refuse("xml_broken", f"XMLとして読めません（{line}行目の{column}文字目の近く）。エディターで保存し直してください。") from None
    except ValueError:
        raise refuse("xml_broken", "XMLとして読めません。エディターで保存し直してください。") from None
    if (root.getroottree().docinfo.encoding or "UTF-8").upper() not in ("UTF-8", "ASCII", "US-ASCII"):
        raise refuse("xml_encoding", "文字コードはUTF-8にしてください。")
    if any(True for _ in root.itersiblings(preceding=True)) or any(True for _ in root.itersiblings()):
        raise refuse("xml_unsafe", "処理命令や実体参照は使えません。")
    depth = deepest = elements = attributes = 0
    for event, node in etree.iterwalk(root, events=("start", "end", "pi", "comment")):
        if event == "end":
            depth -= 1
            continue
        if event != "start" or not isinstance(node.tag, str):
            raise refuse("xml_unsafe", "処理命令や実体参照は使えません。")
        depth += 1
        deepest = max(deepest, depth)
        elements += 1
        own = len(node.attrib)
        if own > limits.element_attributes:  # looking attributes up one by one takes time that grows with the square of their number
            raise too_large("element_attributes", own)
        attributes += own
    if any(True for _ in root.iter(etree.Entity)):
        raise refuse("xml_unsafe", "処理命令や実体参照は使えません。")
    if elements > limits.xml_elements:
        raise too_large("xml_elements", elements)
    if attributes > limits.xml_attributes:
        raise too_large("xml_attributes", attributes)
    if deepest > limits.xml_depth:
        raise refuse("xml_depth", f"{limits.exceeded('xml_depth', deepest)}サブプロセスや拡張要素の入れ子を減らしてください。")
    return root

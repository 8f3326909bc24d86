"""What service tasks name must be there and fit: series of numbers, the facts they give. Part of engine/deploy_check.py."""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import Finding
from engine.gate_check import usable
from engine.gate_extensions import near
from engine.net import Node
from engine.organisation import Organisation

#: Properties that a service cannot do without.
NEEDED = {"number": ("numbering", "fact")}


def given_by(node: Node) -> tuple[str, ...]:
    """The facts that a service gives its case, besides those of `sets`."""
    return tuple(name for name in (node.properties.get("fact", "").strip(),) if name) if node.topic == "number" else ()


def check_service(node: Node, organisation: Organisation) -> Iterator[Finding]:
    """What one service task says of its work."""
    for name in NEEDED.get(node.topic or "", ()):
        if not node.properties.get(name, "").strip():
            yield Finding("service_property", f"機能「{node.topic}」には、拡張プロパティ「{name}」が要ります。", node.id, node.source)
    if node.topic == "number":
        key = node.properties.get("numbering", "").strip()
        keys = {row.key for row in organisation.rules.numbering}
        if key and key not in keys:
            message = f"numbering「{key}」は rules.toml の [[numbering]] にありません{near(key, keys)}。"
            yield Finding("numbering_unknown", message, node.id, node.source)
    for name in given_by(node):
        if not usable(name):
            message = f"fact「{name[:60]}」は項目の名前に使えません。英字で始まる英数字にしてください。"
            yield Finding("service_property", message, node.id, node.source)

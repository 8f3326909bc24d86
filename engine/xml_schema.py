"""Whether a file keeps to its schema (XSD): every error with its line, at a cost that does not grow with their number."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

from lxml import etree

from engine.errors import Finding

_VALIDATING = threading.Lock()  # an lxml schema keeps one error log


def against_schema(root: Any, data: bytes, validator: Any, file: str) -> list[Finding]:
    """What the schema says, by the library's validator; all errors, where its own method would tell the last."""
    own = Counter(item.get("id") for item in root.iter() if item.tag.startswith("{http://www.omg.org/spec/"))
    twice = [name for name, count in own.items() if name and count > 1]
    if twice:
        return [Finding("schema", f"ID「{name[:100]}」が重複しています。別のIDにしてください。", name[:100], file) for name in twice[:20]]
    with _VALIDATING:
        validator.preprocess(root)
        early = _fails_early(data, validator) if len(data) > _SMALL else []
        if early:
            return [Finding("schema", f"書式に合いません：{message}", "", file) for message in early]
        if validator.validator.validate(root):
            return []
        errors = [(error.line, error.message) for error in validator.validator.error_log][:20]
    return [Finding("schema", f"{line}行目が書式に合いません：{message[:500]}", "", file) for line, message in errors]


#: From this size on (bytes) a file is first validated piece by piece: the library keeps every error, and the time for n errors grows with n².
_SMALL = 200_000


def _fails_early(data: bytes, validator: Any) -> list[str]:
    """The first errors met when a file is validated while it is read; without line numbers, and blind to ids that repeat."""
    parser = etree.XMLParser(schema=validator.validator, resolve_entities=False, no_network=True, remove_comments=True)
    for start in range(0, len(data), 16_384):
        try:
            parser.feed(data[start : start + 16_384])
        except etree.XMLSyntaxError:
            break
        if len(parser.feed_error_log):
            return [error.message[:500] for error in list(parser.feed_error_log)[:20]]
    return []

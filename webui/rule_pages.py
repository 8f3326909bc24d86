"""The pages of docs/rules inside the application: what a rule means, why there is one, how to put it right. A small part of Markdown, escaped."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from markupsafe import Markup, escape

PAGES = Path(__file__).resolve().parents[1] / "docs" / "rules"
_NAME = re.compile(r"[a-z_]{1,60}")
_HEAD = re.compile(r"---\n.*?\n---\n", re.DOTALL)
_CODE = re.compile(r"`([^`]+)`")
_BOLD = re.compile(r"\*\*([^*]+)\*\*")


@cache
def _text(rule: str) -> str:
    """The page's text without its head; "" where there is none (an installation without docs)."""
    if not _NAME.fullmatch(rule):
        return ""
    try:
        return _HEAD.sub("", (PAGES / f"{rule}.md").read_text("utf-8"), count=1).strip()
    except OSError:
        return ""


def has_page(rule: str) -> bool:
    """Whether a rule has a page."""
    return bool(_text(rule))


def title_of(rule: str) -> str:
    """The page's title in words, without the rule's name; the name itself where there is no page."""
    first = _text(rule).partition("\n")[0].removeprefix("#").strip()
    return re.sub(r"（`[^`]*`）$", "", first).strip() or rule


@cache
def rule_page(rule: str) -> Markup:
    """The page as HTML, without its title."""
    parts: list[Markup] = []
    block: list[str] = []
    code: list[str] | None = None

    def close() -> None:
        if block:
            parts.append(_block(block))
            block.clear()

    for line in _text(rule).split("\n")[1:]:
        if line.startswith("```"):
            if code is None:
                close()
                code = []
            else:
                parts.append(Markup('<pre class="rule-code"><code>{}</code></pre>').format("\n".join(code)))
                code = None
        elif code is not None:
            code.append(line)
        elif not line.strip():
            close()
        else:
            block.append(line)
    close()
    return Markup("\n").join(parts)


def _block(lines: list[str]) -> Markup:
    if lines[0].startswith("#"):
        text = lines[0].lstrip("#").strip()
        return Markup("<h2>{}</h2>").format(_inline(text))
    if all(line.lstrip().startswith(("- ", "* ")) or line.startswith("  ") for line in lines):
        items = [line.lstrip()[2:] for line in lines]
        return Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(_inline(item)) for item in items))
    return Markup("<p>{}</p>").format(Markup("<br>").join(_inline(line) for line in lines))


def _inline(text: str) -> Markup:
    """Code and bold; everything else is text."""
    safe = str(escape(text))
    safe = _CODE.sub(r"<code>\1</code>", safe)
    return Markup(_BOLD.sub(r"<strong>\1</strong>", safe))

"""The templates of papers: reads and checks `papers/*.toml` of the office's folder over those of `bpmn/common`, naming every fault."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from engine.errors import Finding, OrganisationBroken
from engine.paper_parts import CONDITIONS, DECISION, NAME, PAPER_IDS, PLACEHOLDERS, TEXTS, Template, Templates
from engine.paper_reader import ApprovalReader, Reader

COMMON = Path(__file__).resolve().parent.parent / "bpmn" / "common"


@cache
def office_templates(folder: Path | None = None) -> Templates:
    """The templates of an office's folder over the common ones, read once: like the rest of the folder, they change with a restart."""
    return load_templates(folder)


def load_templates(office_folder: Path | None = None, common_folder: Path = COMMON) -> Templates:
    """Read `papers/*.toml`: a paper of the office's folder replaces the common one; `words.toml` of the office adds to the common words.

    Raises:
        OrganisationBroken: with a finding per fault, naming the file and, for a wrong placeholder, the placeholder.
    """
    found: list[Finding] = []
    papers: dict[str, Template] = {}
    words: dict[str, dict[str, str]] = {}
    phrases: tuple[str, ...] = ()
    for folder in (common_folder, office_folder):
        if folder is None or not (folder / "papers").is_dir():
            continue
        for path in sorted((folder / "papers").glob("*.toml")):
            reader = Reader(f"{folder.name}/papers/{path.name}", found)
            data = reader.file(path)
            if data is None:
                continue
            if path.stem == "words":
                phrases = reader.words(data, words) or phrases
            elif path.stem in PAPER_IDS:
                papers[path.stem] = reader.template(path.stem, data)
            elif "process" in data and NAME.fullmatch(path.stem) and path.stem != DECISION:
                papers[path.stem] = ApprovalReader(reader.name, found).approval(path.stem, data)
            else:
                message = (
                    f"「{path.stem}」という書面はありません（{'、'.join(PAPER_IDS)}）。承認の書面なら、process に手続のidを書いてください。"
                )
                reader.wrong("unknown-paper", message)
    for paper_id in PAPER_IDS:
        if paper_id not in papers:
            found.append(Finding("missing-file", "書面のひな形がありません。", file=f"papers/{paper_id}.toml"))
    for name in (name for name in TEXTS if name not in words.get("text", {})):
        found.append(Finding("missing-word", f"「{name}」の言い方がありません。", "text", "papers/words.toml"))
    if found:
        raise OrganisationBroken(found)
    return Templates(papers, words, _not_yet_pattern(phrases))


def _not_yet_pattern(phrases: Iterable[str]) -> re.Pattern[str]:
    """A whole text that only says that something is not known: 「原因は現在調査中です。」 but not 「盗難。犯人は不明」."""
    said = "|".join(re.escape(phrase) for phrase in sorted(phrases, key=len, reverse=True)) or "(?!)"
    before = r"(?:[^。、,\n]{0,12}(?:は|現在|現時点で)、)?[^。、,\n]{0,20}"
    return re.compile(rf"{before}(?:{said})(?:のため|のまま|とのこと)?(?:です|である|だ|であります)?[。.\s]*", re.IGNORECASE)


__all__ = ["COMMON", "CONDITIONS", "PAPER_IDS", "PLACEHOLDERS", "load_templates", "office_templates"]

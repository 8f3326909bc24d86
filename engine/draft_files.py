"""A draft's files as plain data: what may be kept as one, what a new one begins with, and which file is whose."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from itertools import chain, count
from xml.sax.saxutils import quoteattr

from engine.errors import DraftRefused
from engine.forms import clean_text
from engine.limits import DEFAULT
from engine.model import storable
from engine.organisation import Organisation

#: A bundle beyond this could not be looked at within two seconds.
MOST_FILES, MOST_BYTES = 60, 4 * 1024 * 1024
MAX_TITLE = 200
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,59}/(?:[A-Za-z0-9][\w.-]{0,99}\.(?:bpmn|dmn)|scenarios/[A-Za-z0-9][\w.-]{0,99}\.yaml)", re.ASCII)
_PROCESS = re.compile(r"[A-Za-z_][\w.-]{0,99}", re.ASCII)

Files = dict[str, str]


def read(files: object) -> Files:
    """A draft's files as somebody sent them.

    Raises:
        DraftRefused: a name no version could have, no text at all, or more than can be looked at.
    """
    if not isinstance(files, Mapping) or not files:
        raise DraftRefused(why="図がありません。")
    if len(files) > MOST_FILES:
        raise DraftRefused(why=f"ファイルは{MOST_FILES}個までです。")
    total = 0
    for name, text in files.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise DraftRefused(
                why=f"ファイル名「{str(name)[:60]}」は使えません。「機関/名前.bpmn」「機関/名前.dmn」「機関/scenarios/名前.yaml」のどれかにしてください。"
            )
        if not isinstance(text, str):
            raise DraftRefused(why=f"「{name}」が文字ではありません。")
        size = len(text.encode("utf-8", "replace"))
        total += size
        if size > DEFAULT.xml_bytes:
            raise DraftRefused(why=f"「{name}」：{DEFAULT.exceeded('xml_bytes', size)}")
    if total > MOST_BYTES:
        raise DraftRefused(why=f"ファイルの合計が上限を超えています（{MOST_BYTES // 1024 // 1024}MBまで）。")
    return {name: storable(text) for name, text in sorted(files.items())}


def title(text: str) -> str:
    """What a draft is called; "" when nothing was said. Raises DraftRefused."""
    try:
        return clean_text(text, MAX_TITLE, lines=False) or ""
    except ValueError as wrong:
        raise DraftRefused(why=f"名前{wrong}") from None


def tables(office: Organisation) -> Files:
    """The office's own decision tables, which every bundle has."""
    return {f"{office.folder.name}/{path.name}": path.read_text("utf-8") for path in sorted(office.folder.glob("*.dmn"))}


def is_process_id(text: str) -> bool:
    """Whether a process may be called so."""
    return _PROCESS.fullmatch(text) is not None


def dumped(files: Mapping[str, str]) -> str:
    """The files as a version keeps them."""
    return json.dumps(dict(files), ensure_ascii=False, sort_keys=True)


def encoded(files: Mapping[str, str]) -> dict[str, bytes]:
    """The files as the gate reads them."""
    return {name: text.encode() for name, text in files.items()}


def file_name(office: str, stem: str, suffix: str = "bpmn") -> str:
    """The name of a file in an office's bundle; whatever cannot stand in one is left out of the stem."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", stem).strip("_.-")[:60]
    return f"{office}/{plain or 'procedure'}.{suffix}"


def drawn(files: Mapping[str, str]) -> Files:
    """The diagrams and tables among a draft's files: what runs."""
    return {name: text for name, text in files.items() if name.endswith((".bpmn", ".dmn"))}


def scenarios(files: Mapping[str, str]) -> Files:
    """The scenarios among a draft's files, by their own names."""
    return {name.rpartition("/")[2]: text for name, text in files.items() if name.endswith(".yaml")}


def free_scenario(office: str, process: str, taken: Collection[str]) -> str:
    """A name in a bundle for one more scenario of a procedure."""
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "_", process.removeprefix(f"{office}_")).strip("_.-")[:60] or "run"
    names = (f"{office}/scenarios/{stem}_{number}.yaml" for number in count(1))
    return next(name for name in names if name.rpartition("/")[2] not in taken)


def free_process(office: str, stem: str, taken: Collection[str]) -> tuple[str, str]:
    """(file, process id) for a new procedure, named alike as the conventions have it, with a process id that is not taken."""
    plain = file_name(office, stem).partition("/")[2].removesuffix(".bpmn")
    plain = re.sub(r"[.-]", "_", plain)
    names = chain([plain], (f"{plain}_{number}" for number in count(2)))
    name = next(one for one in names if f"{office}_{one}" not in taken)
    return f"{office}/{name}.bpmn", f"{office}_{name}"


def empty_diagram(process_id: str, title: str) -> str:
    """A pool with one lane and a start: what a new procedure begins with."""
    name = quoteattr(title)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI" \
xmlns:dc="http://www.omg.org/spec/DD/20100524/DC" xmlns:di="http://www.omg.org/spec/DD/20100524/DI" \
xmlns:camunda="http://camunda.org/schema/1.0/bpmn" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
id="definitions_{process_id}" targetNamespace="https://tadachi.example/bpmn">
  <bpmn:collaboration id="collaboration_{process_id}">
    <bpmn:participant id="pool_{process_id}" name={name} processRef="{process_id}" />
  </bpmn:collaboration>
  <bpmn:process id="{process_id}" name={name} isExecutable="true">
    <bpmn:laneSet id="lanes_{process_id}">
      <bpmn:lane id="lane_1" name="担当">
        <bpmn:flowNodeRef>started</bpmn:flowNodeRef>
      </bpmn:lane>
    </bpmn:laneSet>
    <bpmn:startEvent id="started" name="開始" />
  </bpmn:process>
  <bpmndi:BPMNDiagram id="drawing_{process_id}">
    <bpmndi:BPMNPlane id="plane_{process_id}" bpmnElement="collaboration_{process_id}">
      <bpmndi:BPMNShape id="pool_{process_id}_di" bpmnElement="pool_{process_id}" isHorizontal="true">
        <dc:Bounds x="160" y="80" width="1000" height="220" />
      </bpmndi:BPMNShape>
      <bpmndi:BPMNShape id="lane_1_di" bpmnElement="lane_1" isHorizontal="true">
        <dc:Bounds x="190" y="80" width="970" height="220" />
      </bpmndi:BPMNShape>
      <bpmndi:BPMNShape id="started_di" bpmnElement="started">
        <dc:Bounds x="242" y="172" width="36" height="36" />
        <bpmndi:BPMNLabel>
          <dc:Bounds x="249" y="215" width="22" height="14" />
        </bpmndi:BPMNLabel>
      </bpmndi:BPMNShape>
    </bpmndi:BPMNPlane>
  </bpmndi:BPMNDiagram>
</bpmn:definitions>
"""

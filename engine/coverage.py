"""What scenarios reach of a procedure: plays them in sandboxes and counts elements, flows and clauses."""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from engine.definitions import bundles
from engine.errors import ProcessNotFound, ScenarioBroken, TadachiError
from engine.net import Kind, Net
from engine.organisation import Organisation
from engine.sandbox import Base, Sandbox
from engine.sandbox_views import ClauseReached, Coverage, Reached, ScenarioPlayed
from engine.scenario_text import Scenario, read
from engine.settings import Settings
from engine.witness import Seen

if TYPE_CHECKING:
    from engine.service import Engine

#: A scenario by its file's name.
Scenarios = Mapping[str, str]
#: Results that are remembered, so that the page of a procedure whose scenarios were played is there at once.
MOST_REMEMBERED = 300
_PLAYED: OrderedDict[tuple[str, str, str], tuple[ScenarioPlayed, Seen]] = OrderedDict()
_LOCK = threading.Lock()


def of_folder(office: Organisation) -> dict[str, str]:
    """The scenarios beside an office's diagrams: file name -> text."""
    return {path.name: load_text(path) for path in sorted((office.folder / "scenarios").glob("*.yaml"))}


def load_text(path: Path) -> str:
    """A scenario's text; what cannot be read as text is no scenario, which playing it will tell."""
    return path.read_text("utf-8", errors="replace")


def measure(net: Net, seen: Seen, office: Organisation) -> Coverage:
    """Put what was passed beside all there is; a node or flow of a called diagram is reached by whichever call reaches it."""
    times: Counter[tuple[str, str]] = Counter()
    finished = done(net, seen)
    names: dict[tuple[str, str], tuple[str, str]] = {}
    clauses: dict[str, list[tuple[str, str]]] = {}
    for node in net.nodes:
        key = (node.process, node.element)
        names.setdefault(key, (" ".join(node.name.split()), node.kind.value))
        times[key] += seen.entered[node.id]
        for clause in node.listed("clause"):
            clauses.setdefault(clause, []).append(key)
    flows: dict[tuple[str, str], Reached] = {}
    for flow in net.flows:
        source, target = net.nodes[flow.source], net.nodes[flow.target]
        words = f"{_called(source.name, source.kind)} → {_called(target.name, target.kind)}" + (f"（{flow.name}）" if flow.name else "")
        key = (source.process, flow.id.removeprefix(f"{source.prefix}/") if source.prefix else flow.id)
        before = flows[key].times if key in flows else 0
        # At an event-based gateway the token waits itself: the way it goes is the event that came.
        taken = seen.left[target.id] if source.kind is Kind.EVENT_GATEWAY else seen.flows[flow.id]
        kind = "send_back" if flow.virtual else "sequenceFlow"
        flows[key] = Reached(key[1], ("差戻し：" if flow.virtual else "") + " ".join(words.split()), kind, key[0], before + taken)
    return Coverage(
        net.process_id,
        net.name,
        tuple({one.process_id: (one.process_id, one.name, one.source) for one in net.diagrams}.values()),
        tuple(Reached(element, name, kind, process, times[process, element]) for (process, element), (name, kind) in names.items()),
        tuple(flows.values()),
        tuple(
            ClauseReached(
                id,
                office.clauses[id].citation if id in office.clauses else id,
                any(key in finished for key in keys),
                tuple(dict.fromkeys(keys)),
            )
            for id, keys in clauses.items()
        ),
    )


def done(net: Net, seen: Seen) -> frozenset[tuple[str, str]]:
    """(process, element) of what was done to its end, not only come to."""
    ends = (Kind.END, Kind.BOUNDARY)
    return frozenset(
        (node.process, node.element) for node in net.nodes if seen.left[node.id] or (node.kind in ends and seen.entered[node.id])
    )  # fmt: skip


def _called(name: str, kind: Kind) -> str:
    return name or _NAMELESS.get(kind, kind.value)


_NAMELESS = {
    Kind.EXCLUSIVE: "分岐", Kind.PARALLEL: "並行", Kind.INCLUSIVE: "包含分岐", Kind.EVENT_GATEWAY: "出来事による分岐",
    Kind.START: "開始", Kind.END: "終了", Kind.CATCH: "待ち", Kind.BOUNDARY: "境界の出来事", Kind.THROW: "送出",
}  # fmt: skip


def play_all(make: type[Engine], settings: Settings, base: Base, scenarios: Scenarios) -> tuple[tuple[ScenarioPlayed, ...], Coverage]:
    """Play the scenarios of a procedure; those of others are passed over.

    Returns:
        what became of each, and what they reach together; one that fails counts as far as it came.

    Raises:
        DefinitionRefused: the procedure cannot be run at all.
    """
    results, total = [], Seen()
    for name, text in sorted(scenarios.items()):
        result, seen = play_one(make, settings, base, name, text)
        if result.process_id in ("", base.process_id):
            results.append(result)
            total.add(seen)
    return tuple(results), measure(base.net, total, base.office)


def play_one(make: type[Engine], settings: Settings, base: Base, name: str, text: str) -> tuple[ScenarioPlayed, Seen]:
    """Play a scenario, if this very one has not been played on this very base."""
    found = known(base, name, text)
    if found is None:
        found = _play(make, settings, base, name, scenario_of(text, name))
        with _LOCK:
            _PLAYED[_key(base, name, text)] = found
            while len(_PLAYED) > MOST_REMEMBERED:
                _PLAYED.popitem(last=False)
    return found


def known(base: Base, name: str, text: str) -> tuple[ScenarioPlayed, Seen] | None:
    """What is known of a scenario without playing it: what it did when it was played on this very base, or that it is not for it."""
    try:
        scenario = scenario_of(text, name)
    except ScenarioBroken as broken:
        return ScenarioPlayed(name, name, "", False, broken.text, 0.0), Seen()
    if scenario.process != base.process_id:
        return ScenarioPlayed(name, scenario.title, scenario.process, False, "", 0.0), Seen()
    with _LOCK:
        return _PLAYED.get(_key(base, name, text))


#: Reading YAML takes longer than looking up what was played.
scenario_of = lru_cache(maxsize=MOST_REMEMBERED)(read)


def _key(base: Base, name: str, text: str) -> tuple[str, str, str]:
    return base.digest, name, text


def _play(make: type[Engine], settings: Settings, base: Base, name: str, scenario: Scenario) -> tuple[ScenarioPlayed, Seen]:
    before = time.monotonic()
    sandbox = Sandbox(make, settings, base, scenario.starts)
    try:
        text, passed = sandbox.play(scenario), True
    except TadachiError as error:
        text, passed = error.text, False
    finally:
        sandbox.close()
    result = ScenarioPlayed(name, scenario.title, scenario.process, passed, text, time.monotonic() - before)
    return result, sandbox.seen[base.process_id]


def play_folder(
    make: type[Engine], settings: Settings, office: Organisation, files: Sequence[Path] | None = None
) -> tuple[tuple[tuple[ScenarioPlayed, ...], Coverage], ...]:
    """Play scenarios on the procedures of an office's folder, procedure by procedure.

    Args:
        files: the scenarios; all beside the diagrams when left out. One for no procedure of the folder fails.

    Raises:
        DefinitionRefused.
    """
    found = bundles(office.folder, office.folder.parent / "common")
    scenarios = of_folder(office) if files is None else {path.name: load_text(path) for path in files}
    of: dict[str, dict[str, str]] = {process_id: {} for process_id in found}
    lost = []
    for name, text in scenarios.items():
        try:
            process = scenario_of(text, name).process
            of[process][name] = text
        except ScenarioBroken as broken:
            lost.append(ScenarioPlayed(name, name, "", False, broken.text, 0.0))
        except KeyError:
            lost.append(ScenarioPlayed(name, name, "", False, ProcessNotFound(process=process).text, 0.0))
    played = [play_all(make, settings, Base(office, process_id, found), mine) for process_id, mine in of.items()]
    if lost and played:
        played[0] = ((*lost, *played[0][0]), played[0][1])
    return tuple(played)

"""Drafts in the sandbox: played as they are saved, refused when the gate refuses them, their runs laid beside them as scenarios."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from engine import DefinitionRefused, DraftClosed, DraftHeld, NotAllowed, PlayRefused, TadachiError, Viewer
from engine.model import case_file, definition
from tests.support import GENERAL, MANAGER, STAFF, World, make_world

APPLICATION = {"item_summary": "備品の購入", "owning_unit": "a", "amount": 10}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = make_world(tmp_path_factory.mktemp("drafts"))
    yield made
    made.engine.close()


class Drawer:
    """A designer with a draft of the approval."""

    def __init__(self, world: World, seat: str = GENERAL) -> None:
        self.engine = world.engine
        self.viewer: Viewer = world.engine.viewer(world.person(seat))
        self.id = self.engine.drafts.begin(self.viewer, "office_approval", "審査を変える")

    @property
    def files(self) -> dict[str, str]:
        return dict(self.engine.drafts.show(self.viewer, self.id).files)

    def draws(self, old: str, new: str) -> None:
        page = self.engine.drafts.show(self.viewer, self.id)
        name = next(name for name, text in page.files.items() if 'id="office_approval"' in text)
        assert old in page.files[name]
        self.engine.drafts.save(self.viewer, self.id, page.draft.revision, {**page.files, name: page.files[name].replace(old, new)})

    def starts(self) -> None:
        with self.engine.sandbox.open(self.viewer, "drafts", self.id) as room:
            room.start(STAFF, APPLICATION)

    @property
    def waits(self) -> list[str]:
        with self.engine.sandbox.open(self.viewer, "drafts", self.id) as room:
            return [one.step for one in room.page().waiting]


@pytest.fixture
def drawer(world: World) -> Drawer:
    return Drawer(world)


def test_a_draft_is_played_as_it_is_saved_and_stays_a_draft(world: World, drawer: Drawer) -> None:
    """描き変えた審査の名前が試行に出る。施行中の版も、実際の案件も変わらない。"""
    with world.engine.reading() as connection:
        before = len(connection.execute(definition.select()).all())
    drawer.draws("審査", "受理審査")
    drawer.starts()
    assert drawer.waits == ["受理審査"]
    with world.engine.reading() as connection:
        assert len(connection.execute(definition.select()).all()) == before
        assert connection.execute(case_file.select()).first() is None
    drawer.draws("受理審査", "第二審査")  # the run is played anew on what is drawn now
    assert drawer.waits == ["第二審査"]


def test_a_draft_that_the_gate_refuses_is_not_played(drawer: Drawer) -> None:
    """条件の書き誤りや、知らない役のある下書きは、動かさずに指摘を返す。"""
    drawer.draws("needs_fix == true", "needs_fix == =")
    with pytest.raises(DefinitionRefused) as refused:
        drawer.starts()
    assert refused.value.findings
    with pytest.raises(DefinitionRefused):
        drawer.engine.sandbox.scenarios(drawer.viewer, "drafts", drawer.id)
    drawer.draws("needs_fix == =", "needs_fix == true")
    drawer.starts()
    assert drawer.waits == ["審査"]


def test_a_hostile_draft_runs_nothing_and_is_answered(world: World, drawer: Drawer) -> None:
    """壊れた、又は悪意のある図も、指摘として断られるだけで、何も動かない。"""
    name = next(name for name, text in drawer.files.items() if 'id="office_approval"' in text)
    for text in ("", "<a/>", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "<a>" * 5_000):
        page = drawer.engine.drafts.show(drawer.viewer, drawer.id)
        drawer.engine.drafts.save(drawer.viewer, drawer.id, page.draft.revision, {**page.files, name: text})
        with pytest.raises(DefinitionRefused):
            drawer.starts()


def test_a_run_is_laid_beside_the_draft_and_played_with_the_others(drawer: Drawer) -> None:
    """試行をシナリオとして下書きに保存すると、ファイルになり、すべて演じるときに一緒に演じられる。"""
    with pytest.raises(PlayRefused):
        drawer.engine.sandbox.save_scenario(drawer.viewer, drawer.id, "まだ")
    drawer.starts()
    with drawer.engine.sandbox.open(drawer.viewer, "drafts", drawer.id) as room:
        room.complete(MANAGER, room.page().waiting[0].task_id, {"opinion": "よい"})
    first = drawer.engine.sandbox.save_scenario(drawer.viewer, drawer.id, "審査まで")
    second = drawer.engine.sandbox.save_scenario(drawer.viewer, drawer.id, "もう一つ")
    assert (first, second) == ("office/scenarios/approval_1.yaml", "office/scenarios/approval_2.yaml")
    assert yaml.safe_load(drawer.files[first])["title"] == "審査まで"
    assert drawer.waits == ["承認"]  # the run goes on: only a scenario was added
    found = drawer.engine.sandbox.scenarios(drawer.viewer, "drafts", drawer.id)
    assert [(one.name, one.passed) for one in found.results] == [("approval_1.yaml", True), ("approval_2.yaml", True)]
    assert drawer.engine.drafts.inspect(drawer.viewer, drawer.id).findings == ()


def test_a_scenario_that_the_drawing_breaks_is_told(drawer: Drawer) -> None:
    """図を変えて通らなくなったシナリオは、どの操作がなぜかを言う。"""
    drawer.starts()
    drawer.engine.sandbox.save_scenario(drawer.viewer, drawer.id, "申請だけ")
    drawer.draws(
        '<camunda:formField id="item_summary" label="概要" type="text">', '<camunda:formField id="summary" label="概要" type="text">'
    )
    [result] = drawer.engine.sandbox.scenarios(drawer.viewer, "drafts", drawer.id).results
    assert not result.passed
    assert result.text


def test_who_may_not_draw_may_not_play_nor_save(world: World, drawer: Drawer) -> None:
    """役のない人は下書きを試せず、保存もできない。閉じた下書きや、ほかの人が開いている下書きには保存できない。"""
    stranger = world.engine.viewer(world.person(STAFF))
    with pytest.raises(NotAllowed), world.engine.sandbox.open(stranger, "drafts", drawer.id):
        pass
    with pytest.raises(NotAllowed):
        world.engine.sandbox.save_scenario(stranger, drawer.id, "a")
    with pytest.raises(TadachiError), world.engine.sandbox.open(drawer.viewer, "drafts", 999_999):
        pass
    drawer.starts()
    drawer.engine.drafts.discard(drawer.viewer, drawer.id)
    assert drawer.waits == ["審査"]  # it can still be looked at
    with pytest.raises((DraftClosed, DraftHeld)):
        drawer.engine.sandbox.save_scenario(drawer.viewer, drawer.id, "遅い")


@pytest.mark.parametrize(
    "name", ["office/scenarios/../x.yaml", "office/x.yaml", "scenarios/x.yaml", "office/scenarios/あ.yaml", "office/scenarios/a.yml"]
)
def test_no_other_file_may_lie_there(drawer: Drawer, name: str) -> None:
    """シナリオの場所と名前は決まっている。"""
    page = drawer.engine.drafts.show(drawer.viewer, drawer.id)
    with pytest.raises(TadachiError):
        drawer.engine.drafts.save(drawer.viewer, drawer.id, page.draft.revision, {**page.files, name: "title: a"})

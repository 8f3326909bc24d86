"""The pure parts of the designer's script, asked in the browser: times as sentences, untouched files, 整列."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.designer_page import ready
from tests.browser.driver import sign_in
from tests.designing import ONE, PASSWORD, make_studio, served

CLOCKS = [{"id": "final_report", "name": "確報"}, {"id": "preliminary_report", "name": "速報"}]
FACTS = [{"name": "postponed_until", "label": "延ばす日", "type": "date"}, {"name": "wake_at", "label": "起きる日時", "type": "datetime"}]
#: Monday 16 November 2026, 10:00 in Japan.
NOW = "new Date('2026-11-16T01:00:00Z')"


@pytest.fixture(scope="module")
def page(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The editor, for its functions."""
    with served(make_studio(tmp_path_factory.mktemp("script"))) as studio:
        made = studio.engine.drafts.begin(studio.viewer(), None, "備品の貸出し", name="lending")
        context = chromium.new_context()
        opened = context.new_page()
        opened.set_default_timeout(60_000)
        opened.goto(studio.address + "/login")
        sign_in(opened, ONE, PASSWORD)
        opened.goto(f"{studio.address}/designer/{made}")
        yield ready(opened)
        context.close()


def parsed(page: Page, sentence: str) -> dict[str, str]:
    told: dict[str, str] = page.evaluate(
        f"([s, clocks, facts]) => designer.pure.parse(s, {{ now: {NOW}, clocks, facts }})", [sentence, CLOCKS, FACTS]
    )
    return told


# ---------------------------------------------------------------- times


@pytest.mark.parametrize(
    ("sentence", "kind", "text", "again"),
    [
        ("3日後", "duration", "P3D", "3日後"), ("２４時間後", "duration", "PT24H", "24時間後"), ("30分後", "duration", "PT30M", "30分後"),
        ("1か月後", "duration", "P1M", "1か月後"), ("2週間たったら", "duration", "P2W", "2週間後"), ("1日12時間後", "duration", "P1DT12H", "1日12時間後"),
        ("3開庁日後", "duration", "working_days(3)", "3開庁日後"), ("5営業日たったら", "duration", "working_days(5)", "5開庁日後"),
        ("３開庁日後に催促", "duration", "working_days(3)", "3開庁日後"), ("1開庁日ごと", "cycle", "working_days(1)", "1開庁日ごと"),
        ("毎開庁日", "cycle", "working_days(1)", "1開庁日ごと"),
        ("3日ごと", "cycle", "R/P3D", "3日ごと"), ("24時間ごとに3回", "cycle", "R3/PT24H", "24時間ごとに3回"),
        ("毎日 9時", "cycle", "R/2026-11-17T09:00:00+09:00/P1D", "毎日 9時"), ("毎日 18時30分", "cycle", "R/2026-11-16T18:30:00+09:00/P1D", "毎日 18時30分"),
        ("毎週金曜日 17時", "cycle", "R/2026-11-20T17:00:00+09:00/P1W", "毎週金曜 17時"), ("毎月1日", "cycle", "R/2026-12-01T00:00:00+09:00/P1M", "毎月1日"),
        ("毎月31日 9時", "cycle", "R/2026-12-31T09:00:00+09:00/P1M", "毎月31日 9時"), ("毎年4月1日", "cycle", "R/2027-04-01T00:00:00+09:00/P1Y", "毎年4月1日"),
        ("2026年12月1日 9時半", "date", "2026-12-01T09:30:00+09:00", "2026年12月1日 9時30分"), ("令和9年4月1日", "date", "2027-04-01T00:00:00+09:00", "2027年4月1日"),
        ("確報の期限", "date", 'due("final_report")', "確報の期限"), ("速報の期限の3日前", "date", 'due("preliminary_report") - days(3)', "速報の期限の3日前"),
        ("確報の期限の24時間後", "date", 'due("final_report") + hours(24)', "確報の期限の24時間後"), ("延ばす日の時", "date", "postponed_until", "「延ばす日」の時"),
        ("「延ばす日」の3日後", "date", "postponed_until + days(3)", "「延ばす日」の3日後"), ("wake_atの時", "date", "wake_at", "「起きる日時」の時"),
    ],
)  # fmt: skip
def test_a_time_is_written_as_a_sentence_and_read_back(page: Page, sentence: str, kind: str, text: str, again: str) -> None:
    """時刻は文で書け、保存された時刻は文に戻る。戻した文は同じ時刻になる。"""
    assert parsed(page, sentence) == {"kind": kind, "text": text}
    said = page.evaluate("([kind, text, clocks, facts]) => designer.pure.say(kind, text, { clocks, facts })", [kind, text, CLOCKS, FACTS])
    assert said == again and parsed(page, said) == {"kind": kind, "text": text}


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("", "入力"), ("3開庁日前", "3開庁日後"), ("0開庁日後", "3開庁日後"), ("3日", "3日後"), ("3日おき", "ごと"), ("毎月32日", "32日"), ("毎月末日", "月末"),
        ("毎日25時", "時刻"),
        ("いつか", "読めません"), ("期限の時", "どの期限"), ("2026年2月30日", "読めません"), ("0日後", "読めません"),
    ],
)  # fmt: skip
def test_a_sentence_that_says_no_time_is_told_why(page: Page, sentence: str, words: str) -> None:
    """読めない文には、どう書けばよいかを答える。"""
    assert words in parsed(page, sentence)["wrong"]


@pytest.mark.parametrize(
    ("sentence", "when", "template"),
    [
        ("3開庁日後に催促", "3開庁日後", "remind"), ("3 開庁日後に督促する。", "3開庁日後", "remind"), ("確報の期限の3日前に知らせる", "確報の期限の3日前", "step_told"),
        ("24時間後、連絡します", "24時間後", "step_told"), ("3開庁日後", None, None), ("通知の3日後", None, None),
    ],
)  # fmt: skip
def test_a_sentence_says_when_and_what(page: Page, sentence: str, when: str | None, template: str | None) -> None:
    """「いつ、何をするか」の文から、時刻と知らせの種類が読める。"""
    told = page.evaluate("(s) => designer.pure.reminder(s)", sentence)
    assert (told and told["when"], told and told["template"]) == (when, template)


def test_what_only_an_expression_says_stays_one(page: Page) -> None:
    """文にできない式は、式のまま出る。"""
    for text in ("greatest(a, b)", "now() + days(n)", 'due("nothing")', "unknown_fact"):
        assert page.evaluate("([text, clocks, facts]) => designer.pure.say('date', text, { clocks, facts })", [text, CLOCKS, FACTS]) is None


# ---------------------------------------------------------------- untouched files

ORIGINAL = """<?xml version='1.0' ?>
<!-- head -->
<d:root xmlns:d="urn:d"   xmlns:x='urn:x' id="r">
  <!-- one -->
  <d:a id="a"  x:odd = "1"><x:keep><![CDATA[ <&> ]]></x:keep></d:a>

  <d:b id='b'><d:i>1</d:i><d:i>2</d:i></d:b>
</d:root>
<!-- tail -->
"""
BEFORE = """<?xml version="1.0" encoding="UTF-8"?>
<d:root xmlns:d="urn:d" xmlns:x="urn:x" id="r">
  <d:a id="a" x:odd="1">
    <x:keep> &lt;&amp;&gt; </x:keep>
  </d:a>
  <d:b id="b">
    <d:i>1</d:i>
    <d:i>2</d:i>
  </d:b>
</d:root>
"""


def preserved(page: Page, now: str, original: str = ORIGINAL, before: str = BEFORE) -> str:
    kept: str = page.evaluate("([original, before, now]) => designer.pure.preserve(original, before, now)", [original, before, now])
    return kept


def test_an_untouched_file_stays(page: Page) -> None:
    """何も変えなければ、1バイトも変わらない。"""
    assert preserved(page, BEFORE) == ORIGINAL


def test_only_what_was_changed_is_written_anew(page: Page) -> None:
    """変えた要素だけが書き直され、ほかは注釈も空白も元のまま。"""
    kept = preserved(page, BEFORE.replace("<d:i>2</d:i>", "<d:i>3</d:i>"))
    assert '<d:a id="a"  x:odd = "1"><x:keep><![CDATA[ <&> ]]></x:keep></d:a>' in kept and "<!-- one -->" in kept
    assert (
        "<d:i>3</d:i>" in kept
        and "<d:i>2</d:i>" not in kept
        and kept.startswith("<?xml version='1.0' ?>\n<!-- head -->")
        and kept.endswith("<!-- tail -->\n")
    )
    gone = preserved(page, BEFORE.replace('  <d:b id="b">\n    <d:i>1</d:i>\n    <d:i>2</d:i>\n  </d:b>\n', ""))
    assert 'id="a"  x:odd' in gone and "d:b" not in gone
    more = preserved(
        page, BEFORE.replace("</d:root>", '  <d:c id="c" />\n</d:root>').replace('xmlns:x="urn:x"', 'xmlns:x="urn:x" xmlns:y="urn:y"')
    )
    assert '<d:c id="c" />' in more and "<d:b id='b'>" in more and 'xmlns:y="urn:y"' in more and "<![CDATA[" in more


def test_namespaces_declared_inside_are_not_lost(page: Page) -> None:
    """途中で宣言された名前空間は、その中身が残る限り残る。"""
    original = '<r id="r"><p xmlns:q="urn:q" id="p" n="1"><c id="c"><q:x /></c></p></r>'
    before = '<r id="r">\n  <p id="p" n="1" xmlns:q="urn:q">\n    <c id="c">\n      <q:x />\n    </c>\n  </p>\n</r>'
    kept = preserved(page, before.replace('n="1" xmlns:q="urn:q"', 'n="2"'), original, before)
    assert 'n="2"' in kept and 'xmlns:q="urn:q"' in kept and "<q:x />" in kept
    clash = preserved(page, before.replace('n="1" xmlns:q="urn:q"', 'n="2" xmlns:q="urn:other"'), original, before)
    assert clash == before.replace('n="1" xmlns:q="urn:q"', 'n="2" xmlns:q="urn:other"'), "rather all anew than meaning something else"


@pytest.mark.parametrize("original", ["", "<", "<a>", "<a></b>", "text", "<a/><b/>", "<a><![CDATA[</a>"])
def test_what_cannot_be_read_is_written_anew(page: Page, original: str) -> None:
    """読み取れない元の文字列は、新しい文字列に替わる。"""
    assert preserved(page, '<r id="r" n="2" />', original, '<r id="r" />') == '<r id="r" n="2" />'


# ---------------------------------------------------------------- 整列


def laid_out(page: Page, nodes: list[dict[str, Any]], edges: list[tuple[str, str]], lanes: list[str] = []) -> Any:  # noqa: B006 - never changed
    given = [{"width": 100, "height": 80, "lane": "", "kind": "other", "label": None, "attached": [], **node} for node in nodes]
    flows = [{"id": f"{a}>{b}", "from": a, "to": b, "label": None} for a, b in edges]
    return page.evaluate(
        "(told) => designer.pure.layout(told)", {"nodes": given, "edges": flows, "lanes": [{"id": one, "least": 80} for one in lanes]}
    )


def test_what_follows_stands_to_the_right_and_nothing_overlaps(page: Page) -> None:
    """続くものは右に、枝は別の行に、戻りの線は要素の上を通らない。"""
    names = ["s", "g", "a", "b", "c", "j", "e"]
    done = laid_out(
        page,
        [{"id": one, "kind": "gateway" if one in "gj" else "other"} for one in names],
        [("s", "g"), ("g", "a"), ("g", "b"), ("g", "c"), ("a", "j"), ("b", "j"), ("c", "j"), ("j", "e"), ("j", "s")],
    )
    boxes = done["nodes"]
    assert boxes["s"]["x"] < boxes["g"]["x"] < boxes["a"]["x"] < boxes["j"]["x"] < boxes["e"]["x"]
    assert len({boxes[one]["y"] for one in "abc"}) == 3
    for edge in done["edges"].values():
        for (ax, ay), (bx, by) in zip(*(lambda points: (points, points[1:]))([(p["x"], p["y"]) for p in edge["points"]]), strict=False):
            assert ax == bx or ay == by, "every line is level or upright"
            for box in boxes.values():
                inside = (
                    min(ax, bx) < box["x"] + 99
                    and max(ax, bx) > box["x"] + 1
                    and min(ay, by) < box["y"] + 79
                    and max(ay, by) > box["y"] + 1
                )
                assert not inside, (edge, box)


def test_each_stays_in_its_lane(page: Page) -> None:
    """それぞれは自分の段の中に収まり、段は重ならない。"""
    done = laid_out(
        page,
        [{"id": "a", "lane": "one"}, {"id": "b", "lane": "two"}, {"id": "c", "lane": "one"}, {"id": "d", "lane": "three"}],
        [("a", "b"), ("b", "c"), ("c", "d"), ("d", "a")],
        ["one", "two", "three", "empty"],
    )
    for node, lane in (("a", "one"), ("b", "two"), ("c", "one"), ("d", "three")):
        band = done["lanes"][lane]
        assert band["y"] <= done["nodes"][node]["y"] and done["nodes"][node]["y"] + 80 <= band["y"] + band["height"]
    ends = [(done["lanes"][one]["y"], done["lanes"][one]["y"] + done["lanes"][one]["height"]) for one in ("one", "two", "three", "empty")]
    assert all(before[1] == after[0] for before, after in pairwise(ends)) and ends[-1][1] - ends[-1][0] >= 80


def test_labels_of_events_on_an_edge_stay_apart(page: Page) -> None:
    """処理の縁に並ぶ期限や操作の名前は、重ならない。"""
    names = [{"id": one, "label": {"width": 90, "height": 28}} for one in ("late", "stop", "ask")]
    done = laid_out(page, [{"id": "a", "attached": names}, {"id": "b"}], [("a", "b"), ("late", "b")])
    labels = [(one["label"]["x"], one["label"]["y"]) for one in done["attached"].values()]
    assert all(abs(ax - bx) >= 90 or abs(ay - by) >= 28 for (ax, ay), (bx, by) in combinations(labels, 2))
    assert min(x for x, _ in labels) >= 0


def test_a_layout_of_nothing_and_of_loops_ends(page: Page) -> None:
    """空の図も、輪だけの図も、自分に戻る線も、並べ終わる。"""
    assert laid_out(page, [], [])["nodes"] == {}
    done = laid_out(page, [{"id": one} for one in "abc"], [("a", "b"), ("b", "c"), ("c", "a"), ("a", "a"), ("b", "nobody")])
    assert len(done["nodes"]) == 3 and set(done["edges"]) == {"a>b", "b>c", "c>a", "a>a"}
    chain = [f"n{number}" for number in range(300)]
    assert len(laid_out(page, [{"id": one} for one in chain], list(pairwise(chain)))["nodes"]) == 300

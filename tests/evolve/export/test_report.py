"""The report in a real Chromium, from a disk, without a network; and what it must not run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from chromium import address_of, chromium, opened
from histories import a_test, history
from playwright.sync_api import Browser

from sdmerge.evolve.export import figures
from sdmerge.evolve.export.history import Warned
from sdmerge.evolve.export.report import Shown, report
from sdmerge.evolve.export.report.words import element, say
from sdmerge.evolve.export.verdict import table_of
from sdmerge.evolve.export.winner import choose

EVIL = "</pre><script>window.ran = 1</script><img src=x onerror='window.ran = 2'>\"'{0}{name}&amp;"


def page(study=None, recipe: str = "merge_method: ties\n", *, tested: bool = True) -> str:
    study = study or history(tested=tested)
    both = figures.curve(study), figures.curve(study, figures.DARK)
    light, dark = (figures.png(one) for one in both)
    found = table_of(study.test) if study.test else None
    shown = Shown({"curve": (light, dark)}, light)
    return report(study, choose(study), found, recipe, shown)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "a #report?.html"
    path.write_text(page(), "utf-8")
    return path


def test_it_opens_from_a_disk_and_says_what_it_should(browser: Browser, written: Path) -> None:
    with opened(browser, address_of(written)) as (shown, said):
        text = shown.locator("body").inner_text()
        assert "By oracle the winner is better than every parent; the nearest is ukiyoe" in text
        assert "no difference from task arithmetic 0.8 is shown" in text
        assert "degenerate pictures, which got the worst score: 日本語 3" in text
        assert "merge_method: ties" in text
        assert "探索の内容" not in text
        assert shown.locator("tbody tr").count() == 5
        assert shown.locator("tbody tr.winner th").inner_text().startswith("winner")
        assert shown.locator("td.above").count() == 9
        assert shown.evaluate(
            "() => [...document.images].every((one) => one.complete && one.naturalWidth > 0)"
        )
        assert all(url.startswith(("file:", "data:")) for url in said.requests)


def test_japanese_and_dark(browser: Browser, written: Path) -> None:
    options = {"locale": "ja-JP", "color_scheme": "dark"}
    with opened(browser, address_of(written), **options) as (shown, _):
        assert "テストの結果" in shown.locator("body").inner_text()
        assert "What the test says" not in shown.locator("body").inner_text()
        seen = "() => [...document.images].map((one) => [one.className, one.offsetWidth > 0])"
        assert shown.evaluate(seen) == [["light", False], ["dark", True], ["", True]]
        colour = "() => getComputedStyle(document.body).backgroundColor"
        assert shown.evaluate(colour) == "rgb(25, 26, 27)"
        shown.locator("#theme").click()
        assert shown.evaluate(colour) == "rgb(244, 244, 242)"
        assert shown.evaluate(seen) == [["light", True], ["dark", False], ["", True]]
        shown.locator("#language").click()
        assert "What the test says" in shown.locator("body").inner_text()
        shown.reload()
        assert "What the test says" in shown.locator("body").inner_text()
        assert shown.evaluate(colour) == "rgb(244, 244, 242)"


def test_nothing_it_is_told_runs(browser: Browser, tmp_path: Path) -> None:
    """Names of models, scorers, studies and alarms, and the recipe, as a page's own words."""
    test = a_test()
    names = {**dict(zip(test.scores, test.scores, strict=True)), "ukiyoe": EVIL}
    scores = {names[name]: {f"{EVIL}{column}": row for column, row in rows.items()}
              for name, rows in test.scores.items()}  # fmt: skip
    evil = replace(
        history(), name=EVIL, engine=EVIL, fitness=(f"{EVIL}clip_a",),
        report=(f"{EVIL}clip_b", f"{EVIL}oracle"), alarms=(Warned(1, EVIL),),
        test=replace(test, scores=scores, flags={EVIL: 1},
                     kinds={names[name]: kind for name, kind in test.kinds.items()}),
    )  # fmt: skip
    path = tmp_path / "evil.html"
    path.write_text(page(evil, EVIL), "utf-8")
    with opened(browser, address_of(path)) as (shown, said):
        assert shown.evaluate("() => window.ran") is None
        assert shown.locator("script").count() == 1
        assert shown.locator("pre").inner_text() == EVIL
        assert EVIL in shown.locator("h1").inner_text()
        assert EVIL in shown.locator(".verdict").inner_text()
        assert all(url.startswith("data:") for url in said.requests if url != shown.url)


def test_without_a_test_it_says_so(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "untested.html"
    path.write_text(page(tested=False), "utf-8")
    with opened(browser, address_of(path)) as (shown, _):
        assert "The test was not run" in shown.locator(".verdict").inner_text()
        assert shown.locator("table").count() == 0


def test_words_are_filled_with_text_alone() -> None:
    assert say("title", name="<i>{x}</i>").count("&lt;i&gt;{x}&lt;/i&gt;") == 2
    assert element("p", "a<b", element("i", '"'), class_='x"y') == (
        '<p class="x&quot;y">a&lt;b<i>&quot;</i></p>'
    )

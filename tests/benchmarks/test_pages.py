"""`benchmarks/pages.py` counts what a page loads, and finds a page that costs too much."""

import math

import pytest

pytest.importorskip("playwright.sync_api", reason="no browser: `make browser` sets it up")

from pages import LIMITS, excess, far_down, measure, pages, serving

LIGHT = '<!doctype html><title>Light</title><link rel="icon" href="data:,"><p>Text.</p>'
HEAVY = LIGHT + (
    '<script src="much.js"></script>'
    + "".join(f'<img src="{i}.svg" alt="">' for i in range(40))
    + '<section id="up"><div data-explorable></div></section><section id="down">Words</section>'
    "<script>setTimeout(() => document.querySelector('[data-explorable]').innerHTML = "
    "'<p style=\"height: 400px\"><button>Play</button>', 50)</script>"
)


@pytest.fixture
def site(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "light.html").write_text(LIGHT)
    (tmp_path / "book" / "heavy.html").write_text(HEAVY)
    (tmp_path / "book" / "much.js").write_text("//" + "x" * 1_300_000)
    for i in range(40):
        picture = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><g id="{i}"/></svg>'
        )
        (tmp_path / "book" / f"{i}.svg").write_text(picture)
    (tmp_path / "index.html").write_text('<meta http-equiv="Refresh" content="0; url=book/a.html">')
    return tmp_path


def test_what_a_page_costs_is_counted(browser, site):
    assert pages(site) == {"book/light.html", "book/heavy.html"}
    with serving(site) as address:
        (light,) = measure(browser, {site: address}, "book/light.html", quick=True)
        heavy, none = measure(
            browser, {site: address, site / "book": address}, "book/heavy.html", quick=True
        )
    assert none is None
    assert light.files == 1
    assert math.isnan(light.answers)
    assert light.unpacked == pytest.approx(len(LIGHT) / 1000)
    assert excess(light) == []
    assert heavy.files == 42
    assert heavy.answers >= 0.05
    assert heavy.unpacked > 1300 > 100 > heavy.kB > heavy.unpacked / 1000  # packed, with its heads
    assert heavy.shift > LIMITS.shift
    assert far_down(site / "book" / "heavy.html") == "down"
    told = [fault.split()[0] for fault in excess(heavy)]
    assert told == ["shift", "deep", "open", "files"]

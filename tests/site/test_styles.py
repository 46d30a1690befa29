"""The site's one style sheet: what is kept, what goes, and that nothing a page needs is missing."""

import base64
import re
from pathlib import Path

import pytest
import styles

SITE = Path(__file__).parents[2] / "_build" / "html"


@pytest.mark.parametrize(
    ("css", "kept"),
    [
        (".a { color: red }", ".a{color: red}\n"),
        (".x { color: red }", ""),
        ("#b .a > p { margin: 0 }", "#b .a > p{margin: 0}\n"),
        (".a .x { margin: 0 }", ""),
        (".a, .x, p { margin: 0 }", ".a,p{margin: 0}\n"),
        ("a[href]:hover { margin: 0 }", "a[href]:hover{margin: 0}\n"),
        (".a:not(.x) { margin: 0 }", ".a:not(.x){margin: 0}\n"),
        (":is(.x, .y) p { margin: 0 }", ":is(.x, .y) p{margin: 0}\n"),
        ("@media print { .a { top: 0 } .x { top: 0 } }", "@media print {\n.a{top: 0}\n}\n"),
        ("@media print { .x { margin: 0 } }", ""),
        ("@supports (x: y) { @media print { p { margin: 0 } } }",
         "@supports (x: y) {\n@media print {\np{margin: 0}\n}\n}\n"),
        ("@keyframes k { from { top: 0 } }", "@keyframes k { from { top: 0 } }\n"),
        ('@import "other.css"; @charset "utf-8"; /* note */ p { }', ""),
    ],
)  # fmt: skip
def test_a_rule_is_kept_if_a_page_can_use_it(css, kept):
    assert styles.lean(css, {"a", "b"}) == kept


def test_names_are_classes_ids_and_the_words_of_scripts():
    page = """<p class="one two" id='three'>four</p><script>el.classList.add("five-6")</script>"""
    assert {"one", "two", "three", "five-6"} <= styles.names(page)
    assert "four" not in styles.names(page)


def test_a_sheet_carries_its_fonts_and_drops_those_of_others(tmp_path):
    (tmp_path / "a.woff2").write_bytes(b"font")
    css = '@font-face { font-family: A; src: url("a.woff2") format("woff2"); }\np{margin:0}\n'
    other = "@font-face{font-family:B;src:url(../vendor/b.woff2) format('woff2')}\n"
    whole = styles.with_fonts(other + css, tmp_path)
    assert "vendor" not in whole
    assert base64.b64encode(b"font").decode() in whole
    assert "p{margin:0}" in whole


def test_the_pages_load_this_sheet_alone():
    for path in SITE.rglob("*.html"):
        if "_static" not in path.parts:
            page = path.read_text(encoding="utf-8")
            if 'http-equiv="refresh"' in page:  # it leads on at once
                continue
            sheets = re.findall(r'<link rel="stylesheet"[^>]*href="([^"]+)"', page)
            assert [Path(sheet).name for sheet in sheets] == [styles.SHEET], path.name
    sheet = (SITE / "_static" / styles.SHEET).read_text(encoding="utf-8")
    assert len(sheet) < 150_000
    assert "STIX Two Math" in sheet
    assert "@font-face" in sheet
    assert "@import" not in sheet

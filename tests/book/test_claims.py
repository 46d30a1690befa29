"""Each claim that is put to the test has a source, a number from its cells, and a verdict."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("sphinx")
from minutes import Cell, cells, minutes

PAGE = Path(__file__).parents[2] / "book" / "claims.ipynb"
NUMBER = r"[-−+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?"
TITLE = re.compile(r"## (\d+) · (.+)")
ROW = re.compile(r"^\| (\d+) \| .+ \| (.+) \| (.+) \|$", re.MULTILINE)


def sections(page: list[Cell]) -> list[list[str]]:
    """Return the text of each section below a second heading, and what its cells show."""
    found: list[list[str]] = []
    for cell in page:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            before, *begun = re.split(r"^(?=## )", source, flags=re.MULTILINE)
            if found:
                found[-1][0] += "\n\n" + before
            found += [[text, ""] for text in begun]
        elif found:
            found[-1][1] += "".join("".join(o.get("text", "")) for o in cell["outputs"])
    return found


def numbers(text: str, pattern: str = NUMBER) -> set[float]:
    """Return the numbers of a text, but not those of links, references and longer formulas."""
    text = re.sub(r"\[[^\]]*\]\([^)]*\)|\{\w+(?::\w)?\}`[^`]*`", "", text)
    text = re.sub(r" *\\cdot 10\^\{(-?\d+)\}", r"e\1", text)
    text = re.sub(r"\$([^$]*)\$", lambda m: m[1] if re.fullmatch(NUMBER, m[1]) else "", text)
    return {float(found.replace("−", "-")) for found in re.findall(pattern, text)}


def faults(page: list[Cell]) -> Iterator[str]:
    """Yield what a claim of the page lacks."""
    *claims, (verdicts, _) = sections(page)
    rows = {int(place): rest for place, *rest in ROW.findall(verdicts)}
    if len(rows) != len(claims):
        yield f"{len(claims)} claims and {len(rows)} verdicts"
    for place, (text, shown) in enumerate(claims, start=1):
        title = TITLE.match(text)
        if title is None or int(title[1]) != place:
            yield f"claim {place} begins with {text.splitlines()[0]!r}"
        parts = dict(re.findall(r"\*\*(.+?)\.\*\*(.*?)(?=\n\n\*\*|\Z)", text, re.DOTALL))
        if list(parts) != ["The claim", "What is right in it", "The number"]:
            yield f"claim {place} has the parts {list(parts)}"
            continue
        if "](https://" not in parts["The claim"]:
            yield f"claim {place} has no source"
        if not re.search(r"\]\(\d-[\w-]+/[\w-]+\.ipynb\)", parts["The number"]):
            yield f"claim {place} does not lead to the page that teaches it"
        said = numbers(parts["The number"], r"[-−+]?\d+(?:\.\d+e[-+]?\d+|\.\d+|e[-+]?\d+)")
        verdict, number = rows.get(place, ("", ""))
        if not verdict.startswith(("holds", "does not hold")):
            yield f"claim {place} has the verdict {verdict!r}"
        if not numbers(number):
            yield f"claim {place} has a verdict without a number"
        for value in sorted((said | numbers(number)) - numbers(shown)):
            yield f"claim {place} says {value:g}, which no cell of it shows"


def test_each_claim_has_its_source_its_number_and_its_verdict():
    assert list(faults(cells(PAGE))) == []


def test_there_are_eight_to_ten_claims():
    assert 8 <= len(sections(cells(PAGE))) - 1 <= 10


def test_the_page_says_when_its_sources_were_read():
    assert re.search(r"26 November\s+2026", "".join(cells(PAGE)[0]["source"]))


def test_the_page_can_be_read_in_one_sitting():
    assert minutes(cells(PAGE)) <= 25


# --- the check itself can fail -----------------------------------------------------------------

GOOD = """## 1 · Three is even

**The claim.** A [thread](https://example.org/3) says so.

**What is right in it.** It is near 4.

**The number.** With $h_3$ half of it is $1.5$, and $2 \\cdot 10^{-3}$ is less.
[Page 2.1](2-paths/paths.ipynb) has more.

## The verdicts

| no. | claim | verdict | number |
|--:|:--|:--|:--|
| 1 | Three is even | does not hold | 1.5 |
"""


def planted(text: str, shown: str) -> list[Cell]:
    head, tail = text.split("\n\n**The number.**")
    code = {"cell_type": "code", "metadata": {}, "source": "3 / 2", "outputs": [{"text": shown}]}
    markdown = [
        {"cell_type": "markdown", "metadata": {}, "source": part}
        for part in (head, "**The number.**" + tail)
    ]
    return [markdown[0], code, markdown[1]]


def test_a_good_claim_has_no_fault():
    assert list(faults(planted(GOOD, "half 1.5, less 2e-03"))) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("half 1.5", "half 1.6", "says 1.5, which no cell"),
        ("2e-03", "3e-03", "says 0.002, which no cell"),
        ("https://example.org/3", "here", "has no source"),
        ("[Page 2.1](2-paths/paths.ipynb)", "Page two", "does not lead"),
        ("does not hold", "who knows", "has the verdict 'who knows'"),
        ("| 1.5 |", "| a half |", "verdict without a number"),
        ("**What is right in it.** It is near 4.", "It is near 4.", "has the parts"),
        ("## 1 ·", "## 2 ·", "begins with"),
        ("| 1 | Three", "| one | Three", "1 claims and 0 verdicts"),
    ],
)
def test_what_a_claim_lacks_is_found(old, new, fault):
    text, shown = GOOD, "half 1.5, less 2e-03"
    assert old in text or old in shown
    found = list(faults(planted(text.replace(old, new), shown.replace(old, new))))
    assert any(fault in line for line in found), found

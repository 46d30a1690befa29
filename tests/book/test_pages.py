"""The code blocks of the pages run, and show what the pages say they show."""

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "book").glob("*.md")])
BLOCK = re.compile(r"^```(python|pycon)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def failures(text: str, name: str) -> str:
    """Run the Python blocks of a page in one namespace; return what went wrong, or nothing."""
    namespace: dict[str, object] = {}
    report: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    for block in BLOCK.finditer(text):
        line = text[: block.start()].count("\n") + 1
        kind, source = block.groups()
        if kind == "python":
            exec(compile("\n" * line + source, name, "exec"), namespace)
        else:
            test = doctest.DocTestParser().get_doctest(source, namespace, name, name, line)
            runner.run(test, out=report.append, clear_globs=False)
            namespace.update(test.globs)
    return "".join(report)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_blocks_of_a_page_run(page):
    if page.name == "sweeps.md":
        pytest.importorskip("distributed", reason="dask.distributed is not installed")
    report = failures(page.read_text(encoding="utf-8"), page.name)
    assert not report, report


@pytest.mark.parametrize("page", ["using.md", "notation.md", "sweeps.md"])
def test_pages_with_examples_are_found_to_have_them(page):
    assert BLOCK.search((ROOT / "book" / page).read_text(encoding="utf-8"))


def test_a_wrong_output_is_found():
    assert "Expected" in failures("```pycon\n>>> 1 + 1\n3\n```\n", "planted.md")


def test_blocks_of_a_page_share_their_names():
    blocks = ["```python\na = 2\n```", "```pycon\n>>> b = a + 1\n```", "```pycon\n>>> b\n3\n```"]
    assert not failures("\n\ntext\n\n".join(blocks), "planted.md")


def test_a_failing_python_block_raises():
    with pytest.raises(AssertionError):
        failures("```python\nassert 1 == 2\n```\n", "planted.md")

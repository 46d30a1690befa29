"""The workflows: actions pinned to a commit, no right that is not needed, a linter's consent."""

import re
import subprocess
import sys
from os import environ, pathsep
from pathlib import Path
from shutil import which

import pytest

FOLDER = Path(__file__).parents[1] / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
PINNED = re.compile(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def loose(text: str) -> list[str]:
    """Lines that use an action of no fixed commit, or do not say its version."""
    lines = [line.strip() for line in text.splitlines() if "uses:" in line]
    return [line for line in lines if not PINNED.search(line)]


def lint(path: Path) -> str:
    """Return what the linter finds, or nothing."""
    program = which("zizmor", path=f"{Path(sys.executable).parent}{pathsep}{environ['PATH']}")
    if program is None:
        pytest.skip("zizmor is not installed: it comes with the extra `book`")
    command = [program, "--offline", "--quiet", "--no-progress", "--pedantic", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr if done.returncode else ""


def test_the_workflows_are_found():
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "pages.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_and_rights_are_asked_for(path):
    text = path.read_text(encoding="utf-8")
    assert loose(text) == []
    assert "\npermissions: {}\n" in text


def test_the_linter_finds_nothing():
    assert not lint(FOLDER)


def test_only_the_job_that_publishes_may_write():
    build, publish = (FOLDER / "pages.yml").read_text(encoding="utf-8").split("\n  publish:\n")
    assert "write" not in build
    assert re.findall(r"(\S+): write", publish) == ["pages", "id-token"]
    assert "run:" not in publish


def test_faults_are_found(tmp_path):
    bad = tmp_path / "bad.yml"
    bad.write_text(
        "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n"
        "      - uses: actions/checkout@v4\n"
        "      - run: echo ${{ github.event.head_commit.message }}\n"
    )
    assert loose(bad.read_text()) == ["- uses: actions/checkout@v4"]
    assert "template-injection" in lint(bad)

"""The command line: what it lists, runs and refuses."""

import subprocess
import sys

import pytest
from sweeps import experiment

from rnncourse.experiments import __main__ as command
from rnncourse.experiments import read


@pytest.fixture
def walks(monkeypatch, tmp_path):
    """The command with one cheap experiment, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "EXPERIMENTS", {"walk": experiment()})
    return tmp_path


def test_without_a_name_it_lists_the_experiments_with_their_source():
    run = [sys.executable, "-m", "rnncourse.experiments"]
    shown = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    for module in command.MODULES:
        e = module.EXPERIMENT
        assert f"\n{e.name}\n" in f"\n{shown}"
        assert e.source in shown
        assert e.stop in shown
    assert "length 20, 50, 100; forget_bias 0, 1, 3, 3.8, 4.5, 6; 10 seeds: 180 trials" in shown


def test_it_runs_and_goes_on_and_prints_the_table(walks, capsys):
    assert (
        command.main(["walk", "--set", "scale=0.5, 3.0", "--set", "steps=50", "--seeds", "0"]) == 0
    )
    first = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in first[1:]] == [["50", "0.5", "1"], ["50", "3.0", "1"]]
    assert command.main(["walk", "--seeds", "0-1,3", "--jobs", "1"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + 6
    found = read(walks / "walk.jsonl")
    assert {t.seed for t in found.trials} == {0, 1, 3}
    assert len(found.trials) == 18
    assert [t.session for t in found.trials].count(1) == 2
    assert command.main(["walk", "--results", "other.jsonl"]) == 0
    assert len(read(walks / "other.jsonl").trials) == 24


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["work"], "invalid choice: 'work'"),
        (["walk", "--set", "steps"], "--set is 'steps', expected NAME=VALUE,VALUE"),
        (["walk", "--set", "step=1"], "'step' is no setting of walk, expected of steps, scale"),
        (["walk", "--set", "steps=1,2"], "steps is '2', expected of 1, 50"),
        (["walk", "--seeds", "0-"], "--seeds is '0-', expected numbers such as 0-4,7"),
        (["walk", "--seeds", "-1"], "--seeds is '-1', expected numbers such as 0-4,7"),
        (["walk", "--seeds", "4-2"], "seeds has [], expected at least one value"),
        (["walk", "--jobs", "0"], "jobs is 0, expected at least 1"),
        (["walk", "--jobs", "two"], "invalid int value: 'two'"),
        (["walk", "--jobs", "2", "--dask", "localhost:8786"], "--jobs counts processes of this"),
        (["walk", "--results", "none/walk.jsonl"], "expected a file in a folder that exists"),
        (["walk", "--results", "."], "expected a file in a folder that exists"),
    ],
)
def test_bad_input_is_named_and_ends_with_2(walks, capsys, arguments, message):
    with pytest.raises(SystemExit) as caught:
        command.main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
    assert not list(walks.iterdir())


def test_failures_and_stops_have_their_own_codes(walks, capsys, monkeypatch):
    def fails(steps, scale, seed):
        raise ArithmeticError("it went wrong")

    def stops(steps, scale, seed):
        raise KeyboardInterrupt

    for function, code, words in ((fails, 1, "24 trials of 24 failed"), (stops, 130, "stopped")):
        monkeypatch.setattr(command, "EXPERIMENTS", {"walk": experiment(function)})
        assert command.main(["walk"]) == code
        said = capsys.readouterr()
        assert words in said.err
        assert not said.out
        assert ("it went wrong" in said.err) == (code == 1)


def test_without_dask_the_extra_is_named(walks, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert command.main(["walk", "--dask", "localhost:8786"]) == 1
    assert "pip install rnncourse[sweep]" in capsys.readouterr().err

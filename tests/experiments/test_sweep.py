"""A sweep: every trial once, whatever stops it, and the same results wherever its trials run."""

import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from sweeps import experiment, results, wait_until, walk

from rnncourse.experiments import Experiment, SweepError, Trial, read, table
from rnncourse.experiments.results import ResultsFile

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    """The results of the whole grid, run here one after the other."""
    path = tmp_path_factory.mktemp("serial") / "walk.jsonl"
    return experiment().run(path, jobs=1, progress=False)


# ---------------------------------------------------------------- what is run, and what is written


def test_a_trial_has_what_the_function_returns_for_its_settings_and_seed(serial):
    assert len(serial) == 2 * 3 * 4
    assert [(t.settings, t.seed) for t in serial] == experiment().grid()
    for t in serial:
        assert t.result == json.loads(json.dumps(walk(**t.settings, seed=t.seed), default=bool))
        assert t.seconds >= 0
        assert (t.session, t.versions) == (1, None)


def test_the_file_says_what_and_who(tmp_path):
    path = tmp_path / "walk.jsonl"
    trials = experiment().run(path, seeds=[0, 1], progress=False)
    more = experiment().run(path, progress=False)
    found = read(path)
    assert found.trials[:12] == trials
    assert sorted(found.trials, key=str) == sorted(more, key=str)
    assert found.header == {
        "format": "rnncourse sweep 1",
        "experiment": "walk",
        "source": "Pearson (1905)",
        "settings": {"steps": [1, 50], "scale": [0.5, 2.0, 3.0]},
        "seeds": [0, 1, 2, 3],
        "stop": "after its steps",
    }
    assert [s["session"] for s in found.sessions] == [1, 2]
    assert {t.session for t in found.trials[:12]} == {1}
    assert {t.session for t in found.trials[12:]} == {2}
    for session in found.sessions:
        assert session["python"] == platform.python_version()
        assert session["numpy"] == np.__version__
        assert session["command"].startswith(Path(sys.orig_argv[0]).name)
        assert abs(time.time() - time.mktime(time.strptime(session["date"][:10], "%Y-%m-%d"))) < 3e5
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + 2 + 24
    assert all(json.loads(line) for line in lines)


def test_what_is_there_is_not_run_again_and_the_file_stays_as_it_is(tmp_path):
    path = tmp_path / "walk.jsonl"
    first = experiment().run(path, progress=False)
    before = path.read_bytes()

    def never(steps, scale, seed):
        raise AssertionError("a trial that is there was run again")

    assert experiment(never).run(path, progress=False) == first
    assert experiment(never).run(path, only={"steps": 50}, seeds=[2], progress=False) == [
        t for t in first if t.settings["steps"] == 50 and t.seed == 2
    ]
    assert path.read_bytes() == before


def test_the_order_of_the_trials_does_not_matter(serial, tmp_path):
    whole = experiment(settings={"steps": [50, 1], "scale": [3.0, 2.0, 0.5]}, seeds=(3, 1, 0, 2))
    trials = whole.run(tmp_path / "walk.jsonl", progress=False)
    assert sorted(results(trials), key=str) == sorted(results(serial), key=str)


def test_numpy_comes_back_as_json_has_it(tmp_path):
    def kinds(seed):
        array = np.arange(3, dtype=np.float32)
        return {"array": array, "integer": np.int64(seed), "flag": np.True_, "text": "½\ud800"}

    kinds = Experiment("kinds", kinds, {}, [7], source="-", stop="-")
    (trial,) = kinds.run(tmp_path / "kinds.jsonl", progress=False)
    expected = {"array": [0.0, 1.0, 2.0], "integer": 7, "flag": True, "text": "½\ud800"}
    assert trial.result == expected
    assert kinds.run(tmp_path / "kinds.jsonl") == [trial] == read(tmp_path / "kinds.jsonl").trials


def test_versions_of_a_worker_that_differ_stand_with_its_trial(tmp_path):
    path = tmp_path / "walk.jsonl"
    other = {"python": "3.99.0", "numpy": "9.0", "rnncourse": "0.1.0"}
    with ResultsFile(path, experiment().header()) as file:
        for seed, versions in enumerate((file.versions, other)):
            outcome = {"result": None, "seconds": 0.0, "versions": versions}
            file.append({"steps": 1, "scale": 0.5}, seed, outcome)
    assert [t.versions for t in read(path).trials] == [None, other]


# ---------------------------------------------------------------- the same results everywhere


def test_processes_give_the_same_with_one_arithmetic_thread_each(serial, tmp_path, monkeypatch):
    pytest.importorskip("joblib", reason="joblib is not installed")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")

    def where(steps, scale, seed):
        threads = {name: os.environ.get(f"{name}_NUM_THREADS") for name in ("OMP", "OPENBLAS")}
        return {"result": walk(steps, scale, seed), "process": os.getpid(), "threads": threads}

    trials = experiment(where).run(tmp_path / "walk.jsonl", jobs=2, progress=False)
    assert [t.result["result"] for t in trials] == [t.result for t in serial]
    assert os.getpid() not in {t.result["process"] for t in trials}
    assert all(t.result["threads"] == {"OMP": "1", "OPENBLAS": "1"} for t in trials)


def test_threads_chosen_by_the_caller_give_the_same(serial, tmp_path):
    joblib = pytest.importorskip("joblib", reason="joblib is not installed")
    together = threading.Barrier(2, timeout=60)

    def meet(steps, scale, seed):
        together.wait()  # two trials at a time
        return walk(steps, scale, seed)

    with joblib.parallel_config("threading", n_jobs=2):
        trials = experiment(meet).run(tmp_path / "walk.jsonl", progress=False)
    assert results(trials) == results(serial)


def test_numpy_is_enough_for_one_job(serial, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "joblib", None)
    assert results(experiment().run(tmp_path / "1.jsonl", progress=False)) == results(serial)
    with pytest.raises(SweepError, match=r"jobs is 2, .*pip install rnncourse\[sweep\]"):
        experiment().run(tmp_path / "2.jsonl", jobs=2)


# ---------------------------------------------------------------- stops, kills and failures

# Imports once and forks a sweep for each line that it reads: its process number, then its end.
SCRIPT = """
import os, sys, time
sys.path[:0] = {paths}
from sweeps import experiment, walk

def slow(steps, scale, seed):
    time.sleep(0.01)
    return walk(steps, scale, seed)

for _ in sys.stdin:
    process = os.fork()
    if not process:
        experiment(slow, seeds=range(20)).run("walk.jsonl", progress=False)
        os._exit(0)
    print(process, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kill -9 is a matter of POSIX systems")
def test_ten_kills_later_the_results_are_those_of_an_uninterrupted_sweep(tmp_path):
    path, script, rng = tmp_path / "walk.jsonl", tmp_path / "script.py", np.random.default_rng(9)
    script.write_text(SCRIPT.format(paths=[str(ROOT), str(ROOT / "tests")]))

    def lines():
        return path.read_bytes().count(b"\n") if path.exists() else 0

    starter = subprocess.Popen(
        [sys.executable, script],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def answer():
        return int(starter.stdout.readline())

    counts = []
    with starter:
        for kill in range(10):
            print("start", file=starter.stdin, flush=True)
            process, goal = answer(), lines() + int(rng.integers(0 if kill else 1, 9))
            wait_until(lambda goal=goal: lines() >= goal)
            os.kill(process, signal.SIGKILL)
            assert answer() == -signal.SIGKILL, "it had ended before it was killed"
            counts.append(lines())
        print("start", file=starter.stdin, flush=True)
        assert (answer(), answer())[1] == 0
    assert 0 < counts[0] < counts[-1] < 1 + 11 + 120
    whole = experiment(seeds=range(20)).run(tmp_path / "whole.jsonl", progress=False)
    found = read(path)
    assert sorted(results(found.trials), key=str) == sorted(results(whole), key=str)
    assert len(found.trials) == 120


def test_a_line_torn_off_anywhere_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # no loss of power here
    path = tmp_path / "walk.jsonl"
    small = experiment(settings={"steps": [3], "scale": [1.0]}, seeds=range(2))
    expected = results(small.run(path, progress=False))
    content = path.read_bytes()
    last = content[:-1].rfind(b"\n")
    for cut in [*range(0, last, 7), *range(last, len(content))]:
        path.write_bytes(content[:cut])
        if b"\n" in content[:cut]:
            whole = content[:cut].count(b"\n")  # the header, the session, two trials
            assert results(read(path).trials) == expected[: max(0, whole - 2)]
        assert results(small.run(path, progress=False)) == expected
        assert results(read(path).trials) == expected
        assert path.read_bytes().count(b'"experiment"') == 1
    path.write_bytes(content + content[-20:-1])
    assert results(small.run(path, progress=False)) == expected  # nothing to make
    assert path.read_bytes() == content


def test_ctrl_c_leaves_the_file_whole_and_the_sweep_goes_on(serial, tmp_path):
    path, ran = tmp_path / "walk.jsonl", []

    def interrupted(steps, scale, seed):
        if len(ran) == 7:
            raise KeyboardInterrupt
        ran.append((steps, scale, seed))
        return walk(steps, scale, seed)

    with pytest.raises(KeyboardInterrupt):
        experiment(interrupted).run(path, progress=False)
    assert results(read(path).trials) == results(serial)[:7]
    first, ran[:] = list(ran), []
    with pytest.raises(KeyboardInterrupt):
        experiment(interrupted).run(path, progress=False)
    assert not set(first) & set(ran)
    assert results(experiment().run(path, progress=False)) == results(serial)
    assert {t.session for t in read(path).trials} == {1, 2, 3}


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_trial_that_raises_stops_no_other_and_is_tried_again(serial, tmp_path, jobs):
    if jobs > 1:
        pytest.importorskip("joblib", reason="joblib is not installed")
    path = tmp_path / "walk.jsonl"

    def fragile(steps, scale, seed):
        class Odd(Exception):  # which no other process could read
            def __init__(self, a, b):
                super().__init__(f"{a} and {b}")

        if scale == 2.0 and seed < 2:
            raise Odd("this", "that")
        return walk(steps, scale, seed)

    with pytest.raises(SweepError, match="4 trials of 24 failed; the others are in ") as caught:
        experiment(fragile).run(path, jobs=jobs, progress=False)
    assert "scale=2.0, seed=" in str(caught.value)
    assert "Odd: this and that" in str(caught.value)
    assert len(caught.value.failures) == 4
    assert all('raise Odd("this", "that")' in text for text in caught.value.failures)
    assert len(read(path).trials) == 20
    assert results(experiment().run(path, progress=False)) == results(serial)


def test_a_result_that_json_can_not_write_is_a_failure(tmp_path):
    def odd(seed):
        return {"set": {1, 2}}

    odd = Experiment("odd", odd, {}, [0], source="-", stop="-")
    with pytest.raises(SweepError, match=r"seed=0: TypeError: the result holds a set, expected"):
        odd.run(tmp_path / "odd.jsonl", progress=False)


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is a matter of POSIX systems")
def test_a_worker_that_is_killed_takes_no_finished_trial_with_it(serial, tmp_path):
    pytest.importorskip("joblib", reason="joblib is not installed")
    path, killed = tmp_path / "walk.jsonl", str(tmp_path / "killed")

    def deadly(steps, scale, seed):
        if steps == 50 and not os.path.exists(killed):
            open(killed, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return walk(steps, scale, seed)

    with pytest.raises(SweepError, match=r"the workers ended \(Terminated.*start the sweep ag"):
        experiment(deadly).run(path, jobs=2, progress=False)
    kept = len(read(path).trials)
    assert 1 <= kept < 24
    assert results(experiment(deadly).run(path, jobs=2, progress=False)) == results(serial)
    assert [t.session for t in read(path).trials].count(1) == kept


def test_an_error_while_writing_is_not_said_to_be_one_of_the_workers(tmp_path, monkeypatch):
    joblib = pytest.importorskip("joblib", reason="joblib is not installed")

    def full(file, settings, seed, outcome):
        raise OSError("no space left on device")

    monkeypatch.setattr(ResultsFile, "append", full)
    with joblib.parallel_config("threading", n_jobs=2), pytest.raises(OSError, match="no space"):
        experiment().run(tmp_path / "walk.jsonl", progress=False)


# ---------------------------------------------------------------- files that are refused


def test_two_sweeps_at_once_into_one_file_are_refused(tmp_path):
    pytest.importorskip("fcntl", reason="no locks of files on this system")
    path = tmp_path / "walk.jsonl"
    other = ResultsFile(path, experiment().header())
    with other, pytest.raises(SweepError, match=r"another sweep is writing to .*walk\.jsonl"):
        experiment().run(path, progress=False)
    assert len(experiment().run(path, progress=False)) == 24


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stop": "never"}, r"its stop is 'after its steps', expected 'never'"),
        (
            {"settings": {"steps": [1, 60], "scale": [0.5, 2.0, 3.0]}},
            r"its settings is \{'steps': \[1, 50\], .*expected \{'steps': \[1, 60\], ",
        ),
    ],
)
def test_a_file_of_another_sweep_is_refused_and_stays_as_it_is(tmp_path, changes, message):
    path = tmp_path / "walk.jsonl"
    experiment().run(path, progress=False)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=rf"walk\.jsonl is of another sweep: {message}"):
        experiment(**changes).run(path, progress=False)
    assert path.read_bytes() == before
    # Other words for the source, and other seeds, are still the same experiment.
    assert len(experiment(source="other words", seeds=range(5)).run(path, progress=False)) == 30


def damaged(lines, number, text):
    return [*lines[: number - 1], text, *lines[number:]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: damaged(lines, 4, lines[3][:-9]), "line 4 of .* is not one of a sweep"),
        (lambda lines: damaged(lines, 5, ""), "line 5 of "),
        (lambda lines: damaged(lines, 2, lines[2]), "line 2 .*its session 1 stands nowhere above"),
        (lambda lines: [*lines, lines[4]], "line 27 .*it repeats the trial of line 5"),
        (lambda lines: [*lines, *lines], r"line 27 .*"),  # two files in one
        (lambda lines: damaged(lines, 3, lines[2].replace("steps", "step")), "its settings are"),
        (lambda lines: damaged(lines, 1, '{"format": "rnncourse sweep 9"}'), "line 1 .*its format"),
        (lambda lines: ["Dear diary,", "nothing happened today."], "line 1 of "),
        (lambda lines: damaged(lines, 2, lines[1].replace('n": 1', 'n": 3')), "follows no other"),
    ],
)
def test_damage_is_named_by_its_line_and_nothing_is_changed(tmp_path, change, message):
    path = tmp_path / "walk.jsonl"
    experiment().run(path, progress=False)
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(change(lines)) + "\n", encoding="utf-8")
    before = path.read_bytes()
    for action in (lambda: read(path), lambda: experiment().run(path, progress=False)):
        with pytest.raises(ValueError, match=message):
            action()
    assert path.read_bytes() == before


def test_a_file_of_one_line_that_is_no_results_file_stays_as_it_is(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("a line without its end")
    with pytest.raises(ValueError, match=r"notes\.txt has no line of a sweep, expected a results"):
        experiment().run(path, progress=False)
    assert path.read_text() == "a line without its end"


def test_the_folder_is_looked_for_before_the_first_trial(tmp_path):
    with pytest.raises(ValueError, match=r"^path is .*, expected a file in a folder that exists"):
        experiment().run(tmp_path / "none" / "walk.jsonl")
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "walk.jsonl")


# ---------------------------------------------------------------- declarations


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"settings": [3]}, TypeError, "settings is .*, expected a mapping"),
        ({"settings": {"steps": []}}, ValueError, r"steps has \[\], expected at least one value"),
        ({"settings": {"steps": [1, 1]}}, ValueError, r"steps has \[1, 1\], .*none twice"),
        ({"settings": {"steps": {1, 2}}}, TypeError, "steps is {1, 2}, expected a list"),
        ({"settings": {"steps": "12"}}, TypeError, "steps is '12', expected a list"),
        ({"settings": {"steps": [[1]]}}, TypeError, r"steps has \[1\], expected texts, numbers"),
        ({"settings": {"steps": [float("nan")]}}, TypeError, "steps has nan, expected"),
        ({"settings": {"seed": [1]}}, ValueError, "settings has 'seed', expected names other"),
        ({"settings": {"steps": [1]}}, TypeError, "function does not take steps, seed by name"),
        ({"seeds": [-1]}, ValueError, "seed is -1, expected at least 0"),
        ({"seeds": [0.5]}, TypeError, "seed is 0.5, expected a whole number"),
        ({"seeds": []}, ValueError, r"seeds has \[\], expected at least one"),
        ({"source": " "}, ValueError, "source is ' ', expected a text"),
    ],
)
def test_a_declaration_that_can_not_be_run_is_refused(changes, error, message):
    with pytest.raises(error, match=message):
        experiment(**changes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"only": {"step": [1]}}, "'step' is no setting of walk, expected of steps, scale"),
        ({"only": {"steps": [2]}}, "steps is 2, expected of 1, 50"),
        ({"jobs": 0}, "jobs is 0, expected at least 1"),
        ({"seeds": [1, 1]}, r"seeds has \[1, 1\]"),
    ],
)
def test_what_is_asked_for_is_checked_before_a_file_is_made(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        experiment().run(tmp_path / "walk.jsonl", **arguments)
    assert not list(tmp_path.iterdir())


def test_a_subset_keeps_the_order_of_the_grid():
    grid = experiment().grid({"scale": [3.0, 0.5], "steps": 1}, seeds=[5])
    assert grid == [({"steps": 1, "scale": 0.5}, 5), ({"steps": 1, "scale": 3.0}, 5)]
    assert experiment(settings={"steps": np.array([1]), "scale": [2]}).settings["steps"] == [1]


def test_the_table_has_a_line_for_each_combination():
    def trial(length, seed, **result):
        return Trial({"length": length}, seed, result, 1.0, 1)

    rows = table(
        [
            trial(10, 0, loss=1.0, solved=True, updates=None),
            trial(10, 1, loss=2.0, solved=False, updates=40),
            trial(200, 0, loss=float("inf"), solved=False, updates=None),
        ]
    ).splitlines()
    assert [row.split() for row in rows] == [
        ["length", "seeds", "loss", "updates"],
        ["10", "2", "1.5", "40"],
        ["200", "1", "inf", "-"],
    ]
    assert len({len(row) for row in rows}) == 1
    bare = table([Trial({}, 0, 0.25, 1.0, 1), Trial({}, 1, 0.75, 1.0, 1)]).splitlines()
    assert [row.split() for row in bare] == [["settings", "seeds", "result"], ["-", "2", "0.5"]]

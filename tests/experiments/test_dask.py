"""A sweep on a real Dask cluster of two worker processes, also when one is killed."""

import os
import signal
import threading
import time

import pytest

joblib = pytest.importorskip("joblib", reason="joblib is not installed")
distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")

from sweeps import experiment, results, wait_until, walk  # noqa: E402

from rnncourse.experiments import SweepError, read  # noqa: E402
from rnncourse.experiments import __main__ as command  # noqa: E402


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes of one thread each, and a client that joblib finds."""
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    # The port of the scheduler's own pages: any that is free.
    started = distributed.LocalCluster(**options, dashboard_address=":0", silence_logs=60)
    with started, distributed.Client(started):
        yield started


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    path = tmp_path_factory.mktemp("serial") / "walk.jsonl"
    return experiment().run(path, jobs=1, progress=False)


def test_a_cluster_gives_the_same_and_its_processes_did_the_work(cluster, serial, tmp_path):
    def where(steps, scale, seed):
        return {"result": walk(steps, scale, seed), "process": os.getpid()}

    with joblib.parallel_config(backend="dask"):
        trials = experiment(where).run(tmp_path / "walk.jsonl", progress=False)
    assert [t.result["result"] for t in trials] == [t.result for t in serial]
    assert all(t.versions is None for t in trials)
    workers = {t.result["process"] for t in trials}
    assert os.getpid() not in workers
    assert 1 <= len(workers) <= 2


def test_the_command_takes_the_address_of_a_scheduler(cluster, serial, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "EXPERIMENTS", {"walk": experiment()})
    path, address = tmp_path / "walk.jsonl", cluster.scheduler_address
    assert command.main(["walk", "--dask", address, "--results", str(path)]) == 0
    assert sorted(results(read(path).trials), key=str) == sorted(results(serial), key=str)


def test_a_worker_killed_in_the_middle_changes_nothing(cluster, serial, tmp_path):
    mark, path = tmp_path / "in-the-middle", tmp_path / "walk.jsonl"
    name = str(mark)

    def held(steps, scale, seed):
        if (steps, scale, seed) == (50, 0.5, 1) and not os.path.exists(name):
            with open(f"{name}.part", "w") as file:
                file.write(str(os.getpid()))
            os.replace(f"{name}.part", name)
            while True:  # until it is killed
                time.sleep(0.01)
        return walk(steps, scale, seed)

    killed = []

    def kill():
        wait_until(mark.exists)
        killed.append(int(mark.read_text()))
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with joblib.parallel_config(backend="dask"):
        trials = experiment(held).run(path, progress=False)
    killer.join()
    assert killed
    assert results(trials) == results(serial)
    assert len(read(path).trials) == len(serial)


def test_a_trial_that_ends_every_worker_is_given_up_and_named(cluster, serial, tmp_path):
    path = tmp_path / "walk.jsonl"

    def deadly(steps, scale, seed):
        if (steps, scale, seed) == (50, 3.0, 3):  # the last one
            os._exit(1)
        return walk(steps, scale, seed)

    cluster.scheduler.allowed_failures = 0
    with joblib.parallel_config(backend="dask"):
        with pytest.raises(SweepError, match=r"failed; the others are in ") as caught:
            experiment(deadly).run(path, progress=False)
        assert any("steps=50, scale=3.0, seed=3: Killed" in f for f in caught.value.failures)
        kept = len(read(path).trials)
        assert kept + len(caught.value.failures) == len(serial)
        assert results(experiment().run(path, progress=False)) == results(serial)

"""Training that is killed, again and again, and taken up again."""

import contextlib
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rnncourse
from rnncourse import Model

pytestmark = pytest.mark.slow

SCRIPT = """
import sys
import numpy as np
from rnncourse import LSTM, Adam, Model, Readout, fit, schedules, tasks

path = sys.argv[1]
rng = np.random.default_rng(3)
layer, readout = LSTM(8, 12, rng=rng, forget_bias=3), Readout(12, 4, rng=rng)
model = Model(layer, readout, arrangement="many-to-one")
test = dict(zip(("x", "targets"), tasks.temporal_order(50, 20, rng=np.random.default_rng(9))))

def drawn():
    while True:
        yield tasks.temporal_order(16, 20, rng=rng)

history = fit(
    model,
    drawn,
    updates=8,
    epochs=60,
    optimizer=Adam(schedules.Cosine(0.02, updates=480, warmup=20)),
    rng=rng,
    clip_norm=1.0,
    validation=test,
    metrics=["accuracy"],
    patience=60,
    on_epoch=lambda history, model: print(history.epochs, flush=True),
    checkpoint=path,
    resume=True,
    progress=False,
)
print("done", history, rng.random(), flush=True)
"""


def start(path):
    environment = {**os.environ, "PYTHONPATH": str(Path(rnncourse.__file__).parents[1])}
    command = [sys.executable, "-c", SCRIPT, str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def test_ten_kills_at_random_moments_change_nothing(tmp_path):
    with start(tmp_path / "whole.npz") as whole:
        expected = whole.stdout.read().splitlines()[-1]
    assert expected.startswith("done")
    path, moments, kills = tmp_path / "killed.npz", random.Random(0), 0
    while kills < 10:
        with start(path) as process:
            # Wherever it is by the time: in an update, in a validation, in a save.
            for _ in range(moments.randint(1, 4)):
                assert process.stdout.readline().strip().isdigit()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=moments.uniform(0, 0.02))
            process.kill()
            assert process.wait() == -9
        kills += 1
    with start(path) as process:
        assert process.stdout.read().splitlines()[-1] == expected
    one, other = (Model.load(tmp_path / f"{name}.npz") for name in ("whole", "killed"))
    for name, W in one.params.items():
        np.testing.assert_array_equal(W, other.params[name])
    assert sorted(os.listdir(tmp_path)) == ["killed.npz", "whole.npz"]  # no part is left

"""The networks in the page: losses, gradients and updates are those of the package."""

import numpy as np
import pytest

from rnncourse import GRU, LSTM, RNN, Adam, Model, Readout, clip_by_global_norm
from rnncourse.training.optim import SGD

KINDS = {"rnn": RNN, "lstm": LSTM, "gru": GRU}

# One run of n updates: the losses, the gradients and the norms of the first, and the last weights.
RUN = """async ([address, kind, sizes, weights, x, task, settings]) => {
  const nets = await import(address);
  const flat = (list) => Float64Array.from(list.flat(Infinity));
  const P = Object.fromEntries(Object.entries(weights).map(([name, W]) => [name, flat(W)]));
  const m = nets.room(kind, sizes);
  const zeros = ([name, W]) => [name, new Float64Array(W.length)];
  const grads = Object.fromEntries(Object.entries(P).map(zeros));
  const [inputs, counts, memory] = [flat(x), flat(task.counts), {}];
  const losses = [];
  let first, reach, norm;
  for (let k = 0; k < settings.updates; k++) {
    nets.forward(P, m, inputs);
    const [E] = task.labels ? nets.crossEntropy(m, task.labels.flat(), counts)
      : nets.squaredError(m, flat(task.targets), counts);
    losses.push(E);
    nets.backward(P, m, inputs, grads);
    first ??= Object.fromEntries(Object.entries(grads).map(([name, g]) => [name, [...g]]));
    reach ??= [...m.reach];
    const size = settings.max_norm ? nets.clip(grads, settings.max_norm) : 0;
    norm ??= size;
    if (settings.rule === "adam") nets.adam(P, grads, settings.rate, memory);
    else nets.sgd(P, grads, settings.rate);
  }
  const last = Object.fromEntries(Object.entries(P).map(([name, W]) => [name, [...W]]));
  return { losses, first, reach, norm, last };
}"""


def case(kind, loss, seed):
    """A small random network, a batch of sequences of different lengths, and their targets."""
    rng = np.random.default_rng(seed)
    T, B, D, H, O = (int(n) for n in rng.integers(1, 7, 5) + np.array([2, 0, 0, 0, 1]))
    layer = KINDS[kind](D, H, rng=rng)
    model = Model(layer, Readout(H, O, rng=rng), loss=loss)
    for W in model.params.values():  # biases too
        W += 0.3 * rng.normal(size=W.shape)
    x = rng.normal(size=(T, B, D))
    lengths = rng.integers(1, T + 1, B)
    counts = (np.arange(T)[:, None] < lengths) & (rng.random((T, B)) < 0.8)
    counts[0] = True
    labels, targets = rng.integers(0, O, (T, B)), rng.normal(size=(T, B, O))
    return model, x, lengths, counts, labels if loss == "cross_entropy" else targets


@pytest.fixture(scope="module")
def run(browser, scripts):
    page = browser.new_page()
    page.goto(f"{scripts}words.json")

    def run(model, kind, x, counts, targets, **settings):
        T, B, D = x.shape
        sizes = {"T": T, "B": B, "D": D, "H": model.layer.hidden_size}
        task = {"counts": counts.astype(int).tolist()}
        if model.loss_name == "cross_entropy":
            task["labels"] = targets.tolist()
        else:
            task["targets"] = targets.swapaxes(1, 2).tolist()
        weights = {name: W.tolist() for name, W in model.params.items()}
        sizes["O"] = model.readout.output_size
        given = [
            f"{scripts}nets.js",
            kind,
            sizes,
            weights,
            x.swapaxes(1, 2).tolist(),
            task,
            settings,
        ]
        return page.evaluate(RUN, given)

    yield run
    page.close()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
@pytest.mark.parametrize("kind", KINDS)
def test_loss_and_gradients_are_those_of_the_package(run, kind, loss, seed):
    model, x, lengths, counts, targets = case(kind, loss, seed)
    here = model.loss_and_gradients(x, targets, lengths=lengths, mask=counts)
    there = run(model, kind, x, counts, targets, updates=1, rate=0.1)
    assert there["losses"][0] == pytest.approx(here.E, rel=1e-12)
    assert set(there["first"]) == set(here.grads)
    for name, gradient in here.grads.items():
        assert np.allclose(there["first"][name], gradient.ravel(), rtol=0, atol=1e-12), name


@pytest.mark.parametrize("rule", ["sgd", "adam"])
@pytest.mark.parametrize("kind", KINDS)
def test_fifty_updates_are_those_of_the_package(run, kind, rule):
    model, x, _, counts, targets = case(kind, "cross_entropy", 7)
    there = run(model, kind, x, counts, targets, updates=50, rate=0.05, rule=rule, max_norm=0.5)
    optimizer = Adam(0.05) if rule == "adam" else SGD(0.05)
    losses = []
    for k in range(50):
        found = model.loss_and_gradients(x, targets, mask=counts)
        losses.append(found.E)
        norm = clip_by_global_norm(found.grads, 0.5)
        if k == 0:
            assert there["norm"] == pytest.approx(norm, rel=1e-12)
        optimizer.step(model.params, found.grads)
    assert np.allclose(there["losses"], losses, rtol=0, atol=1e-9)
    for name, W in model.params.items():
        assert np.allclose(there["last"][name], W.ravel(), rtol=0, atol=1e-9), name
    assert losses[-1] < losses[0]

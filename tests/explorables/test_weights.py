"""A network as a file: Python reads what the page wrote, and the page what Python wrote."""

import itertools
import re
from functools import partial

import numpy as np
import pytest

pytest.importorskip("anywidget", reason="anywidget is not installed")
from browsers import PATIENCE, open_more, settle

from rnncourse import GRU, RNN, Model, Readout, Stack, load_checkpoint
from rnncourse.experiments import playground as pg
from rnncourse.explorables import Playground, base


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    """One page for all: each test sets what it needs."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    html = f"<!doctype html><meta charset=utf-8>{Playground(lag=5).to_html()}"
    path.write_text(html, encoding="utf-8")
    page, errors = browser.new_page(), []
    page.set_default_timeout(PATIENCE)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(path.as_uri())
    open_more(page)
    yield page
    page.close()
    assert errors == []


def put(page, **settings):
    """Set all settings, and wait for the run that they begin."""
    state = Playground(lag=5).state | settings
    page.evaluate("(values) => document.querySelector('.rnnx').explorable.set(values)", state)
    settle(page)


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def update(page, count):
    """Make one update, which is the run's update number `count`."""
    press(page, "One update")
    page.wait_for_function(
        "(k) => document.querySelector('.summary').textContent.includes(`after ${k} update`)",
        arg=count,
    )


def save(page, path):
    with page.expect_download() as download:
        press(page, "Save the network")
    download.value.save_as(path)
    return download.value.suggested_filename


def give(page, path):
    """Open a file with the button, and return what the page says of it."""
    said = page.locator(".more .buttons:has(input) > span")
    said.evaluate("(e) => (e.textContent = '')")
    with page.expect_file_chooser() as chooser:
        press(page, "Open a network")
    chooser.value.set_files(path)
    said.filter(has_text=re.compile(".")).wait_for()
    settle(page)
    return said.inner_text()


# A run of three updates, packed: bytes, weights, and outputs for the held-out sequences.
PACK = """async ([address, settings]) => {
  const [{ run }, { pack }, nets] = await Promise.all(
    ["play", "weights", "nets"].map((name) => import(`${address}${name}.js`)));
  const it = run(settings);
  for (let k = 0; k < 3; k++) it.update();
  const { T, D, H, O } = it.sizes;
  const m = nets.room(settings.layer, { T, B: 200, D, H, O });
  nets.forward(it.P, m, it.held.x);
  const loss = it.held.labels ? "cross_entropy" : "squared_error";
  const bytes = pack({ layer: settings.layer, D, H, O, loss }, it.P, {}, {});
  const weights = Object.fromEntries(Object.entries(it.P).map(([name, W]) => [name, [...W]]));
  return [[...bytes], weights, [...m.y]];
}"""
CASES = [
    {},
    {"layer": "lstm", "task": "adding", "units": 5},
    {"layer": "gru", "task": "parity"},
    {"layer": "lstm", "units": 1, "task": "parity"},
]


def test_python_has_the_weights_and_outputs_of_the_page(browser, scripts, tmp_path):
    page = browser.new_page()
    page.goto(f"{scripts}words.json")
    for given in CASES:
        settings = pg.Settings(**given)
        packed, weights, y = page.evaluate(PACK, [scripts, vars(settings)])
        path = tmp_path / "network.npz"
        path.write_bytes(bytes(packed))
        model = Model.load(path)
        assert model.description == pg.network(settings, pg.Random(0)).description
        assert {name: W.ravel().tolist() for name, W in model.params.items()} == weights
        held_out = pg.batch(settings.task, settings.lag, pg.HELD_OUT, pg.Random(pg.TEST_SEED))
        here = model.predict(held_out.x).swapaxes(1, 2)
        assert np.allclose(here.ravel(), y, rtol=0, atol=1e-12)
    page.close()


def test_a_run_is_saved_read_by_python_opened_and_saved_again(page, tmp_path):
    put(page, layer="gru", seed=4)
    for count in (1, 2, 3):
        update(page, count)
    assert save(page, tmp_path / "one.npz") == "first-symbol-gru-16.npz"
    trained = list(itertools.islice(pg.train(pg.Settings(layer="gru", lag=5, seed=4)), 3))
    model = Model.load(tmp_path / "one.npz")
    for name, W in trained[-1][1].params.items():
        assert np.allclose(model.params[name], W, rtol=0, atol=1e-12), name
    history, _ = load_checkpoint(tmp_path / "one.npz", model)
    assert history.loss == pytest.approx([u.E for u, _ in trained], abs=1e-9)
    norms = [u.norm for u, _ in trained]
    assert history.metrics == {"gradient_norm": pytest.approx(norms, abs=1e-9)}
    put(page)  # something else
    assert give(page, tmp_path / "one.npz").startswith("one.npz is open, after 3 updates.")
    state = page.evaluate("({ ...document.querySelector('.rnnx').explorable.state })")
    assert state == Playground(lag=5, layer="gru", seed=4).state
    save(page, tmp_path / "two.npz")
    there, here = (dict(np.load(tmp_path / name)) for name in ("one.npz", "two.npz"))
    assert there.keys() == here.keys()
    for name, values in there.items():
        assert np.allclose(values, here[name], rtol=1e-14, atol=0), name
        assert name.startswith("metrics/") or np.array_equal(values, here[name]), name
    update(page, 4)


def test_what_is_saved_while_it_trains_belongs_together(page, tmp_path):
    put(page, lag=60)
    press(page, "Train")
    page.wait_for_function(
        "+(document.querySelector('.summary').textContent.match(/after (\\d+)/)?.[1] ?? 0) > 3"
    )
    save(page, tmp_path / "run.npz")
    press(page, "Pause")
    model = Model.load(tmp_path / "run.npz")
    history, _ = load_checkpoint(tmp_path / "run.npz", model)
    count = len(history.loss)
    trained = next(itertools.islice(pg.train(pg.Settings(lag=60)), count - 1, None))[1]
    for name, W in trained.params.items():
        assert np.allclose(model.params[name], W, rtol=0, atol=1e-9), name


@pytest.mark.parametrize("given", [*CASES, {"task": "echo", "units": 64}], ids=str)
def test_the_page_opens_what_python_saves(page, tmp_path, given):
    put(page, lag=9)
    settings = pg.Settings(**given)
    model = pg.network(settings, pg.Random(5))
    model.save(tmp_path / "mine.npz")
    assert give(page, tmp_path / "mine.npz").startswith("mine.npz is open, after 0 updates.")
    state = page.evaluate("({ ...document.querySelector('.rnnx').explorable.state })")
    # Temporal order has the sizes of echo, and comes first.
    task = "temporal order" if settings.task == "echo" else settings.task
    expected = {"task": task, "layer": settings.layer, "units": settings.units, "lag": 9}
    assert state == Playground(**expected).state
    save(page, tmp_path / "same.npz")
    again = Model.load(tmp_path / "same.npz")
    assert again.description == model.description
    for name, W in model.params.items():
        assert np.array_equal(again.params[name], W), name


def network(rng, layer=RNN, D=6, H=4, O=4, dtype="float64", **options):
    return Model(layer(D, H, rng=rng, dtype=dtype), Readout(H, O, rng=rng, dtype=dtype), **options)


def damaged(path, how):
    """Change the file of a model."""
    whole = path.read_bytes()
    if how == "byte":
        at = whole.index(b"W_hh") + 200
        whole = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
    if how == "NaN":
        arrays = dict(np.load(path))
        arrays["params/W_hh"][0, 1] = np.nan
        np.savez(path, **arrays)
        return
    if how == "packed":
        np.savez_compressed(path, **np.load(path))
        return
    path.write_bytes({"half": whole[: len(whole) // 2], "empty": b"", "byte": whole}[how])


NOT_WHOLE = "is no whole .npz file of rnncourse"
REFUSED = {
    "half of one": ({}, "half", NOT_WHOLE),
    "nothing": ({}, "empty", NOT_WHOLE),
    "one byte is another": ({}, "byte", NOT_WHOLE),
    "packed": ({}, "packed", NOT_WHOLE),
    "NaN": ({}, "NaN", "its W_hh: NaN, expected finite numbers"),
    "float32": ({"dtype": "float32"}, None, "its dtype: float32, expected float64"),
    "many units": ({"H": 65}, None, "its hidden_size: 65, expected ≤ 64"),
    "other sizes": ({"O": 5}, None, "6, 5, cross_entropy, expected those of a task"),
    "another loss": ({"loss": "squared_error"}, None, "6, 4, squared_error, expected those"),
    "one output": ({"arrangement": "many-to-one"}, None, "many-to-one, expected many-to-many"),
    "a sum": ({"reduction": "sum"}, None, "its reduction: sum, expected mean"),
    "another gate": (
        {"layer": partial(GRU, reset="before")},
        None,
        "its reset: before, expected after",
    ),
    "two layers": (
        {"layer": lambda D, H, **o: Stack(RNN(D, H, **o), RNN(H, H, **o))},
        None,
        "its layer: Stack, expected RNN, LSTM, GRU",
    ),
}


def test_a_file_that_does_not_fit_is_refused_and_nothing_is_lost(page, tmp_path, rng):
    put(page)
    update(page, 1)
    settle(page)
    before = page.locator(".rnnx > .panels").inner_html(), page.locator(".summary").inner_text()
    page.evaluate(
        """globalThis.heard = [];
        new MutationObserver(() => heard.push(document.querySelector(".told").textContent))
          .observe(document.querySelector(".told"), { childList: true });"""
    )
    for name, (given, how, words) in REFUSED.items():
        network(rng, **given).save(tmp_path / "file.npz")
        if how:
            damaged(tmp_path / "file.npz", how)
        said = give(page, tmp_path / "file.npz")
        assert words in said, name
        assert said.startswith("file.npz "), name
        assert said.endswith("Nothing has changed here."), name
        assert said in page.evaluate("heard"), name  # a screen reader says it, too
    for name, content in {"page.html": b"<!doctype html>" * 9, "x.npz": bytes(5_000_000)}.items():
        (tmp_path / name).write_bytes(content)
        said = give(page, tmp_path / name)
        assert (NOT_WHOLE if name == "page.html" else "5000000, expected ≤ 4000000") in said
    now = page.locator(".rnnx > .panels").inner_html(), page.locator(".summary").inner_text()
    assert now == before
    update(page, 2)


def test_the_buttons_for_files_work_with_the_keyboard(page, tmp_path, rng):
    network(rng, H=3).save(tmp_path / "three.npz")
    # The driver asks for choosers without waiting: it has to, before the key is pressed.
    page.on("filechooser", lambda _: None)
    button = page.get_by_role("button", name="Open a network")
    box = button.bounding_box()
    assert min(box["width"], box["height"]) >= 24
    button.focus()
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(tmp_path / "three.npz")
    page.locator(".more").get_by_text("three.npz is open").wait_for()
    page.keyboard.press("Shift+Tab")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "first-symbol-rnn-3.npz"


# ---------------------------------------------------------------- in Jupyter

# A stub of the model of anywidget, which notes what it is told.
MOUNT = """async ([code, spec, state]) => {
  const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const { default: figure } = await import(address);
  const values = { _spec: spec, ...state };
  globalThis.reports = [];
  const model = {
    get: (key) => values[key],
    set(key, value) {
      values[key] = value;
      if (key === "_file") reports.push([...new Uint8Array(value.buffer)]);
    },
    save_changes() {}, on() {}, off() {},
  };
  figure.render({ model, el: document.body });
}"""


def test_python_has_the_network_of_the_page_and_its_losses(browser):
    figure = Playground(lag=5)
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.clock.install()
    page.evaluate(MOUNT, [base.module("playground"), figure.spec(), figure.state])
    assert_same(figure.model(), pg.network(pg.Settings(lag=5), pg.Random(1)))
    assert page.evaluate("reports") == []  # nothing to tell yet
    assert figure.history.loss == []

    def hear():
        page.wait_for_function("reports.length")
        reports = page.evaluate("reports.splice(0)")
        figure.set_state({"_file": memoryview(bytes(reports[-1]))})  # as Jupyter does
        return len(reports)

    press(page, "Train")
    page.get_by_text("Solved at update 20,").wait_for()
    hear()
    trained = list(itertools.islice(pg.train(pg.Settings(lag=5)), 20))
    assert_same(figure.model(), trained[-1][1])
    assert figure.history.loss == pytest.approx([u.E for u, _ in trained], abs=1e-9)
    figure.units = 9  # the page has not heard of it yet
    assert_same(figure.model(), pg.network(pg.Settings(lag=5, units=9), pg.Random(1)))
    assert figure.history.loss == []
    figure.units = 16
    assert len(figure.history.loss) == 20
    press(page, "Lag 60")
    hear()
    assert figure._file == b""
    figure.lag = 60
    start = page.evaluate("performance.now()")
    press(page, "Train")
    page.get_by_text("lag 60: after").wait_for()
    page.clock.fast_forward(4000)  # while it trains, it tells every few seconds
    heard = hear()
    count = len(figure.history.loss)
    assert count > 0
    page.wait_for_function(
        "last => document.querySelector('.summary').textContent !== last",
        arg=page.locator(".summary").text_content(),
    )
    press(page, "Pause")
    heard += hear()
    assert heard <= 1 + (page.evaluate("performance.now()") - start) / 3000
    assert len(figure.history.loss) >= count
    page.close()


def assert_same(one, other):
    assert one.description == other.description
    for name, W in other.params.items():
        assert np.allclose(one.params[name], W, rtol=0, atol=1e-9), name


def test_what_the_page_sends_is_checked():
    figure = Playground()
    figure.set_state({"_file": memoryview(b"PK")})
    for what in (figure.model, lambda: figure.history):
        with pytest.raises(ValueError, match="is not a whole file of rnncourse"):
            what()
    assert figure.state == Playground().state
    assert "_file" not in figure.spec()["traits"]

"""The network that learns a text in the page: its run is Python's, and nothing freezes it."""

import json
import re
from dataclasses import asdict

import numpy as np
import pytest

pytest.importorskip("anywidget", reason="anywidget is not installed")
import traitlets
from browsers import PATIENCE, drawn, meeting, settle

from rnncourse.data.datasets import tea_party
from rnncourse.experiments import own_text
from rnncourse.explorables import Writer, base

TEXT = tea_party()[:1500]
SMALL = {"units": 6, "chunk": 9, "streams": 3}
STATE = "({ ...document.querySelector('.rnnx').explorable.state })"
LIMIT = 20_500  # bytes of the figure and of its part of the work


@pytest.fixture(scope="module")
def there(browser, scripts):
    """Evaluate a function of what `text.js` exports and of one argument."""
    page = browser.new_page()
    page.goto(f"{scripts}words.json")

    def call(code, given):
        # As JSON of ASCII characters, in which half of a surrogate pair can travel.
        given = json.dumps(given)
        return page.evaluate(f"import('{scripts}text.js').then((t) => ({code})(t, {given}))")

    yield call
    page.close()


# ---------------------------------------------------------------- the text in numbers

TEXTS = [
    "one\r\ntwo\rthree\u2028four\n",
    "e\u0301te\u0301, 하늘 \u1112\u1161\u11ab, 😀👍🏽",
    "a\x00b\x07c\td",
    "half \ud83d of it",
    "가나다라마바사",
    "\ufeff'<&>\"_^",
]


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_a_text_is_read_alike(there, text):
    found = there("(t, text) => t.clean(text).join('')", text)
    assert found == own_text.clean(text)
    spelled, here = there("(t, text) => t.spell(t.clean(text))", text), own_text.spell(text)
    assert "".join(spelled["alphabet"]) == here.alphabet
    assert spelled["labels"] == here.labels.tolist()
    assert spelled["nothing"] == pytest.approx(here.nothing, abs=1e-12)
    assert spelled["often"] == pytest.approx(here.often, abs=1e-12)


def test_the_rarest_of_many_kinds_are_read_as_one(there):
    kinds = [chr(0xAC00 + k) for k in range(300)] + ["😀"]
    text = "".join(c * (1 + k % 3) for k, c in enumerate(kinds))
    spelled, here = there("(t, text) => t.spell(t.clean(text))", text), own_text.spell(text)
    assert "".join(spelled["alphabet"]) == here.alphabet
    assert len(here.alphabet) == own_text.KINDS
    assert spelled["labels"] == here.labels.tolist()
    assert spelled["rare"] + 1 == 301 - 255
    place = here.alphabet.index(own_text.UNKNOWN)
    unknown = {c for c, k in zip(text, here.labels, strict=True) if k == place}
    assert unknown == {c for k, c in enumerate(kinds) if k % 3 == 0 and k > 3 * 54}


FAULTS = {
    "": "empty",
    "\x00\x1b": "empty",
    "a": "one",
    "aaaa": "same",
    " \n \t": "spaces",
    "ab" * 25_000 + "a": "long",
    "ab": "",
    "ab" * 25_000: "",
}


@pytest.mark.parametrize("text", FAULTS, ids=lambda text: ascii(text[:6]))
def test_what_cannot_be_learned_is_named_on_both_sides(there, text):
    assert there("(t, text) => t.fault(t.clean(text))", text) == FAULTS[text]
    if FAULTS[text]:
        with pytest.raises(ValueError, match=r"text (has|is) .*, expected"):
            own_text.clean(text)


# ---------------------------------------------------------------- the run

RUN = """(t, [text, settings, updates]) => {
  const it = t.run(t.spell(t.clean(text)), settings);
  const lines = () => [0.2, 0.5, 1.5].map((temperature) => it.write(temperature, 80));
  const before = lines();
  const done = Array.from({ length: updates }, () => it.update());
  const all = (key) => done.map((u) => u[key]);
  const read = [1, 17, 500].map(it.read);
  return { E: all("E"), held: all("held"), lines: [before, lines()], read };
}"""
CASES = [
    (TEXT, {"layer": "gru", **SMALL}),
    (TEXT, {"layer": "lstm", **SMALL, "units": 9, "learning_rate": 0.03}),
    (TEXT, {"layer": "rnn", **SMALL, "streams": 32, "seed": 5}),
    ("하늘 아래 하나 😀 하늘 위에 둘 👍", {"layer": "gru", **SMALL}),  # nothing is held out
    ("ab", {"layer": "lstm", **SMALL}),
]


@pytest.fixture(scope="module", params=range(len(CASES)))
def both(request, there):
    """The same 50 updates on both sides."""
    text, given = CASES[request.param]
    run = own_text.Run(text, own_text.Settings(**given))
    before = [run.write(temperature) for temperature in (0.2, 0.5, 1.5)]
    updates = [run.update() for _ in range(50)]
    return there(RUN, [text, asdict(own_text.Settings(**given)), 50]), run, before, updates


def test_fifty_updates_are_the_same(both):
    found, run, _, updates = both
    assert np.allclose(found["E"], [u.E for u in updates], rtol=0, atol=1e-9)
    held = [u.held for u in updates]
    if run.kept:
        assert np.allclose(np.array(found["held"], float)[19:40:20], held[19:40:20], atol=1e-9)
    assert np.isnan(held[0])
    assert found["E"][-1] < found["E"][0]


def test_the_lines_are_the_same_character_by_character(both):
    found, run, before, _ = both
    after = [run.write(temperature) for temperature in (0.2, 0.5, 1.5)]
    assert found["lines"] == [before, after]
    assert before != after


def test_the_gradient_that_reaches_a_character_is_that_of_finite_differences(both):
    found, run, *_ = both
    layer, readout, labels = run.model.layer, run.model.readout, run.text.labels
    start = len(labels) - run.kept - 1 if run.kept else 0
    x = run.one_hot[labels[start : start + 119]][:, None]
    for read in found["read"]:
        t = read["t"]
        assert t == min(t, 500, len(x) - (not run.kept and len(labels) < 120))
        h, _, _ = layer.forward(x[:t])
        assert np.allclose(read["h"], h[-1, 0], atol=1e-9)
        y = readout.forward(h[-1])[0]
        chances = np.exp(y - y.max())
        assert np.allclose(read["chances"], chances / chances.sum(), atol=1e-9)
        target = labels[start + t]

        def loss(k, step, x=x, t=t, target=target):
            """E_t where h_k is moved by `step`, and c_k is not."""
            h, state, _ = layer.forward(x[:k])
            moved = h[-1] + step
            if k < t:
                state = (moved, state[1]) if isinstance(state, tuple) else moved
                moved = layer.forward(x[k:t], state)[0][-1]
            y = readout.forward(moved)[0]
            return np.log(np.exp(y - y.max()).sum()) + y.max() - y[target]

        for k in {1, max(1, t - 3), t}:
            steps = 1e-5 * np.eye(layer.hidden_size)
            slopes = [(loss(k, e) - loss(k, -e)) / 2e-5 for e in steps]
            assert read["reach"][k - 1] == pytest.approx(np.linalg.norm(slopes), rel=1e-5, abs=1e-9)


def test_lines_are_kept_at_round_numbers_of_updates(there):
    kept = there("(t) => [...Array(2100).keys()].filter(t.marked)", None)
    assert kept == [0, 10, 20, 50, 100, 200, 500, 1000, 2000]


def test_a_rate_of_ten_diverges_at_the_same_update(there):
    settings = own_text.Settings(**SMALL, learning_rate=10.0)
    code = """(t, [text, settings]) => {
      const it = t.run(t.spell(t.clean(text)), settings);
      for (let k = 1; ; k++) try { it.update(); } catch (error) { return [k, error.name]; }
    }"""
    at, kind = there(code, [TEXT, asdict(settings)])
    run = own_text.Run(TEXT, settings)
    for _ in range(at - 1):
        run.update()
    with pytest.raises(FloatingPointError, match=f"diverged at update {at}: .* smaller"):
        run.update()
    assert kind == "RangeError"


# ---------------------------------------------------------------- the figure


@pytest.fixture(scope="module")
def window(browser, tmp_path_factory):
    """One window for all tests: the figure with a small network. An error in the page fails."""
    path = tmp_path_factory.mktemp("writer") / "page.html"
    head = '<!doctype html><html lang="en"><meta charset="utf-8">'
    path.write_text(head + Writer(TEXT, **SMALL).to_html(), encoding="utf-8")
    page, trouble = browser.new_page(viewport={"width": 780, "height": 900}), []
    page.set_default_timeout(PATIENCE)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda r: r.url.startswith(("file:", "blob:", "data:")) or trouble.append(r))
    page.goto(path.as_uri())
    yield page
    page.close()
    assert trouble == []


@pytest.fixture
def page(window):
    button(window, "Reset").click()
    window.evaluate("document.querySelector('.more').open = false")
    settle(window)
    return window


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def says(page, words):
    """Wait until the summary says it."""
    page.wait_for_function(
        "(words) => document.querySelector('.summary').textContent.includes(words)", arg=words
    )
    return page.locator(".summary").inner_text()


def updates(page, least):
    """Wait until there were so many updates."""
    page.wait_for_function(
        """(least) => +(document.querySelector('.summary').textContent.replaceAll(',', '')
          .match(/after (\\d+) up/)?.[1] ?? 0) >= least""",
        arg=least,
    )


def write(page, text):
    """Put a text into the box and leave it."""
    page.locator("textarea").evaluate(
        """(box, text) => {
          box.value = JSON.parse(text);
          box.dispatchEvent(new Event("change"));
        }""",
        json.dumps(text),
    )
    settle(page)


def lines(page):
    """What the picture says, text by text."""
    return page.locator("svg").first.locator("text").all_text_contents()


def test_it_trains_line_by_line_pauses_and_begins_anew(page):
    run = own_text.Run(TEXT, own_text.Settings(**SMALL))
    assert "not trained yet" in says(page, run.write()[:20])
    button(page, "Train").click()
    updates(page, 20)
    button(page, "Pause").click()
    settle(page)
    shown = lines(page)
    bits = [run.update().E for _ in range(20)]
    line = run.write().replace("\n", "↵")
    assert f"20: {np.mean(bits):.2f} bits" in shown
    assert any(line.startswith(text) and len(text) > 40 for text in shown)
    stopped = page.locator(".summary").inner_text()
    button(page, "One update").click()
    page.wait_for_function(
        "(was) => document.querySelector('.summary').textContent !== was", arg=stopped
    )
    button(page, "New run with the next seed").click()
    says(page, "not trained yet")
    assert page.evaluate(STATE)["seed"] == 2
    assert "20: " not in "".join(lines(page))


SENTENCES = {
    "": "The box is empty. Type or paste a text, at least two characters.",
    "\x00": "The box is empty.",
    "a": "one character long",
    "aaa": "The text is “a” again and again.",
    "  \n ": "The text is nothing but spaces.",
    "ab" * 25_000 + "a": "The text has 50,001 characters. At most 50,000",
}


def test_a_text_that_cannot_be_learned_is_answered_by_a_sentence(page):
    for text, sentence in SENTENCES.items():
        write(page, text)
        assert sentence in page.locator(".summary").inner_text()
        assert sentence in page.locator(".note").inner_text()
        assert button(page, "Train").is_disabled()
        assert "NaN" not in page.locator(".rnnx").inner_html()
    write(page, "ab\ud83d\r\nab")
    assert "6 characters, 4 kinds" in page.locator(".note").inner_text()
    assert button(page, "Train").is_enabled()


def test_a_text_changed_while_it_trains_begins_a_new_run(page):
    button(page, "Train").click()
    updates(page, 2)
    text = "하늘 아래 하나, 하늘 위에 둘 😀. " * 3
    write(page, text)
    said = says(page, "not trained yet")
    assert not re.search("[\ud800-\udfff]", said)  # no character is cut in two
    assert own_text.Run(text, own_text.Settings(**SMALL)).write()[:10] in said
    button(page, "Train").click()
    updates(page, 30)
    button(page, "Pause").click()
    assert page.locator("svg tspan[style*=bold]").count() > 3  # words that the text has
    button(page, "Reset").click()
    settle(page)
    assert page.locator("textarea").input_value() == TEXT


def test_what_diverges_says_where_and_what_to_try(page):
    page.evaluate("document.querySelector('.rnnx').explorable.set({ learning_rate: 10 })")
    button(page, "Train").click()
    said = says(page, "diverged")
    assert "Try a smaller rate (now 10)." in said
    assert button(page, "Train").is_disabled()
    button(page, "New run with the next seed").click()
    says(page, "not trained yet")
    assert button(page, "Train").is_enabled()


def test_the_temperature_changes_what_an_untrained_and_a_trained_network_writes(page):
    first = lines(page)
    page.locator("input[name=temperature]").press("Home")
    settle(page)
    run = own_text.Run(TEXT, own_text.Settings(**SMALL))
    assert run.write(0.1)[:40].replace("\n", "↵") in "".join(lines(page))
    assert lines(page) != first
    button(page, "One update").click()
    updates(page, 1)
    run.update()
    page.locator("input[name=temperature]").press("End")
    hot = run.write(2.0, 240)[:40].replace("\n", "↵")
    page.wait_for_function(
        "(hot) => document.querySelector('svg').textContent.includes(hot)", arg=hot
    )


def test_a_character_is_looked_at_by_key_mouse_and_tap(page):
    page.evaluate("document.querySelector('.more').open = true")
    said = says(page, "At character 60 of the piece")
    assert re.search(r"half of the gradient falls on (the last \d+ char|this char)", said)
    page.locator("input[name=position]").press("ArrowRight")
    says(page, "At character 61 of the piece")
    picture = page.get_by_role("img", name="A piece of the text")
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    page.mouse.move(box["x"] + 13 * 9.5, box["y"] + 24 + 10)
    says(page, "At character 10 of the piece")
    page.mouse.click(box["x"] + 13 * 4.5, box["y"] + 24 + 10)
    said = says(page, "At character 5 of the piece")
    run = own_text.Run(TEXT, own_text.Settings(**SMALL))
    piece = run.text.labels[-run.kept - 1 :]
    y = run.model.predict(run.one_hot[piece[:5]][:, None])[-1, 0]
    p = np.exp(y) / np.exp(y).sum()
    c = run.text.alphabet[piece[5]].replace(" ", "␣")
    assert f"What comes: “{c}” {100 * p[piece[5]]:.0f} %." in said


def test_the_text_is_no_part_of_the_link_and_the_settings_are(page):
    write(page, "something private, something private")
    button(page, "Copy a link to this state").click()
    link = page.evaluate("location.hash")
    assert "units=6" in link
    assert "private" not in link
    assert "no link carries it" in page.locator(".note").inner_text()


def test_the_lines_can_be_saved(page):
    button(page, "One update").click()
    updates(page, 1)
    page.evaluate("document.querySelector('.more').open = true")
    with page.expect_download() as download:
        button(page, "Save the lines").click()
    rows = download.value.path().read_text(encoding="utf-8").splitlines()
    assert [row.split("\t")[0] for row in rows] == ["0", "1"]
    assert rows[1].split("\t")[2].startswith("T")


@pytest.mark.parametrize("width", [288, 780])
def test_no_texts_meet_while_it_learns(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate("document.querySelector('.more').open = true")
    button(page, "Train").click()
    updates(page, 100)
    button(page, "Pause").click()
    settle(page)
    assert meeting(page.locator(".rnnx")) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 780, "height": 900})
    drawn(page)


def test_without_a_worker_it_trains_in_slices(browser, tmp_path):
    path = tmp_path / "page.html"
    refuse = "<script>globalThis.Worker = class { constructor() { throw new Error(); } };</script>"
    path.write_text(f"<!doctype html><meta charset=utf-8>{refuse}{Writer(TEXT, **SMALL).to_html()}")
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(path.as_uri())
    page.get_by_role("button", name="Train", exact=True).press("Enter")  # by the keyboard
    updates(page, 10)
    page.evaluate("document.querySelector('.rnnx').explorable.leave()")
    page.close()


# ---------------------------------------------------------------- the widget


def test_the_module_of_the_widget_runs_as_it_is(there):
    """Every name of the kit, the engine and the figure stands for one thing."""
    code = """async (t, source) => {
      const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
      return Object.keys((await import(address)).default);
    }"""
    assert there(code, base.module("writer")) == ["render"]


def test_the_text_is_a_trait_that_can_be_set_read_and_reset():
    figure = Writer("one text of my own")
    assert figure.text == "one text of my own"
    figure.text = "another"
    assert figure.text == "another"
    for bad, words in [("", "text has 0"), ("aa", "again and again"), (7, "text is a int")]:
        with pytest.raises(traitlets.TraitError, match=words):
            figure.text = bad
        with pytest.raises(traitlets.TraitError, match=words):
            Writer(bad)
    assert figure.text == "another"
    figure.reset()
    assert figure.text == "one text of my own"
    assert "text" not in figure.state
    assert "text" in figure.keys  # the page has it
    assert Writer().text == tea_party()


def test_the_starts_of_the_figure_are_those_of_python():
    settings = asdict(own_text.Settings())
    assert {key: Writer().state[key] for key in settings} == settings


def test_the_figure_and_its_work_are_small():
    sizes = [len(base.source(name).encode()) for name in ("writer.js", "text.js")]
    assert sum(sizes) <= LIMIT

"""Activations: the gradient is that of the equations, and the page computes as Python does."""

import numpy as np
import pytest
import traitlets
from browsers import settle

from rnncourse import LSTM, RNN, Model, Readout, Stack
from rnncourse import equations as eq
from rnncourse.experiments import characters

act = pytest.importorskip("rnncourse.explorables.activations", reason="anywidget is not installed")

KINDS = {"LSTM": LSTM, "RNN": RNN}


def network(kind, alphabet="ab c", hidden=5, seed=0):
    rng = np.random.default_rng(seed)
    layer = KINDS[kind](len(alphabet), hidden, rng=rng)
    layer.params["b_h"][:] += rng.normal(size=layer.params["b_h"].shape)
    readout = Readout(hidden, len(alphabet), rng=rng)
    readout.params["b_y"][:] = rng.normal(size=len(alphabet))
    return Model(layer, readout)


def figure(kind, **values):
    rng = np.random.default_rng(1)
    text = "".join(rng.choice(list("ab c"), 40))
    return act.Activations(network(kind), text, "ab c", **values)


@pytest.fixture(params=["saved", "LSTM", "RNN"])
def shown(request):
    return act.Activations() if request.param == "saved" else figure(request.param)


def value(model, x, unit, part):
    """Entry `unit` of c_T or h_T, by the equations."""
    layer = model.layer
    h = c = np.zeros(layer.hidden_size)
    for x_t in x:
        if isinstance(layer, RNN):
            h = eq.hidden_state(x_t, h, *layer.params.values())
            continue
        a = {q: (x_t, h, *layer.gate(q).values()) for q in "fiog"}
        f, i, o = eq.forget_gate(*a["f"]), eq.input_gate(*a["i"]), eq.output_gate(*a["o"])
        c = eq.cell_state(f, c, i, eq.candidate(*a["g"]))
        h = eq.lstm_hidden(o, c)
    return {"c": c, "h": h}[part][unit - 1]


def test_states_and_probabilities_are_those_of_the_equations(shown):
    states = act.states(shown.model, shown.x)
    assert tuple(states) == shown.parts
    for part, unit, t in ((shown.parts[0], 2, 9), ("h", 5, 17)):
        found = states[part][t - 1, unit - 1]
        assert found == pytest.approx(value(shown.model, shown.x[:t], unit, part), abs=1e-12)
    y = eq.output(states["h"][8], *shown.model.readout.params.values())
    p = act.probabilities(shown.model, shown.x)
    assert np.allclose(p[8], np.exp(y) / np.exp(y).sum(), rtol=0, atol=1e-12)
    assert np.allclose(p.sum(axis=1), 1)


def test_the_gradient_is_that_of_finite_differences(shown):
    for part in shown.parts:
        norms = act.gradient_back(shown.model, shown.x, 12, 3, part)
        assert norms.shape == (12,)
        for k in (1, 7, 12):
            slopes = []
            for entry in range(len(shown.alphabet)):
                step = np.zeros_like(shown.x)
                step[k - 1, entry] = 1e-6
                up, down = (shown.x + step)[:12], (shown.x - step)[:12]
                both = [value(shown.model, x, 3, part) for x in (up, down)]
                slopes.append((both[0] - both[1]) / 2e-6)
            assert norms[k - 1] == pytest.approx(np.linalg.norm(slopes), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("norms", "n"),
    [([5], 1), ([1, 1], 1), ([2, 1, 1], 2), ([4, 1, 1], 3), ([9, 0, 0, 1, 1], 5), ([0, 0], 0)],
)
def test_reach_is_the_fewest_newest_with_half(norms, n):
    assert act.reach(np.array(norms, float)) == n


def test_the_page_computes_the_same(js, shown):
    data = shown.data()
    ids = [shown.alphabet.index(c) for c in shown.text]
    [net] = js("activations", "unpack", [[data]])
    for name, W in shown.model.params.items():
        assert np.array_equal(np.reshape(net[name], W.shape), W)
    [steps] = js("activations", "forward", [[net, ids]])
    states = act.states(shown.model, shown.x)
    for part in shown.parts:
        assert np.abs(np.subtract([s[part] for s in steps], states[part])).max() < 1e-12
    there = js("activations", "probabilities", [[net, s["h"]] for s in steps])
    assert np.abs(there - act.probabilities(shown.model, shown.x)).max() < 1e-12
    T, H = shown.sizes["position"], shown.sizes["unit"]
    rng = np.random.default_rng(2)
    cases = [(1, 1, shown.parts[0]), (T, H, "h"), (T, H, shown.parts[0])]
    places = rng.integers(1, [T + 1, H + 1], (2, 2)).tolist()
    cases += [(*place, part) for place, part in zip(places, shown.parts, strict=False)]
    gradients = js("activations", "gradientBack", [[net, steps, *case] for case in cases])
    here = [act.gradient_back(shown.model, shown.x, *case) for case in cases]
    for one, other in zip(gradients, here, strict=True):
        assert np.allclose(one, other, rtol=1e-10, atol=1e-12)
    reaches = [act.reach(norms) for norms in here]
    assert js("activations", "reach", [[g] for g in gradients]) == reaches
    assert js("activations", "reach", [[[0, 0]], [[4, 1, 1]], [[2, 1, 1]]]) == [0, 3, 2]


def test_lines_hold_each_character_once_and_end_after_a_space(js):
    cases = [[list(characters.TEXT), n] for n in (27, 54, 200)] + [[list("abcdefgh ij"), 3]]
    for lines, (text, columns) in zip(js("activations", "wrap", cases), cases, strict=True):
        assert [k for line in lines for k in line] == list(range(len(text)))
        assert all(0 < len(line) <= columns for line in lines)
        if columns > 3:
            assert all(text[line[-1]] == " " for line in lines[:-1])
    assert [len(line) for line in lines] == [3, 3, 3, 2]


def test_ranges_follow_the_text_and_the_network():
    shown = figure("RNN")
    traits = shown.spec()["traits"]
    assert (traits["unit"]["high"], traits["position"]["high"]) == (5, 40)
    assert (traits["position"]["default"], traits["show"]["options"]) == (40, ["h"])
    for key, wrong, expected in [
        ("unit", 6, "unit is 6, expected a whole number from 1 to 5"),
        ("position", 41, "position is 41, expected a whole number from 1 to 40"),
        ("position", 0, "position is 0, expected a whole number from 1 to 40"),
        ("show", "c", "show is 'c', expected one of 'h'"),
    ]:
        with pytest.raises(traitlets.TraitError, match=expected):
            setattr(shown, key, wrong)
        with pytest.raises(traitlets.TraitError, match=expected):
            figure("RNN", **{key: wrong})
    shown.unit, shown.position = 3, 7
    shown.reset()
    assert shown.state == {"unit": 1, "show": "h", "position": 40, "gradient": False}
    assert act.Activations().state == act.PRESETS["quotation"] | {"gradient": False}
    assert act.Activations(text="the sun").state["position"] == 7


def test_the_models_weights_are_copied_and_rounded():
    model = network("LSTM")
    before = model.params["W_hh"].copy()
    shown = act.Activations(model, "ab", "ab c")
    model.params["W_hh"][:] = 0
    assert np.array_equal(shown.model.params["W_hh"], before.astype(np.float32))
    assert len(act.Activations().data()["weights"]) < 25_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("x", "ab", "ab c"), "model is a str, expected a Model"),
        ((None, None, "ab"), "alphabet is given without a model, expected both or none"),
        ((None, "the Sun"), "text has 'S' as character 5, expected one of ' .“”"),
        ((None, "t"), "text has 1 characters, expected 2 to 400"),
        ((None, "t" * 401), "text has 401 characters, expected 2 to 400"),
        ((None, 7), "text is 7, expected a str"),
        ((network("LSTM"), "ab"), "alphabet is None, expected the model's 4 characters as a str"),
        ((network("LSTM"), "ab", "abc"), "alphabet has 3 characters, expected the model's 4"),
        ((network("LSTM"), "ab", "abca"), "alphabet has 'a' twice, expected each character once"),
        ((network("LSTM"), None, "ab c"), "text is None, expected a str"),
        ((network("LSTM", hidden=65), "ab", "ab c"), "model has 65 units, expected at most 64"),
    ],
)
def test_what_does_not_fit_is_named(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        act.Activations(*arguments)


def test_other_models_are_named():
    rng = np.random.default_rng(0)
    stack, two = Stack(LSTM(4, 3, rng=rng), LSTM(3, 3, rng=rng)), Readout(3, 2, rng=rng)
    layer, readout = LSTM(4, 3, rng=rng), Readout(3, 4, rng=rng)
    for model, message in [
        (Model(stack, readout), "model has a Stack, expected an RNN or LSTM"),
        (Model(layer, two), "model has 4 inputs and 2 outputs, expected as many of both"),
        (Model(layer, readout, loss="squared_error"), "many-to-many with squared_error, expected"),
        (Model(layer, readout, arrangement="many-to-one"), "many-to-one with cross_entropy"),
    ]:
        with pytest.raises((TypeError, ValueError), match=message):
            act.Activations(model, "ab", "ab c")


def says(page, shown):
    """Compare the page's summary with Python, as soon as it speaks of this unit and character."""
    x, t, part = shown.x, shown.position, shown.show
    place = f"Unit {shown.unit} at character {t} of {len(x)}, "
    code = "(place) => document.querySelector('.summary').textContent.includes(place)"
    page.wait_for_function(code, arg=place, timeout=120_000)
    settle(page)
    said = page.inner_text(".summary")
    held = act.states(shown.model, x)[part][t - 1, shown.unit - 1]
    back = act.reach(act.gradient_back(shown.model, x, t, shown.unit, part))
    assert place in said
    assert f": {part}t = {held:.2f}".replace("-", "−") in said
    assert ("this character alone" if back == 1 else f"the last {back} characters.") in said
    p = act.probabilities(shown.model, x)[t - 1]
    for k in p.argsort()[::-1][:3]:
        c = "a space" if shown.alphabet[k] == " " else f"“{shown.alphabet[k]}”"
        assert f"{c} ({100 * p[k]:.1f} %)".replace("(0.0", "(<0.1") in said


def test_the_summary_says_what_python_computes(twin):
    for values in (
        {},
        {"unit": 1, "position": 113},
        {"position": 188},
        {"show": "h"},
        {"position": 1},
    ):
        shown = act.Activations(**values)
        says(twin(shown), shown)
    assert "The text ends here" in twin(act.Activations(position=188)).inner_text(".rnnx")
    for kind in KINDS:
        shown = figure(kind, unit=2, position=23)
        page = twin(shown)
        says(page, shown)
        assert page.locator("input[type=radio]").count() == (2 if kind == "LSTM" else 0)
        assert not page.get_by_role("button", name="Quotation").count()
        assert not page.locator("[aria-describedby]").count()


def test_the_sliders_and_the_mouse_choose_a_character(twin):
    shown = act.Activations()
    page = twin(shown)
    slider = page.locator("input[name=position]")
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    shown.position = 42
    says(page, shown)
    page.get_by_role("button", name="Bracket").click()
    says(page, act.Activations(**act.PRESETS["bracket"]))

    box = page.locator("svg").first.bounding_box()
    x, y = box["x"] + 13 * 9.5, box["y"] + 28 + 20  # the tenth character, in the first line
    page.mouse.move(x, y)
    shown.unit, shown.position = 1, 10
    says(page, shown)
    page.mouse.move(x, box["y"] - 40)  # away: the chosen character is back
    says(page, act.Activations(**act.PRESETS["bracket"]))
    page.mouse.click(x, y)
    page.mouse.move(x, box["y"] - 40)
    says(page, shown)
    assert slider.input_value() == "10"


def write(page, text):
    box = page.locator("textarea")
    box.fill(text)
    box.dispatch_event("change")
    settle(page)


def test_a_text_can_be_typed_and_what_does_not_fit_is_named(twin):
    page = twin(act.Activations())
    write(page, 'the wet sun said "oh so wet".\n')
    typed = "the wet sun said “oh so wet”. "
    assert page.locator("textarea").input_value() == typed
    shown = act.Activations(text=typed, unit=7, show="c", position=len(typed))
    says(page, shown)
    slider = page.locator("input[name=position]")
    slider.press("ArrowLeft")
    shown.position -= 1
    says(page, shown)
    page.get_by_role("button", name="Step ▶").or_(page.get_by_label("one step on")).first.click()
    shown.position += 1
    says(page, shown)
    for text, words in (
        ("the sun Shines", "S is none of its characters. This network knows ␣ . “ ” ( ) [ ] a d"),
        ("t", "The text has 1 characters, expected 2 to 188."),
        ("t" * 189, "The text has 189 characters, expected 2 to 188."),
        ("", "The text has 0 characters, expected 2 to 188."),
    ):
        write(page, text)
        assert words in page.locator(".note").inner_text()
        says(page, shown)  # the text before is still there
    page.get_by_role("button", name="Bracket").click()
    says(page, act.Activations(**act.PRESETS["bracket"]))
    assert page.locator("textarea").input_value() == characters.TEXT
    write(page, "the sun")
    page.get_by_role("button", name="Reset").click()
    says(page, act.Activations())


def test_a_text_of_awkward_characters_is_shown_as_it_is(twin):
    alphabet = '<&_^\n"> 😀'
    model = network("LSTM", alphabet)
    page = twin(act.Activations(model, '<&_^\n"> 😀<_^&', alphabet, position=4))
    written = "".join(page.locator("svg text[style*=pre]").all_text_contents())
    assert written == '<&_^↵"> 😀<_^&'
    settle(page)
    assert "at character 4 of 13, a caret: " in page.inner_text(".summary")


# Of every path in the picture: its class, its opacity and its pieces [x, from, x, to].
PIECES = """() => [...document.querySelectorAll(".rnnx > .panels path")].map((path) => [
  path.getAttribute("class"), Number(path.style.opacity || 1),
  (path.getAttribute("d") ?? "").split("M").slice(1)
    .map((piece) => piece.split(/[L ]/).map(Number)),
])"""


def pieces(page, kind, opacity=None):
    """Return the pieces of all paths of a kind, but for the samples beside the unit's number."""
    found = page.evaluate(PIECES)
    rows = [p for cls, o, p in found if cls == kind and opacity in (None, o)]
    return [piece for row in rows for piece in row if piece[1] > 50]


@pytest.mark.parametrize("width", [390, 780])
@pytest.mark.parametrize("gradient", [False, True])
def test_no_line_goes_through_the_letters(twin, width, gradient):
    page = twin(act.Activations(position=188, gradient=gradient), width=width, more=False)
    rows = page.locator(".rnnx > .panels text[style*=pre]").evaluate_all(
        "all => all.map((e) => Number(e.getAttribute('y')))"
    )
    assert len(rows) >= 4
    drawn = [piece for _, _, row in page.evaluate(PIECES) for piece in row]
    assert len(drawn) > 188
    for _, one, _, other in drawn:
        for baseline in rows:  # from the top of the letters to the foot of their brackets
            assert min(one, other) >= baseline + 3 or max(one, other) <= baseline - 11


def test_bars_stand_up_where_the_unit_is_above_0_and_hang_down_where_it_is_below(twin):
    shown = act.Activations(position=60)
    page = twin(shown, width=390, more=False)
    held = act.states(shown.model, shown.x)["c"][:, 6]
    for kind, sign in (("hidden", 1), ("output", -1)):
        for part, opacity in ((held[:60], 0.85), (held[60:], 0.3)):  # what is not yet read is faint
            bars = pieces(page, kind, opacity)
            own = part[sign * part > 0]
            assert len(bars) == len(own)
            for (_, foot, _, end), value in zip(bars, own, strict=True):
                assert foot - end == pytest.approx(13 * np.tanh(value), abs=0.11)


def test_the_gradient_back_takes_the_place_of_the_bars_and_half_of_it_is_underlined(twin):
    shown = act.Activations(position=62)
    page = twin(shown, width=390, more=False)
    page.check("input[name=gradient]")
    settle(page)
    norms = act.gradient_back(shown.model, shown.x, 62, 7, "c")
    bars = pieces(page, "error")
    assert len(bars) == 62
    for (_, foot, _, end), norm in zip(bars, norms, strict=True):
        assert foot - end == pytest.approx(13 * norm / norms.max(), abs=0.11)
    assert len(pieces(page, "error thick")) == act.reach(norms) == 2
    assert not pieces(page, "hidden") + pieces(page, "output")


def test_the_unit_is_named_in_the_picture_with_what_it_holds(twin):
    shown = act.Activations()
    page = twin(shown, width=390, more=False)
    head = page.locator(".rnnx > .panels text").first
    assert head.text_content() == "Unit 7: ct = 1.33"
    page.locator("input[name=unit]").press("ArrowRight")
    settle(page)
    held = act.states(shown.model, shown.x)["c"][39, 7]
    assert head.text_content() == f"Unit 8: ct = {held:.2f}".replace("-", "−")


def test_play_reads_on(twin):
    page = twin(act.Activations(position=185), width=390, more=False)
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function("document.querySelector('.rnnx').explorable.state.position === 188")
    page.get_by_role("button", name="Play", exact=True).wait_for()
    settle(page)
    assert not pieces(page, "hidden", 0.3) + pieces(page, "output", 0.3)


@pytest.mark.parametrize("gradient", [False, True])
def test_on_a_phone_the_picture_and_what_works_it_fit_at_once(twin, gradient):
    page = twin(act.Activations(gradient=gradient), width=390, more=False)
    bottom = page.evaluate(
        """() => document.querySelector(".rnnx > .controls").getBoundingClientRect().bottom
        - document.querySelector(".rnnx").getBoundingClientRect().top"""
    )
    assert bottom <= 650
    assert page.locator(".rnnx").bounding_box()["height"] <= 850

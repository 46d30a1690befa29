"""What all explorables share: values are checked, twins are whole, copies do not meet."""

import json
import random
import re
from urllib.parse import quote, unquote

import numpy as np
import pytest

pytest.importorskip("anywidget", reason="anywidget is not installed")
from browsers import PATIENCE, follow, nudge, open_more, settle
from stills import CLASSES, still
from traitlets import TraitError

from rnncourse import RNN, Model, Readout
from rnncourse.explorables import Activations, Carousel, Cliff, GradientByLag, OneUnit, Unroll, base

EACH = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.name)
LIMIT = 12_000  # bytes
LIMITS = {"playground": 45_000, "writer": 33_000}  # with what their workers run


def page_with(browser, tmp_path, *figures, clock=False):
    """Open a page of figures; with `clock`, its time can be moved on."""
    path = tmp_path / "page.html"
    twins = "".join(figure.to_html() for figure in figures)
    path.write_text(f"<!doctype html><meta charset=utf-8>{twins}<p>the end", encoding="utf-8")
    page = browser.new_page(viewport={"width": 780, "height": 900})
    page.set_default_timeout(PATIENCE)
    if clock:
        page.clock.install()
    page.goto(path.as_uri())
    settle(page)
    return page


def test_all_ten_are_there():
    names = ["unroll", "unit", "paths", "lag", "cliff", "gates", "carousel", "activations"]
    names += ["playground", "writer"]
    assert [cls.name for cls in CLASSES] == names


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (5, r"w is 5, expected a number from -3.0 to 3.0"),
        (-3.1, r"w is -3.1, expected a number from"),
        (float("nan"), r"w is nan, expected"),
        (float("inf"), r"w is inf, expected"),
        ("2", r"w is '2', expected a number"),
        (True, r"w is True, expected"),
        (None, r"w is None, expected"),
        ([1.0], r"w is \[1.0\], expected"),
    ],
)
def test_a_number_out_of_its_range_is_refused_and_the_old_one_stays(value, words):
    figure = OneUnit(w=1.5)
    with pytest.raises(TraitError, match=words):
        figure.w = value
    assert figure.w == 1.5
    with pytest.raises(TraitError, match=words):
        OneUnit(w=value)


@EACH
def test_each_value_says_what_is_allowed(cls):
    figure = cls()
    for key, trait in cls.values().items():
        kept = getattr(figure, key)
        for bad in (1e99, "nonsense", None, [], {}):
            with pytest.raises(TraitError, match=rf"{key}.* expected"):
                setattr(figure, key, bad)
        spec = trait.spec()
        if spec["kind"] == "numbers":
            with pytest.raises(TraitError, match=rf"{key}\[0\] is .*, expected"):
                setattr(figure, key, [spec["high"] + 1, *kept[1:]])
            with pytest.raises(TraitError, match=rf"{key} is .*, expected .* numbers, not"):
                setattr(figure, key, [spec["low"]] * (spec["max"] + 1))
        assert getattr(figure, key) == kept


def test_a_whole_number_takes_no_fraction_and_numpy_is_welcome():
    figure = OneUnit(w=np.float32(1.5), steps=np.int64(7))
    assert (figure.w, figure.steps) == (1.5, 7)
    assert type(figure.w) is float
    assert type(figure.steps) is int
    with pytest.raises(TraitError, match=r"steps is 2\.5, expected a whole number from 0 to 40"):
        figure.steps = 2.5


def test_a_list_is_copied_and_cannot_be_changed_in_place():
    given = np.full(40, 0.5)
    figure = Carousel(gates=given)
    given[0] = 0.7
    assert figure.gates == (0.5,) * 40
    with pytest.raises(TypeError):
        figure.gates[0] = 99
    for bad in (np.array(0.5), b"abc", [[0.5] * 40], {0.5}):
        with pytest.raises(TraitError, match=r"gates.* is .*, expected a"):
            figure.gates = bad


def test_numpy_scalars_are_welcome_as_choices():
    assert GradientByLag(network=np.int64(2)).network == 2


def test_an_unknown_name_is_refused_with_those_that_exist():
    with pytest.raises(TraitError, match="v is no value of this figure, expected w, b, u"):
        OneUnit(v=1)


@EACH
def test_reset_and_repr(cls):
    figure = cls()
    first = figure.state
    assert repr(figure) == f"{cls.__name__}()"
    for key in cls.values():
        spec = figure.spec()["traits"][key]
        if spec["kind"] == "number" and spec["low"] < spec["high"]:
            setattr(figure, key, spec["low"] if first[key] != spec["low"] else spec["high"])
            assert f"{key}=" in repr(figure)
        assert figure.spec()["traits"][key]["default"] == first[key]
    figure.reset()
    assert figure.state == first


def test_a_reset_returns_to_what_was_given():
    figure = Cliff(updates=10, learning_rate=np.float64(0.25))
    assert figure.spec()["traits"]["updates"]["default"] == 10
    figure.updates, figure.w = 150, 5.0
    figure.reset()
    assert (figure.updates, figure.learning_rate, figure.w) == (10, 0.25, Cliff().w)
    assert repr(figure) == "Cliff(learning_rate=0.25, updates=10)"


@EACH
def test_the_module_is_small_and_names_no_address(cls):
    kit = base.module("kit")
    whole = base.module(cls.name)
    assert whole.startswith(kit)
    work = base.work_script() if cls.name == "playground" else ""
    limit = LIMITS.get(cls.name, LIMIT)
    assert len(whole.encode()) - len(kit.encode()) + len(work.encode()) <= limit
    assert "://" not in whole
    assert "import " not in whole


def test_the_kit_is_small():
    for name, limit in (("draw.js", LIMIT / 2), ("kit.js", LIMIT), ("kit.css", LIMIT / 2)):
        assert len(base.source(name).encode()) <= limit
    assert len(base.kit_script().encode()) <= 18_500


@EACH
def test_the_twin_is_whole_and_the_same_each_time(cls):
    text = cls().to_html()
    assert text == cls().to_html()
    assert not re.search(r"\bsrc=\"(?!data:)|href=", text)
    # Classic scripts, which run at once: one with the kit, one for the figure.
    assert re.findall(r"</?script\b[^>]*>", text) == ["<script>", "</script>"] * 2
    assert "<style" not in text
    [address] = re.findall(r'src="([^"]*)"', text)
    assert re.fullmatch(r"[\w%/:;,.()?!'*+~=@$&#-]+", address.replace("&#x27;", "'"))
    state = re.search('data-state="([^"]*)"', text)[1].replace("&quot;", '"')
    assert json.loads(state) == json.loads(json.dumps(cls().state))
    assert len(base.words()[cls.name]["still"]) > 40


def test_the_catalogue_has_no_word_too_many_and_none_is_missing():
    for cls in CLASSES:
        own = (base.FOLDER / f"{cls.name}.py").read_text(encoding="utf-8")
        names = {key: value for key, value in cls().data().items() if key != "work"}
        code = base.module(cls.name) + own + json.dumps(names)  # of its presets, for example
        known = {"title", "still", *cls.values()}
        known |= {str(o) for v in cls.values().values() for o in getattr(v, "options", [])}
        for key in base.words()[cls.name]:
            # Some keys are put together, from the name of a value and of its option for example.
            for part in key.split("."):
                used = part in known or re.search(rf"\b{re.escape(part.rstrip('0123'))}\b", code)
                assert used, f"{cls.name}: {key} is not used"


@EACH
def test_two_copies_on_a_page_do_not_disturb_each_other(cls, browser, tmp_path):
    page = page_with(browser, tmp_path, cls(), cls())
    both = page.locator(".rnnx")
    assert both.count() == 2
    before = [copy.evaluate("e => ({ ...e.explorable.state })") for copy in both.all()]
    nudge(both.first.locator("input[type=range]:visible:enabled").first)
    settle(page)
    after = [copy.evaluate("e => ({ ...e.explorable.state })") for copy in both.all()]
    assert after[0] != before[0]
    assert after[1] == before[1] == before[0]
    # The second copy's link has a name of its own.
    both.nth(1).get_by_role("button", name="Link").click()
    assert page.evaluate("location.hash").startswith(f"#explore-{cls.name}-2?")
    page.close()


@EACH
def test_the_still_is_the_figure_in_its_first_state(cls, browser):
    saved = (base.FOLDER / "stills" / f"{cls.name}.svg").read_text(encoding="utf-8")
    assert saved == still(browser, cls), "`make stills` draws it again"


def test_every_choice_shows_on_a_page_of_several_figures(browser, tmp_path):
    page = page_with(browser, tmp_path, *(cls() for cls in CLASSES), Unroll())
    sets = page.locator(".rnnx fieldset").all()
    assert len(sets) > 6
    assert all(one.locator(":checked").count() == 1 for one in sets)
    page.close()


def reader(text):
    """An untrained reader of a text of its own."""
    alphabet = "".join(sorted(set(text)))
    rng = np.random.default_rng(0)
    D = len(alphabet)
    return Activations(Model(RNN(D, 3, rng=rng), Readout(3, D, rng=rng)), text, alphabet)


def test_each_copy_keeps_its_own_data_whatever_the_text(browser, tmp_path):
    texts = ["abcabcabc", "<!--<script>a</script>&amp;\"'", "“é漢\u2028😀”"]
    page = page_with(browser, tmp_path, *map(reader, texts))
    shown = page.locator(".rnnx").all()
    assert [one.evaluate("e => e.explorable.data.text") for one in shown] == texts
    assert page.get_by_text("the end").count() == 1
    page.close()


STATE = "({ ...document.querySelector('.rnnx').explorable.state })"


def test_a_link_followed_within_the_page_is_heard(browser, tmp_path):
    page = page_with(browser, tmp_path, OneUnit())
    for link, w in (("w=1.5", 1.5), ("w=99", 1.5), ("steps=2.5", 1.5), ("w=-2&steps=3", -2)):
        follow(page, f"#explore-unit?{link}")
        assert page.evaluate(STATE)["w"] == w, link
    assert page.evaluate(STATE)["steps"] == 3
    page.close()


def test_a_figure_does_not_grow_with_each_change(browser, tmp_path):
    page = page_with(browser, tmp_path, OneUnit())
    heights = set()
    for steps in (3, 4, 5, 6):
        page.evaluate("(k) => document.querySelector('.rnnx').explorable.set({ steps: k })", steps)
        settle(page)
        heights.add(page.evaluate("document.querySelector('.rnnx').offsetHeight"))
    assert len(heights) == 1
    page.close()


def at_random(cls):
    """A figure with other values than its first, wherever its values let it."""
    draw = random.Random(5)
    figure = cls()
    for key, trait in figure.spec()["traits"].items():
        if trait["kind"] == "choice":
            value = draw.choice(trait["options"])
        elif trait["kind"] == "truth":
            value = draw.random() < 0.5
        else:
            ends = [trait["low"], trait["high"]]
            value = draw.choice(ends)
            if trait["kind"] == "numbers":
                value = [draw.choice(ends) for _ in range(trait["min"])]
        setattr(figure, key, value)
    return figure


# What becomes of a link on its way, as functions of its fragment.
WAYS = {
    "untouched": lambda link: link,
    "a campaign's name": lambda link: f"{link}&utm_source=x&utm_medium=email",
    "a campaign's name after ?": lambda link: f"{link}?utm_source=x",
    "a campaign's name first": lambda link: link.replace("?", "?utm_source=x&"),
    "all encoded": lambda link: quote(unquote(link), safe=""),
    "encoded, small letters": lambda link: quote(unquote(link), safe="").replace("%2C", "%2c"),
    "encoded twice": lambda link: quote(quote(link, safe=""), safe=""),
    "only ? encoded": lambda link: link.replace("?", "%3F"),
    "only = encoded": lambda link: link.replace("=", "%3D"),
    "only & encoded": lambda link: link.replace("&", "%26"),
    "nothing encoded": lambda link: unquote(link),
    "as HTML": lambda link: link.replace("&", "&amp;"),
    "as HTML, encoded": lambda link: quote(link.replace("&", "&amp;"), safe=""),
    "spaces as +": lambda link: link.replace("%2C", ",+").replace("&", "+&+").replace("?", "?+"),
    "spaces": lambda link: link.replace("%2C", ",%20").replace("=", "%20=%20"),
    "broken into lines": lambda link: link[:30] + "%0D%0A" + link[30:],
    "the end of a sentence": lambda link: link + ".",
    "in brackets": lambda link: link + "%3E),",
}


# For each link the state after a reset, and the state after the link was followed.
ARRIVE = f"""async (links) => {{
  const follow = (link) => new Promise((done) => {{
    addEventListener("hashchange", () => done(), {{ once: true }}); // the figures were first
    location.hash = link;
  }});
  const reset = [...document.querySelectorAll("button")].find((b) => b.textContent === "Reset");
  const found = [];
  for (const link of links) {{
    await follow("elsewhere");
    reset.click();
    const before = {STATE};
    await follow(link);
    found.push([before, {STATE}]);
  }}
  return found;
}}"""


@EACH
def test_a_link_survives_its_way(cls, browser, tmp_path):
    page = page_with(browser, tmp_path, at_random(cls))
    sent = page.evaluate(STATE)
    page.get_by_role("button", name="Link").click()
    link = page.evaluate("location.hash.slice(1)")
    page.get_by_role("button", name="Reset").click()
    first = page.evaluate(STATE)
    assert sent != first
    links = [way(link) for way in WAYS.values()]
    for name, (reset, arrived) in zip(WAYS, page.evaluate(ARRIVE, links), strict=True):
        assert reset == first
        assert arrived == sent, name
    page.close()


# Each link sets w to 1.5 and steps to 3, whatever else is wrong.
HALF_GOOD = [
    "w=1.5&steps=3&b=99",
    "b=99&w=1.5&steps=3",
    "w=1.5&b=x&steps=3",
    "w=1.5&b&steps=3",
    "w=1.5&b=&steps=3",
    "w=1.5&b=1=1&h0=0 5&steps=3",
    "w=1.5&b=%E0%A4%A&steps=3",
    "w=1.5&b=%&steps=3",
    "w=1.5&b=1e-&steps=3",
    "w=1.5&b=0x1&steps=3",
    "w=1.5&b=Infinity&steps=3",
    "w=1.5&__proto__=1&constructor=2&toString=3&steps=3",
    "w=1.5&W=2&steps=3&steps=2.5",
    "&&w=1.5&&steps=3&",
    "?w=1.5?steps=3?",
]


@pytest.mark.parametrize("link", HALF_GOOD)
def test_one_bad_value_of_a_link_does_not_spoil_the_others(browser, tmp_path, link):
    path = tmp_path / "page.html"
    text = f"<!doctype html><meta charset=utf-8>{OneUnit().to_html()}"
    path.write_text(text, encoding="utf-8")
    page, errors = browser.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{path.as_uri()}#explore-unit?{link}")
    page.wait_for_selector(".rnnx .summary")
    assert page.evaluate(STATE) == OneUnit(w=1.5, steps=3).state
    assert errors == []
    page.close()


NOT_FOR_IT = ["", "?", "unit?w=1", "explore-unit", "explore-unit?", "explore-unit-2?w=1", "%3Fw=1"]


def test_a_link_to_elsewhere_sets_nothing(browser, tmp_path):
    page = page_with(browser, tmp_path, OneUnit())
    first = page.evaluate(STATE)
    for index, link in enumerate(NOT_FOR_IT):
        follow(page, f"between-{index}")
        follow(page, link)
        assert page.evaluate(STATE) == first, link
    page.close()


@pytest.mark.parametrize(
    ("widget", "visible"),
    [
        ("Error displaying widget: model not found", False),
        ('<div class="lm-Widget"><p>The figure</p></div>', True),
    ],
)
def test_beside_a_twin_the_error_of_a_lost_widget_is_hidden_and_a_widget_is_not(
    browser, tmp_path, widget, visible
):
    # JupyterLab 3 gives this class to whatever stands for a widget, JupyterLab 4 to errors alone.
    panel = f'<div class="lm-Panel jupyter-widgets">{widget}</div>'
    output = '<div class="jp-OutputArea-child">{}</div>'
    path = tmp_path / "outputs.html"
    text = output.format(OneUnit().to_html()) + output.format(panel)
    path.write_text(f"<!doctype html><meta charset=utf-8>{text}", encoding="utf-8")
    page = browser.new_page()
    page.goto(path.as_uri())
    assert page.locator(".jupyter-widgets").is_visible() is visible
    page.close()


def test_a_narrower_page_in_print_cuts_nothing(browser, tmp_path):
    page = page_with(browser, tmp_path, OneUnit())
    svg = page.locator("svg[role=img]").first
    width = float(svg.get_attribute("viewBox").split()[2])
    assert width == pytest.approx(svg.bounding_box()["width"], abs=1)
    page.close()


def test_only_the_main_button_drags(browser, tmp_path):
    page = page_with(browser, tmp_path, OneUnit())
    open_more(page)
    box = page.locator("[data-drag=w]").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for button, moves in (("right", False), ("left", True)):
        page.mouse.move(x, y)
        page.mouse.down(button=button)
        page.mouse.move(x - 60, y, steps=3)
        page.mouse.up(button=button)
        w = page.evaluate("document.querySelector('.rnnx').explorable.state.w")
        assert (w != 2.0) == moves
    page.close()


def test_reset_stops_what_plays(browser, tmp_path):
    page = page_with(browser, tmp_path, OneUnit(steps=0), clock=True)
    page.get_by_role("button", name="Play").click()
    page.clock.run_for(500)
    assert page.evaluate(STATE)["steps"] > 0
    page.get_by_role("button", name="Reset").click()
    open_more(page)
    page.locator("input[name=steps]").focus()
    page.keyboard.press("Home")
    page.clock.run_for(2000)
    assert page.evaluate(STATE)["steps"] == 0
    page.close()


def test_side_by_side_each_has_room(browser, tmp_path):
    path = tmp_path / "flex.html"
    both = "".join(f"<div style='flex:1'>{OneUnit().to_html()}</div>" for _ in range(2))
    page_text = f'<!doctype html><meta charset=utf-8><div style="display:flex">{both}</div>'
    path.write_text(page_text, encoding="utf-8")
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    page.goto(path.as_uri())
    settle(page)
    assert all(one.bounding_box()["width"] > 300 for one in page.locator(".rnnx").all())
    page.close()


@EACH
def test_the_controls_are_right_before_the_first_frame(cls, browser, tmp_path):
    path = tmp_path / "early.html"
    # No frame ever comes on this page.
    early = "<script>requestAnimationFrame = () => 1</script>"
    page_text = f"<!doctype html><meta charset=utf-8>{early}{cls().to_html()}"
    path.write_text(page_text, encoding="utf-8")
    page = browser.new_page()
    page.goto(path.as_uri())
    sliders = page.evaluate("""() => {
      const { root, state } = document.querySelector(".rnnx").explorable;
      return [...root.querySelectorAll("input[type=range]")]
        .filter((input) => typeof state[input.name] === "number")
        .map((input) => [Number(input.value), state[input.name]]);
    }""")
    assert sliders
    assert all(shown == pytest.approx(held) for shown, held in sliders)
    page.close()

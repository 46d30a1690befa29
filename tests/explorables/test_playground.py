"""The playground in a page: it trains, stops, says how it ended, and never holds the page up."""

import itertools
import math
from dataclasses import asdict

import numpy as np
import pytest

pytest.importorskip("anywidget", reason="anywidget is not installed")
from browsers import PATIENCE, follow, nudge, serving, settle

from rnncourse.experiments import playground as pg
from rnncourse.explorables import Playground, base

STATE = "({ ...document.querySelector('.rnnx').explorable.state })"
LIMIT = 45_000  # bytes: the figure and what its worker runs
QUICK = {  # a setting for each task that is solved fast
    "first symbol": {"lag": 5},
    "temporal order": {"lag": 5},
    "parity": {"lag": 4, "layer": "gru"},
    "adding": {"lag": 4, "layer": "gru"},
    "echo": {"lag": 2},
}


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def train(page):
    """Train until it stops by itself."""
    button(page, "Train").click()
    button(page, "Train").wait_for()
    settle(page)


def told(page):
    settle(page)  # the summary is written a little later
    return page.locator(".summary").inner_text()


def marks(page, words):
    """The words in a picture."""
    return page.locator("svg text", has_text=words)


def python(**given):
    """Return the update at which the same run is solved in Python."""
    settings = pg.Settings(**given)
    for count, (update, _) in enumerate(itertools.islice(pg.train(settings), 500), 1):
        if pg.solved(settings.task, update.score):
            return count
    return None


@pytest.mark.parametrize("task", QUICK)
def test_each_task_is_solved_in_the_page_as_in_python(twin, task):
    page = twin(Playground(task=task, **QUICK[task]), more=False)
    train(page)
    assert f"Solved at update {python(task=task, **QUICK[task])}," in told(page)
    assert marks(page, "solved at update").count() == 1


def test_the_sunspots_end_after_their_updates_and_say_how_far_off(twin):
    page = twin(Playground(task="sunspots", lag=2, units=1, batch_size=1), more=False)
    train(page)
    settings = pg.Settings(task="sunspots", lag=2, units=1, batch_size=1)
    *_, (last, _) = itertools.islice(pg.train(settings), pg.LIMIT)
    assert f"after {pg.LIMIT} updates" in (said := told(page))
    assert f"the forecast is off by {100 * math.sqrt(last.score):.1f} sunspots" in said
    assert "“same as this year” by 25.3." in said
    assert marks(page, "Read 2 years, say the next one.").count() == 1
    assert page.locator("svg circle.input").count() == 35
    assert "Challenge" not in said


CHALLENGES = "details:has(ul) > summary"
MET = {"lag": 20, "units": 2, "init": "orthogonal", "seed": 2}  # soon solved, by two units


def count(page):
    settle(page)
    return page.locator(CHALLENGES).inner_text()


def test_a_challenge_is_met_kept_and_wiped(twin):
    page = twin(Playground(**MET), more=False)
    all = len(pg.CHALLENGES)
    assert count(page) == f"Challenges: 0 of {all} met"
    train(page)
    task = "First symbol, lag 20 or more, with at most 2 units."
    assert f"Challenge met: {task}" in told(page)
    assert count(page) == f"Challenges: 1 of {all} met"
    page.reload()
    assert count(page) == f"Challenges: 1 of {all} met"
    assert "Challenge met" not in told(page)  # it was another run
    page.locator(CHALLENGES).press("Enter")
    items = page.get_by_role("listitem").all_inner_texts()
    assert [task in item for item in items if "Met." in item] == [True]
    button(page, "Forget what I met").press("Enter")
    assert count(page) == f"Challenges: 0 of {all} met"
    page.reload()
    assert count(page) == f"Challenges: 0 of {all} met"
    # A run that solves less than a challenge asks meets none.
    page.evaluate("document.querySelector('.rnnx').explorable.set({ lag: 5, units: 16, seed: 1 })")
    train(page)
    assert "Solved" in told(page)
    assert count(page) == f"Challenges: 0 of {all} met"
    page.locator(CHALLENGES).press("Enter")
    page.get_by_role("button", name="Set the figure to: First symbol, lag 100").press("Enter")
    settle(page)
    assert page.evaluate(STATE)["lag"] == 100


NO_STORAGE = "Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } });"


def test_challenges_need_no_storage(browser, tmp_path):
    path = tmp_path / "page.html"
    twin = f"<script>{NO_STORAGE}</script>{Playground(**MET).to_html()}"
    path.write_text(f"<!doctype html><meta charset=utf-8>{twin}", encoding="utf-8")
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(path.as_uri())
    train(page)
    assert count(page).startswith("Challenges: 1 of")
    assert "This browser keeps nothing" in page.locator("details p").last.text_content()
    page.close()


def test_a_challenge_is_judged_as_in_python(js):
    cases, here = [], []
    for challenge in pg.CHALLENGES.values():
        good = vars(pg.Settings(**challenge.exactly | challenge.least))
        has = {**good, "parameters": 300, "updates": 100, **challenge.most}
        worse = [{name: bound - 1} for name, bound in challenge.least.items()]
        worse += [{name: bound + 1} for name, bound in challenge.most.items()]
        other = {"task": "parity", "layer": "lstm", "learning_rate": 0.1, "init": "identity"}
        worse += [{name: other[name]} for name in challenge.exactly if name in other]
        for change in ({}, *worse):
            one = has | change
            settings = pg.Settings(**{name: one[name] for name in good})
            cases.append([asdict(challenge), one])
            here.append(challenge.met(settings, one["parameters"], one["updates"]))
            assert here[-1] == (not change)
    assert js("playground", "meets", cases) == here


def test_it_trains_over_http_too_in_both_copies_and_after_the_page_was_left(browser, tmp_path):
    twins = 2 * Playground(lag=5).to_html()
    (tmp_path / "page.html").write_text(f"<!doctype html><meta charset=utf-8>{twins}", "utf-8")
    with serving(tmp_path) as address:
        page, errors = browser.new_page(), []
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{address}page.html")
        settle(page)
        one, other = page.locator(".rnnx").all()
        before = other.locator(".summary").inner_text()
        one.get_by_role("button", name="Train", exact=True).click()
        marks(page, "solved at update").wait_for()
        assert marks(page, "solved at update").count() == 1
        assert other.locator(".summary").inner_text() == before
        one.get_by_role("button", name="New run").click()
        settle(page)
        for copy in (one, other):  # both at once; by key, since the first may push the other down
            copy.get_by_role("button", name="Train", exact=True).press("Enter")
        for copy in (one, other):
            marks(copy, "solved at update").wait_for()
        button(page, "Lag 60").first.click()
        settle(page)
        button(page, "Train").first.click()
        page.get_by_text("lag 60: after").wait_for()
        page.goto("about:blank")  # while it trains
        page.go_back()
        settle(page)
        button(page, "Train").first.click()
        page.wait_for_function("document.querySelector('.summary').textContent.includes(' after ')")
        page.close()
        assert errors == []


def test_a_reset_while_it_trains_and_a_damaged_link(twin):
    page = twin(Playground(lag=60), more=False)
    first = told(page)
    button(page, "Train").click()
    page.get_by_text("lag 60: after").wait_for()
    button(page, "Reset").click()
    button(page, "Train").wait_for()
    settle(page)
    assert told(page) == first
    button(page, "One update").click()  # what the old run still had to say would count more
    page.get_by_text("lag 60: after 1 updates").wait_for()
    link = (
        "lag=201&units=1e9&learning_rate=10&rule=x&seed=-1&layer=lstm&forget_bias=0.3.1&batch_size"
    )
    follow(page, f"#explore-playground?{link}")
    settle(page)
    assert page.evaluate(STATE) == Playground(lag=60, layer="lstm", learning_rate=10.0).state
    assert "LSTM, remember the first symbol, lag 60: not trained yet" in told(page)


POLICY = '<meta http-equiv="Content-Security-Policy" content="{}">'
FORBID = POLICY.format("worker-src 'none'")
STRICT = POLICY.format("script-src 'unsafe-inline'")  # no text is evaluated, and no worker
REFUSE = "globalThis.Worker = class { constructor() { throw new Error('refused'); } };"


@pytest.mark.parametrize(
    "head", [FORBID, STRICT, f"<script>{REFUSE}</script>"], ids=["forbidden", "strict", "refused"]
)
def test_without_a_worker_it_trains_in_slices(browser, tmp_path, head):
    path = tmp_path / "page.html"
    path.write_text(
        f"<!doctype html><meta charset=utf-8>{head}{Playground(lag=5).to_html()}", encoding="utf-8"
    )
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(path.as_uri())
    train(page)
    assert f"Solved at update {python(lag=5)}," in told(page)
    page.close()


def test_pause_step_new_run_and_reset(twin):
    page = twin(Playground(), more=False)
    first = told(page)
    assert "not trained yet" in first
    button(page, "One update").click()
    page.wait_for_function("document.querySelector('.summary').textContent.includes('after 1 up')")
    button(page, "Train").click()
    page.wait_for_function(
        "parseInt(document.querySelector('.summary').textContent.match(/after (\\d+)/)[1]) > 3"
    )
    button(page, "Pause").click()
    page.wait_for_timeout(400)
    stopped = told(page)
    page.wait_for_timeout(400)
    assert told(page) == stopped
    button(page, "New run with the next seed").click()
    settle(page)
    assert "not trained yet" in told(page)
    assert page.evaluate(STATE)["seed"] == 2
    assert marks(page, "seed 1").count() == 1  # the run before, by name
    button(page, "Reset").click()
    settle(page)
    assert told(page) == first
    assert marks(page, "seed 1").count() == 0
    assert page.evaluate(STATE) == Playground().state


def test_settings_changed_and_buttons_pressed_while_it_trains(twin):
    page = twin(Playground(), more=False)
    button(page, "Train").click()
    page.wait_for_function("document.querySelector('.summary').textContent.includes('after')")
    nudge(page.locator("input[name=lag]"))
    settle(page)
    lag = page.evaluate(STATE)["lag"]
    button(page, "Train").wait_for()  # the new run waits
    page.wait_for_timeout(500)  # what the old one still had to say comes too late
    assert f"lag {lag}: not trained yet" in told(page)
    for _ in range(2):  # twice: it trains and pauses
        page.get_by_role("button", name="Train", exact=True).or_(button(page, "Pause")).click()
    button(page, "Train").wait_for()
    button(page, "Lag 5").click()
    train(page)
    assert "Solved at update 20," in told(page)


def test_a_run_that_diverges_says_where_and_what_to_try(twin):
    page = twin(Playground(**pg.STORIES["too fast"]), more=False)
    train(page)
    said = told(page)
    at = int(said.partition("at update ")[2].split()[0])
    assert at == pg.run("too fast", 1).updates + 1
    assert "is no longer a finite number" in said
    assert "Try a smaller rate (now 10), clipping the gradient, or a shorter lag." in said
    assert marks(page, f"diverged at update {at}").count() == 1
    assert "NaN" not in page.locator(".rnnx").inner_html()


def test_twenty_thousand_updates_make_no_longer_curve(js, browser, scripts):
    page = browser.new_page()
    page.goto(f"{scripts}words.json")
    points = page.evaluate(
        """async (address) => {
          const { curve } = await import(address);
          const one = curve();
          for (let k = 1; k <= 20_000; k++) one.add(k);
          return one.at();
        }""",
        f"{scripts}curves.js",
    )
    assert 200 <= len(points) <= 400
    # Each point is the mean of the updates up to its own.
    each = points[0][0]
    assert points == [[k, k - (each - 1) / 2] for k in range(each, points[-1][0] + 1, each)]
    page.close()


def test_many_updates_make_no_longer_path(twin):
    page = twin(Playground(lag=2, units=1, batch_size=1, learning_rate=0.001), more=False)
    button(page, "Train").click()
    page.wait_for_function(
        "+(document.querySelector('.summary').textContent.match(/after (\\d+)/)?.[1] ?? 0) > 5000"
    )
    button(page, "Pause").click()
    settle(page)
    longest = page.locator("svg path.error").evaluate_all(
        "all => Math.max(...all.map((p) => p.getAttribute('d').split('L').length))"
    )
    assert longest <= 401


def test_it_speaks_when_it_stops_not_while_it_trains(twin):
    page = twin(Playground(lag=60, layer="lstm"), more=False)
    page.evaluate(
        """globalThis.heard = [];
        new MutationObserver(() => heard.push(document.querySelector('.told').textContent))
          .observe(document.querySelector('.told'), { childList: true, characterData: true });"""
    )
    button(page, "Train").click()
    page.wait_for_timeout(2500)
    assert page.evaluate("heard") == []
    button(page, "Pause").click()
    page.wait_for_function("heard.length")
    assert page.evaluate("heard") == [page.locator(".summary").text_content()]


def test_a_link_brings_the_settings_and_a_story_is_a_link(twin):
    page = twin(Playground(), more=False)
    follow(page, "#explore-playground?lag=60&layer=lstm&forget_bias=4&learning_rate=0.03")
    state = page.evaluate(STATE)
    assert (state["layer"], state["forget_bias"], state["learning_rate"]) == ("lstm", 4, 0.03)
    assert "LSTM, remember the first symbol, lag 60: not trained yet" in told(page)
    for name, label in (("bias 4", "b_f = 4"), ("too fast", "Too fast")):
        page.get_by_role("button", name=label.replace("_", ""), exact=True).click()
        settle(page)
        state = page.evaluate(STATE)
        assert {k: state[k] for k in pg.STORIES[name]} == pg.STORIES[name]


def test_a_link_followed_twice_sets_the_figure_twice(browser, tmp_path):
    path = tmp_path / "page.html"
    link = '<a href="#explore-playground?lag=7">a story</a>'
    path.write_text(f"<!doctype html><meta charset=utf-8>{link}{Playground().to_html()}", "utf-8")
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(path.as_uri())
    for _ in range(2):
        page.get_by_text("a story").click()
        page.wait_for_function(f"{STATE}.lag === 7")
        nudge(page.locator("input[name=lag]"))
        page.wait_for_function(f"{STATE}.lag === 8")
    page.close()


def test_it_is_trained_with_the_keyboard_alone(twin):
    page = twin(Playground(lag=5), more=False, reduced_motion="reduce")
    page.locator("input[name=lag]").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    marks(page, "solved at update").wait_for()


def test_the_worker_ends_with_the_figure(twin):
    page = twin(Playground(), more=False)
    page.evaluate(
        """(() => {
          const { terminate } = Worker.prototype;
          globalThis.ended = 0;
          Worker.prototype.terminate = function () { ended++; terminate.call(this); };
        })()"""
    )
    button(page, "Train").click()
    page.wait_for_function("document.querySelector('.summary').textContent.includes('after')")
    page.evaluate("document.querySelector('.rnnx').explorable.leave()")
    assert page.evaluate("ended") == 1


def test_a_page_that_is_hidden_trains_no_further(twin):
    page = twin(Playground(), more=False)
    button(page, "Train").click()
    page.wait_for_function("document.querySelector('.summary').textContent.includes('after')")
    hide = """(hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)
    page.wait_for_timeout(400)
    before = told(page)
    page.wait_for_timeout(400)
    assert told(page) == before
    assert button(page, "Pause").count() == 1
    page.evaluate(hide, False)
    for _ in range(2):  # it goes on, and does not just tell what there was still to tell
        page.wait_for_function(
            "(before) => document.querySelector('.summary').textContent !== before", arg=before
        )
        before = told(page)


@pytest.mark.parametrize("n", [1, 2, 5, 16])
def test_radius_and_stretch_are_those_of_numpy(browser, scripts, n, rng):
    page = browser.new_page()
    page.goto(f"{scripts}words.json")
    W = rng.normal(size=(n, n))
    there = page.evaluate(
        """async ([address, W, n]) => {
          const { spectralRadius, stretch } = await import(address);
          return [spectralRadius(W, n), stretch(W, n), spectralRadius(W.map(() => 0), n)];
        }""",
        [f"{scripts}work.js", W.ravel().tolist(), n],
    )
    here = [np.abs(np.linalg.eigvals(W)).max(), np.linalg.norm(W, 2), 0]
    assert there == pytest.approx(here, rel=1e-3)
    page.close()


def test_the_map_shows_the_part_that_is_chosen(twin):
    page = twin(Playground(layer="lstm", lag=5))
    box = page.get_by_role("img", name="One part of the network")
    drawn = {}
    for part in "hcfio":
        page.get_by_role("radio", name=part, exact=True).check()
        settle(page)
        drawn[part] = box.inner_html()
    assert len(set(drawn.values())) == 5


SETTINGS = [
    {},
    {"task": "temporal order", "lag": 10},
    {"task": "parity", "lag": 200, "layer": "gru"},
    {"task": "adding", "lag": 20},
    {"task": "echo", "lag": 2},
    {"task": "echo", "lag": 30, "layer": "lstm", "units": 1},
    {"task": "sunspots", "lag": 22},
    {"lag": 2},
]
MEETING = """svg => {
  const texts = [...svg.querySelectorAll('text')]
    .map(x => [x.textContent, x.getBoundingClientRect()]).filter(([, b]) => b.width);
  return texts.flatMap(([one, a], i) => texts.slice(0, i).filter(([, b]) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 5
  ).map(([other]) => [one, other])); }"""


@pytest.mark.parametrize("width", [288, 736])  # a phone of 320, and a page
def test_no_texts_meet_whatever_is_shown(twin, width):
    page = twin(Playground(lag=5), width=width)
    for given in [{"lag": 5}, *SETTINGS]:
        page.evaluate(
            "(values) => document.querySelector('.rnnx').explorable.set(values)",
            {**Playground().state, **given},
        )
        settle(page)
        button(page, "One update").click()
        button(page, "One update").click()
        page.wait_for_timeout(150)
        settle(page)
        for svg in page.locator("svg[role=img]").all():
            assert svg.evaluate(MEETING) == [], given
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_playground_and_its_work_are_small():
    own = len(base.module("playground").encode()) - len(base.module("kit").encode())
    assert own <= LIMIT
    assert not math.isnan(pg.guess("adding"))

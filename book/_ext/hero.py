"""The network on the front page that learns when the reader presses Start.

Its code is the package's own: what trains a network in the page becomes a script of the site, and
`book/_static/hero.js` shows it at work. What is seen without JavaScript is computed here: the
network when it has learned its task. All words stand in the page, as options of the directive:

    ```{hero}
    :question: Six letters come in. Which came first?
    ```
"""

import html
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from docutils import nodes
from docutils.parsers.rst import Directive, directives
from sphinx.application import Sphinx

from rnncourse import softmax
from rnncourse.experiments import playground
from rnncourse.explorables.base import play_script

# A run that takes 20 s at a pace that an eye can follow, and whose end no rounding moves.
SETTINGS = playground.Settings(lag=5, units=8, learning_rate=0.005, batch_size=8, seed=12)
WORD = [1, 4, 5, 5, 4, 5]  # what the reader finds there
LETTERS = "ABCDxy"
CHART = (240, 1.7)  # the updates and the loss that its frame, 100 wide and high, has room for
MEAN = 10  # updates, of whose losses the line shows the mean
SAID = ("question", "loss", "guess", "answer", "memory", "letters")
SAID += ("further", "link", "about", "still")
SPOKEN = ("bet", "start", "pause", "on", "again", "untrained", "early", "update", "solved")


def trained() -> tuple[list[playground.Update], Any]:
    """Return the updates of the run up to the one that solves the task, and the network then."""
    updates = []
    for update, model in playground.train(SETTINGS):
        updates.append(update)
        if playground.solved(SETTINGS.task, update.score):
            return updates, model
    raise AssertionError("a run has no end of its own")


def seen(model: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return what `WORD` makes of the network: h (T, H), and the probability of each letter."""
    x = np.eye(len(LETTERS))[WORD][:, None]
    h, _, _ = model.layer.forward(x)
    y = model.predict(x)[-1, 0]
    return h[:, 0], softmax(y)


def curve(updates: list[playground.Update]) -> str:
    """Return the loss by update as the commands of an SVG path."""
    most, top = CHART
    losses = [u.E for u in updates]
    means = [np.mean(losses[max(0, k - MEAN) : k]) for k in range(1, len(losses) + 1)]
    points = [(100 * k / most, 100 - 100 * E / top) for k, E in enumerate(means, 1)]
    return "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in points)


def _kind(name: str, holds: bool) -> str:
    return f' class="{name}"' if holds else ""


def step(number: int, letter: str, h: np.ndarray) -> str:
    """Return one step of the unrolled network: the state after a letter, and the letter."""
    dots = "".join(f'<i{_kind("below", v < 0)} style="--h:{abs(v):.3f}"></i>' for v in h)
    return (
        f'<div class="step"><span class="state" aria-hidden="true">{dots}</span>'
        f'<button class="letter" type="button" aria-label="{number}: {letter}" disabled>{letter}'
        "</button></div>\n"
    )


def hero(said: dict[str, str]) -> str:
    """Return the network as it is after training, as HTML, with the words `said`."""
    updates, model = trained()
    h, odds = seen(model)
    words = {name: html.escape(text) for name, text in said.items()}
    still = words["still"].format(updates=len(updates), right=round(100 * updates[-1].score))
    settings = html.escape(json.dumps(asdict(SETTINGS) | {"chart": CHART}))
    data = " ".join(f'data-{name}="{words[name]}"' for name in SPOKEN)
    bars = "".join(
        f'<li{_kind("right", k == WORD[0])} style="--p:{p:.3f}"><b>{LETTERS[k]}</b>'
        f"<i></i><span>{100 * p:.0f} %</span></li>"
        for k, p in enumerate(odds)
    )
    steps = "".join(step(t + 1, LETTERS[k], h[t]) for t, k in enumerate(WORD))
    guess = 100 - 100 * playground.guess(SETTINGS.task) / CHART[1]
    return f"""<div class="course-hero" role="group" aria-labelledby="hero-question"
 data-settings="{settings}" {data}>
<p class="question" id="hero-question">{words["question"]}</p>
<div class="picture">
<div class="loss"><p>{words["loss"]}</p>
<div class="chart" aria-hidden="true">
<svg aria-hidden="true" viewBox="0 0 100 100" preserveAspectRatio="none">
<path class="guess" d="M0 {guess:.2f}H100"/><path class="curve" d="{curve(updates)}"/></svg>
<span class="guess" style="top:{guess:.1f}%">{words["guess"]}</span></div></div>
<div class="answer"><p id="hero-answer">{words["answer"]}</p>
<ul aria-labelledby="hero-answer">{bars}</ul></div>
<p class="memory">{words["memory"]}</p>
<div class="steps" role="group" aria-label="{words["letters"]}">
{steps}</div>
<p class="letters" aria-hidden="true">{words["letters"]}</p>
</div>
<div class="controls">
<button class="start" type="button" disabled>{words["start"]}</button>
<p class="told"></p>
</div>
<div class="end"><p class="summary" role="status">{words["bet"]}</p>
<p class="further"><a href="{words["link"]}">{words["further"]}</a></p></div>
<p class="about">{words["about"]}</p>
<p class="still">{still}</p>
</div>
"""


class Hero(Directive):
    """The directive."""

    option_spec = dict.fromkeys(SAID + SPOKEN, directives.unchanged_required)

    def run(self) -> list[nodes.Node]:
        """Return the network as raw HTML."""
        missing = [name for name in SAID + SPOKEN if name not in self.options]
        if missing:
            raise self.error(f"The network of the front page has no words for {missing}.")
        return [nodes.raw("", hero(self.options), format="html")]


def write_script(app: Sphinx) -> None:
    """Write what trains the network as a script of the site."""
    if app.builder.format == "html":
        folder = Path(app.outdir, "_static")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "play.js").write_text(play_script(), encoding="utf-8")


def load(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: object) -> None:
    """Load the scripts in the page that has the network, when it has been read."""
    if 'class="course-hero"' in context.get("body", ""):
        for name in ("play.js", "hero.js"):
            app.add_js_file(name, loading_method="defer")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive and what belongs to it."""
    app.add_directive("hero", Hero)
    app.connect("builder-inited", write_script)
    app.connect("html-page-context", load)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

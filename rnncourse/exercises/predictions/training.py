"""Questions of the pages where networks are trained: the playground, and a text of one's own.

How runs ended, here and in the playground's bets in the chapters, is counted in the saved ones.
"""

import math
from collections import Counter
from itertools import pairwise

import numpy as np

from ...data.datasets import tea_party
from ...experiments import own_text, playground
from ...layers import layer as call
from ..questions import closest, question


def runs(story: str) -> list[playground.Run]:
    """Return the playground's saved runs of a story, five seeds."""
    return [run for run in playground.saved() if run.story == story]


def learned(story: str) -> int:
    """Return how many of the five seeds solved a story."""
    return sum(run.outcome == "solved" for run in runs(story))


def in_words(count: int) -> str:
    """Return a number of the five seeds as a word."""
    return ("none", "one", "two", "three", "four", "five")[count]


def middle(story: str) -> float:
    """Return how many updates the run in the middle took, of the five of a story."""
    return float(np.median([run.updates for run in runs(story)]))


# ---------------------------------------------------------------- the playground


@question(
    "updates-for-five",
    page="playground",
    replies={
        "about 30": "Four of the five seeds took 20 or 40 updates, and the slowest 240.",
        "about 300": (
            "There are slow starts, too. Most are far quicker: the gradient has only five steps "
            "to cross."
        ),
        "about 3000": (
            "A short way back is easy to learn, and each update learns from 32 sequences at once."
        ),
    },
)
def updates_for_five() -> str:
    """How many updates does a plain network of 16 units need for a lag of 5?"""
    return f"about {closest(middle('short'), (30, 300, 3000)):g}"


@question(
    "sixty-steps-back",
    page="playground",
    replies={
        "a tenth": (
            "For that each step would have to keep 96 percent. This start keeps far less than that."
        ),
        "a thousandth": (
            "For that each step would have to keep 89 percent. This start keeps less than that."
        ),
        "less than a billionth": (
            "Each step back keeps about two thirds, and 60 such factors make about 10⁻¹¹."
        ),
    },
)
def sixty_steps_back() -> str:
    """What part of the gradient at the answer reaches the first letter, 60 steps back?"""
    settings = playground.Settings(**playground.STORIES["long"])
    random = playground.Random(settings.seed)
    model = playground.network(settings, random)
    given = playground.batch(settings.task, settings.lag, 1, random)
    x, signals = model.layer_signals(given.x, given.targets, mask=given.counts)
    h, _ = call.run(model.layer, x, None, None)
    delta = signals[-1, 0]  # δ^h_t of the answer, and of each step before it
    for h_t in h[:0:-1, 0]:
        delta = ((1 - h_t**2) * delta) @ model.layer.params["W_hh"]
    part = float(np.linalg.norm(delta) / np.linalg.norm(signals[-1]))
    if part < 1e-9:
        return "less than a billionth"
    return {0.1: "a tenth", 1e-3: "a thousandth"}[closest(part, (0.1, 1e-3))]


@question(
    "turned-start",
    page="playground",
    replies={
        "0": "With the old start one seed got through. Now far more of the gradient arrives.",
        "2": "A rotation keeps every length, whichever one is drawn. So luck matters less.",
        "5": "All five learn it, after 20 to 100 updates.",
    },
)
def turned_start() -> str:
    """How many of five seeds solve a lag of 60 when W_hh starts as a random rotation?"""
    return str(learned("orthogonal"))


@question(
    "cell-as-it-comes",
    page="playground",
    replies={
        "0": "A forget gate of σ(1) = 0.73 keeps 7 · 10⁻⁹ of a memory over 60 steps.",
        "2": "Work out what a gate of σ(1) = 0.73 leaves of a memory after 60 steps.",
        "5": (
            "The cell can keep a memory, if its gate is open. How open is a gate with a bias of 1?"
        ),
    },
)
def cell_as_it_comes() -> str:
    """How many of five seeds solve a lag of 60 with an LSTM whose forget bias is 1?"""
    return str(learned("lstm"))


@question(
    "three-biases",
    page="playground",
    replies={
        "none, two and five": (
            "σ(b_f)⁶⁰ is 0.05 with a bias of 3, and 0.34 with 4. With 0 it is 10⁻¹⁸."
        ),
        "none, five and five": (
            "3 is close to the rule's 4.1, but σ(3)⁶⁰ is 0.05: a twentieth of a memory."
        ),
        "none, none and one": (
            "The rule does more than that: with 4 a third of a memory is left after 60 steps."
        ),
        "five, two and none": (
            "A large bias opens the forget gate, and an open gate keeps the memory."
        ),
    },
)
def three_biases() -> str:
    """How many of five LSTMs solve a lag of 60 with a forget bias of 0, of 3 and of 4?"""
    zero, three, four = learned("bias 0"), learned("bias 3"), learned("bias 4")
    return f"{in_words(zero)}, {in_words(three)} and {in_words(four)}"


@question(
    "as-many-parameters",
    page="playground",
    replies={
        "0": "With 16 plain units one of five got through. Here there are twice as many.",
        "3": "After 120, 120 and 260 updates. The last hangs on rounding.",
        "5": (
            "More units help. But each weight starts as a random draw still, and most of the "
            "gradient is lost on the way."
        ),
    },
)
def as_many_parameters() -> str:
    """How many of five plain networks of 34 units solve a lag of 60?"""
    return str(learned("equal"))


@question(
    "odd-or-even",
    page="playground",
    replies={
        "the plain network": (
            "It is simpler, and ten steps are short. But a 1 has to flip what is kept and a 0 has "
            "to leave it: what is good at choosing?"
        ),
        "the GRU": (
            "Its five seeds took 120 to 140 updates. Four plain networks took 260 to 400, and the "
            "fifth was not done after 500."
        ),
        "both alike": (
            "There are as many units, but a unit with gates can do more: it can choose."
        ),
    },
)
def odd_or_even() -> str:
    """Which learns parity faster, a plain network or a GRU of as many units?"""
    plain, gru = middle("parity"), middle("parity gru")
    if max(plain, gru) < 1.5 * min(plain, gru):
        return "both alike"
    return "the GRU" if gru < plain else "the plain network"


@question(
    "always-one",
    page="playground",
    replies={
        "about 0.5": (
            "Then the guess would be off by 1 each time, as if every sum were 0 or 2. Most "
            "lie nearer to 1."
        ),
        "about 0.08": "The sum has the variance 1/6, and the loss is half of that: 1/12.",
        "about 0.01": (
            "Then the guess would be off by about 0.14. Sums of two such numbers spread further "
            "than that."
        ),
    },
)
def always_one() -> str:
    """Which loss does a guesser have who says 1 to every sum of two numbers from 0 to 1?"""
    given = playground.held_out("adding", playground.STORIES["adding"]["lag"])
    loss = float(np.mean((given.targets[given.counts] - 1) ** 2)) / 2
    return f"about {closest(loss, (0.5, 0.08, 0.01)):g}"


@question(
    "two-years-or-22",
    page="playground",
    replies={
        "about 25 and 13": (
            "25 is what one year gives, by saying the same again. The second one shows which way "
            "the sun goes."
        ),
        "about 14 and 13": (
            "Two years say where the sun is and which way it goes, and that is most of what can "
            "be told."
        ),
        "about 20 and 5": (
            "22 years hold two whole cycles. But no cycle is quite like the last one, in length "
            "or in height."
        ),
    },
)
def two_years_or_22() -> str:
    """By how many sunspots is a network off that reads two years, and one that reads 22?"""
    off = [
        100 * np.sqrt(np.mean([run.score for run in runs(story)]))
        for story in ("sunspots 2", "sunspots")
    ]
    pairs = (25, 13), (14, 13), (20, 5)
    two, more = min(pairs, key=lambda pair: np.abs(np.log(off) - np.log(pair)).sum())
    return f"about {two} and {more}"


@question(
    "rate-of-ten",
    page="playground",
    replies={
        "It stalls": (
            "To stall, the updates must come to nothing. Here each is ten times the gradient."
        ),
        "It swings": (
            "At a rate a little too large it does. Here nothing stops a swing from growing."
        ),
        "It leaves every bound": (
            "All five runs ended at update 72 or 73, at numbers too large for a computer."
        ),
    },
)
def rate_of_ten() -> str:
    """What becomes of the loss at a learning rate of 10 without clipping?"""
    found = runs("too fast")
    if all(run.outcome == "diverged" for run in found):
        return "It leaves every bound"
    guess = 2 * playground.guess("adding")  # a squared error, as the score
    return "It stalls" if all(run.score <= guess for run in found) else "It swings"


# ---------------------------------------------------------------- a text of one's own


def pair_bits(text: str) -> float:
    """Return the bits a character that a guesser needs who knows which letter follows which."""
    pairs, first = Counter(pairwise(text)), Counter(text[:-1])
    bits = sum(count * math.log2(first[a] / count) for (a, _), count in pairs.items())
    return bits / (len(text) - 1)


def looks() -> dict[int, list[own_text.Score]]:
    """Return what the GRUs had come to, by the number of updates."""
    scores = [score for score in own_text.saved() if score.layer == "gru"]
    return {n: [score for score in scores if score.updates == n] for n in own_text.UPDATES}


@question(
    "first-word",
    page="your-text",
    replies={
        "about 10": (
            "That is early: it knows little yet but how often each letter occurs. A word needs "
            "letters in their order."
        ),
        "about 50": (
            "Words come when it beats a guesser who knows which letter follows which: 5.2 bits "
            "against 3.24 at update 10, and 3.10 at 100."
        ),
        "about 1000": (
            "By then it has read the text more than twenty times. The commonest words come far "
            "sooner."
        ),
    },
)
def first_word() -> str:
    """After how many updates does the first whole word stand in a line?"""
    # Who writes words knows more than which letter follows which. It comes between two looks.
    need = {n: np.mean([score.bits for score in scores]) for n, scores in looks().items()}
    bound = pair_bits(tea_party())
    before, after = max(n for n in need if need[n] > bound), min(n for n in need if need[n] < bound)
    return f"about {closest(math.sqrt(before * after), (10, 50, 1000)):g}"


@question(
    "cold-and-hot",
    page="your-text",
    replies={
        "0.2: the same few words, 1.5: broken words": (
            "Outputs divided by 0.2 lie five times as far apart, so the most probable letter "
            "nearly always wins."
        ),
        "0.2: broken words, 1.5: the same few words": (
            "Try it with two outputs, 2 and 1. Which temperature sets them further apart, and "
            "what does that favor?"
        ),
        "much the same at both": (
            "The network is the same, but the draws are not: the outputs are divided first."
        ),
    },
)
def cold_and_hot() -> str:
    """What does the network write at a temperature of 0.2, and what at 1.5?"""
    _, counts = np.unique(own_text.spell(tea_party()).labels, return_counts=True)
    y = np.log(counts)  # the outputs of one who knows how often each letter occurs

    def kinds(temperature: float) -> float:
        """Among how many letters, as many bits as it takes, a draw decides."""
        p = np.exp(y / temperature) / np.exp(y / temperature).sum()
        return float(np.exp(-p @ np.log(p)))

    cold, hot = kinds(0.2), kinds(1.5)
    if max(cold, hot) < 1.5 * min(cold, hot):
        return "much the same at both"
    few, broken = "the same few words", "broken words"
    return f"0.2: {few if cold < hot else broken}, 1.5: {broken if cold < hot else few}"


@question(
    "by-heart",
    page="your-text",
    replies={
        "1.4": (
            "That is the text it has read more than twenty times. The held-out part it meets for "
            "the first time."
        ),
        "2.2": (
            "That would be a network that learned English. What else can it learn from one short "
            "text that it reads again and again?"
        ),
        "3.3": "It rose from 3.18 at update 100: the network learned its text by heart.",
    },
)
def by_heart() -> str:
    """How many bits does a character of the held-out part need after 1000 updates?"""
    held = float(np.mean([score.held for score in looks()[1000]]))
    return str(closest(held, (1.4, 2.2, 3.3)))

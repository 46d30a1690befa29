"""The text has its structure, the network learns it, and the saved one is what it says it is."""

import re
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest

from rnncourse import GRU, LSTM, Embedding, Model, Readout, Stack
from rnncourse.data import text
from rnncourse.experiments import characters


@pytest.fixture(scope="module")
def saved():
    return characters.saved()


def test_the_text_is_sentences_of_the_grammar():
    text = characters.sentences(5000, np.random.default_rng(0))
    assert len(text) == 5000
    assert set(text) == set(characters.ALPHABET)
    assert len(characters.ALPHABET) == 20
    noun = r"the (sun|rain|wind|star)( (\((W )*W\)|\[(W )*W\]))?".replace(
        "W", "(sad|wet|red|round)"
    )
    quotation = r"“(Q )+Q”".replace("Q", "(oh|no|so|who)")
    one = rf"({noun} (hides|waits|runs)|{noun} said {quotation}|{quotation} said {noun})\. "
    whole = text[: text.rindex(".") + 2]
    assert re.fullmatch(f"({one})+", whole)
    assert re.fullmatch(f"({one})+", characters.TEXT + " ")
    assert characters.TEXT not in text


def test_the_text_is_that_of_its_seed():
    one, again, other = (characters.sentences(300, np.random.default_rng(s)) for s in (1, 1, 2))
    assert one == again != other


def test_inside_is_from_the_opening_mark_to_before_the_closing_one():
    assert characters.inside("a “b” c").tolist() == [False, False, True, True, False, False, False]
    assert characters.inside("a (b)", "()").tolist() == [False, False, True, True, False]


def test_one_hot_has_a_batch_of_texts_in_time_order():
    x = characters.one_hot(["ab", "ba"], "abc")
    assert x.tolist() == [[[1, 0, 0], [0, 1, 0]], [[0, 1, 0], [1, 0, 0]]]


def test_a_short_training_falls_in_loss():
    short = characters.run(8, 0, sequences=64, stages=((0.01, 5),))
    longer = characters.run(8, 0, sequences=64, stages=((0.01, 30), (0.003, 10)))
    assert (short.updates, longer.updates) == (10, 80)
    assert short.loss < np.log(20)
    assert longer.loss < short.loss - 0.3
    again = characters.run(8, 0, sequences=64, stages=((0.01, 5),))
    assert replace(again, seconds=0.0) == replace(short, seconds=0.0)


def test_the_saved_network_has_the_loss_that_is_stated(saved):
    assert (saved.hidden_size, saved.seed, saved.updates) == (12, characters.SEED, 3465)
    assert characters.loss(saved.model(np.float32)) == pytest.approx(saved.loss, abs=1e-3)
    assert saved.loss < 0.4
    assert saved.seconds < 60


def test_a_unit_of_the_saved_network_marks_quotations(saved):
    model = saved.model()
    text = characters.sentences(20_000, np.random.default_rng(5))
    separation = characters.separation(model, text)
    print("correlation with inside a quotation, by unit:", separation.round(2))
    assert separation.shape == (12,)
    assert separation.argmax() == 6  # unit 7
    assert separation[6] > 0.9
    _, _, trace = model.layer.forward(characters.one_hot([text]))
    assert np.mean((trace.c[:, 0, 6] > 0.6) == characters.inside(text)) > 0.99


def test_separation_is_the_correlation(saved):
    model = saved.model()
    _, _, trace = model.layer.forward(characters.one_hot([characters.TEXT]))
    memory, inside = np.tanh(trace.c[:, 0]), characters.inside(characters.TEXT, "[]")
    expected = [np.corrcoef(unit, inside)[0, 1] for unit in memory.T]
    found = characters.separation(model, characters.TEXT, "[]")
    assert np.allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("error")
def test_a_unit_that_never_changes_is_on_no_side(saved):
    model = saved.model()
    for q in "ifgo":
        for W in model.layer.gate(q).values():
            W[3] = 0  # unit 4
    separation = characters.separation(model, characters.TEXT)
    assert separation[3] == 0
    assert np.isfinite(separation).all()


def test_separation_of_a_text_and_alphabet_of_ones_own(rng):
    alphabet = text.alphabet("it’s ‘so’ and 'no'")
    model = Model(LSTM(len(alphabet), 3, rng=rng), Readout(3, len(alphabet), rng=rng))
    separation = characters.separation(model, "it’s ‘so’ and so", "‘’", alphabet=alphabet)
    assert separation.shape == (3,)
    assert np.abs(separation).max() < 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda rng: 3, "model is a int, expected a Model"),
        (lambda rng: LSTM(20, 4, rng=rng), "model is a LSTM, expected a Model"),
        (lambda rng: Model(GRU(20, 4, rng=rng), Readout(4, 20, rng=rng)), "has a GRU, whose trace"),
        (
            lambda rng: Model(Stack(LSTM(20, 4, rng=rng)), Readout(4, 20, rng=rng)),
            "model has a Stack, whose trace has no memory cell c, expected an LSTM",
        ),
        (
            lambda rng: Model(LSTM(19, 4, rng=rng), Readout(4, 19, rng=rng)),
            "model reads 19 numbers a step, expected the alphabet's 20 characters",
        ),
        (
            lambda rng: Model(Embedding(20, 4, rng=rng), Readout(4, 20, rng=rng)),
            "model reads labels a step, expected the alphabet's 20 characters",
        ),
    ],
)
def test_separation_needs_a_memory_cell_and_the_alphabet(rng, make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        characters.separation(make(rng), characters.TEXT)


def test_the_saved_network_closes_each_bracket_with_its_like(saved):
    text = characters.sentences(20_000, np.random.default_rng(6))
    y = saved.model().predict(characters.one_hot([text]))[:, 0]
    closing = np.array([k for k in range(len(text) - 1) if text[k + 1] in ")]"])
    round_or_square = y[closing][:, [characters.ALPHABET.index(c) for c in ")]"]]
    right = [")]"[k] for k in round_or_square.argmax(axis=1)]
    assert len(closing) > 300
    assert np.mean([r == text[k + 1] for r, k in zip(right, closing, strict=True)]) > 0.99


def test_weights_go_to_text_and_back(saved, tmp_path):
    model = characters.network(3, np.random.default_rng(1), np.float64)
    shapes = {name: W.shape for name, W in model.params.items()}
    found = characters.unpack(characters.pack(model.params), shapes)
    for name, W in model.params.items():
        assert np.array_equal(found[name], W.astype(np.float32))
    with pytest.raises(ValueError, match=r"text holds \d+ numbers, expected \d+"):
        characters.unpack(saved.weights, shapes)
    characters.write(tmp_path / "characters.json", saved)
    written = (tmp_path / "characters.json").read_text(encoding="utf-8")
    file = files("rnncourse.experiments") / "characters.json"
    assert written == file.read_text(encoding="utf-8")
    assert len(written) < 40_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed is -1, expected at least 0"),
        ({"hidden_size": 0}, "hidden_size is 0, expected at least 1"),
        ({"sequences": 0}, "sequences is 0, expected at least 1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        characters.run(**arguments)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: characters.one_hot(["né"]), "text has 'é' as character 2, expected one of"),
        (lambda: characters.one_hot(["ad", "a"]), r"texts has the lengths \[1, 2\], expected"),
        (lambda: characters.one_hot([]), r"texts has the lengths \[\], expected"),
        (lambda: characters.inside("sun", "“"), "marks is '“', expected two characters"),
        (lambda: characters.inside("so” no “so”"), "'”' as character 3, which closes what is not"),
        (lambda: characters.unpack("@@", {"W": (2,)}), "base64"),
        (lambda: characters.separation(characters.saved().model(), "sun"), "on one side"),
    ],
)
def test_bad_texts_are_refused_in_words(call, words):
    with pytest.raises(ValueError, match=words):
        call()

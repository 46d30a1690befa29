"""Text goes to arrays and back, marks are found where they are clear, and the rest is refused."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnncourse.data import text

characters = st.characters(exclude_categories=["Cs"])


# ---------------------------------------------------------------- labels and one-hot


@given(st.integers(1, 6), st.data())
def test_texts_go_to_arrays_and_back(length, data):
    texts = data.draw(st.lists(st.text(characters, min_size=length, max_size=length), min_size=1))
    alphabet = text.alphabet(*texts)
    assert sorted(set("".join(texts))) == list(alphabet)
    labels = text.labels(texts, alphabet)
    assert (labels.shape, labels.dtype) == ((length, len(texts)), np.intp)
    assert text.decode(labels, alphabet) == texts
    x = text.one_hot(texts, alphabet)
    assert (x.shape, x.dtype) == ((length, len(texts), len(alphabet)), np.float64)
    assert np.array_equal(x.argmax(axis=-1), labels)
    assert np.array_equal(x.sum(axis=-1), np.ones_like(labels))
    assert np.array_equal(np.unique(x), [0, 1] if len(alphabet) > 1 else [1])


def test_one_hot_follows_the_order_of_the_alphabet_and_the_dtype():
    x = text.one_hot(["ab", "ca"], "cba", np.float32)
    assert x.dtype == np.float32
    assert x.tolist() == [[[0, 0, 1], [1, 0, 0]], [[0, 1, 0], [0, 0, 1]]]


def test_a_character_outside_the_first_plane_is_one_character():
    assert text.alphabet("🌞a") == "a🌞"
    assert text.labels(["🌞a"], "a🌞").tolist() == [[1], [0]]


@pytest.mark.parametrize(
    ("texts", "alphabet", "error", "message"),
    [
        ("ab", "ab", TypeError, r"texts is a str, expected a list of texts, such as \[text\]"),
        (b"ab", "ab", TypeError, "texts is a bytes, expected a list of texts"),
        ({"ab"}, "ab", TypeError, "texts is a set, expected a list of texts"),
        ([b"ab"], "ab", TypeError, "text 1 is bytes, expected a str: decode it first"),
        (["a", 3], "ab", TypeError, "text 2 is a int, expected a str"),
        ([], "ab", ValueError, r"texts has the lengths \[\], expected texts of one length"),
        ([""], "ab", ValueError, "text 1 is empty, expected at least one character"),
        (["ab", ""], "ab", ValueError, "text 2 is empty"),
        (["ab", "a"], "ab", ValueError, r"texts has the lengths \[1, 2\], expected texts of one"),
        (["ac"], "ab", ValueError, "text has 'c' as character 2, expected one of 'ab'$"),
        (["a"], {"a", "b"}, TypeError, "alphabet is a set, which has no order, expected a str"),
        (["a"], ["a", "b"], TypeError, "alphabet is a list, expected a str"),
        (["a"], b"ab", TypeError, "alphabet is a bytes, expected a str"),
        (["a"], "", ValueError, "alphabet is empty, expected at least one character"),
        (["a"], "aba", ValueError, "alphabet has 'a' twice, expected each character once"),
        (["a"], "a\ud83c", ValueError, "alphabet has half of a surrogate pair"),
        (["e\u0301"], "eé", ValueError, r"text has '\\u0301' as character 2, .*\(\"NFC\", text\)"),
        (["é"], "e\u0301", ValueError, r"text has 'é' as character 1, .*\(\"NFD\", text\)"),
    ],
)
def test_what_is_no_text_or_alphabet_is_refused_with_the_reason(texts, alphabet, error, message):
    for function in (text.labels, text.one_hot):
        with pytest.raises(error, match=message):
            function(texts, alphabet)


def test_the_remedy_that_a_refusal_names_helps():
    assert text.labels([unicodedata.normalize("NFC", "e\u0301")], "eé").tolist() == [[1]]


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ((), ValueError, "alphabet is empty"),
        (("", ""), ValueError, "alphabet is empty"),
        ((b"ab",), TypeError, "text 1 is bytes, expected a str: decode it first"),
        (("a", ["b"]), TypeError, "text 2 is a list, expected a str"),
        (("a\udc00",), ValueError, "half of a surrogate pair"),
    ],
)
def test_an_alphabet_needs_texts(texts, error, message):
    with pytest.raises(error, match=message):
        text.alphabet(*texts)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([[0], [2]], ValueError, "labels holds 2, expected 0 to 1"),
        ([[-1]], ValueError, "labels holds -1, expected 0 to 1"),
        ([0, 1], ValueError, r"labels has shape \(2,\), expected \(T, B\)"),
        ([[0.0]], TypeError, "labels has dtype float64, expected whole numbers"),
    ],
)
def test_labels_that_stand_for_no_text_are_refused(labels, error, message):
    with pytest.raises(error, match=message):
        text.decode(labels, "ab")


# ---------------------------------------------------------------- inside marks


def shown(line, marks):
    """Return the text with a dot for each character outside the marks."""
    return "".join(
        c if within else "." for c, within in zip(line, text.inside(line, marks), strict=True)
    )


@pytest.mark.parametrize(
    ("line", "marks", "expected"),
    [
        ("a “b” c", "“”", "..“b..."),
        ("a (b (c) d) e", "()", "..(b (c) d..."),
        ("f(x)", "()", ".(x."),
        ("f(x", "()", ".(x"),  # cut off
        ("", "“”", ""),
        ("no marks", "“”", "........"),
        ("„so“ war’s", "„“", "„so......."),
        ("«non» dit-il", "«»", "«non........"),
        # An apostrophe between two letters is none of the marks.
        ("‘don’t’ he said", "‘’", "‘don’t........."),
        ("it’s ‘so’", "‘’", ".....‘so."),
        ("‘cafe\u0301’s’ so", "‘’", "‘cafe\u0301’s...."),
        ("'don't' he said", "''", "'don't........."),
        ("the 1990's 'so'", "''", "...........'so."),
        # Equal marks open and close in turn.
        ('"so" and "so"', '""', '"so......"so.'),
        ('he said: "', '""', '........."'),
        ('("so"), she', '""', '."so.......'),
        ("a *b* c", "**", "..*b..."),
        ("a | b | c", "||", "..| b ..."),
        # A quotation of two paragraphs: each opens, the last one closes.
        ("“one\n“two” x", "“”", "“one\n“two..."),
    ],
)
def test_what_stands_inside(line, marks, expected):
    assert shown(line, marks) == expected
    found = text.inside(line, marks)
    assert (found.shape, found.dtype) == ((len(line),), np.bool_)


@pytest.mark.parametrize(
    ("line", "marks", "message"),
    [
        ("the dogs’ bowl", "‘’", "'’' as character 9, which closes what is not open, or is an apo"),
        ("‘the dogs’ bowl’", "‘’", "'’' as character 16, which closes what is not open"),
        ("rock ’n’ roll", "‘’", "'’' as character 6, which closes"),
        ("so” he said", "“”", "'”' as character 3, which closes what is not open; which"),
        ("a) b", "()", r"'\)' as character 2, which closes what is not open;"),
        ("“so “no” so”", "“”", "'“' as character 5, which opens a quotation inside a quotation"),
        ('a 6" disk', '""', "'\"' as character 4, which should open and stands at the end of a wo"),
        ('"so and "so"', '""', "character 9, which should close and stands at the beginning of a"),
        ("the dogs' bowl", "''", "character 9, which should open and stands at the end of a word"),
    ],
)
def test_an_ambiguous_text_is_refused_with_the_reason(line, marks, message):
    with pytest.raises(ValueError, match=message):
        text.inside(line, marks)


@pytest.mark.parametrize(
    ("line", "marks", "error", "message"),
    [
        ("so", "“", ValueError, "marks is '“', expected two characters: one opens, one closes"),
        ("so", "“”“", ValueError, "marks is '“”“', expected two"),
        ("so", ("“", "”"), ValueError, "marks is .*expected two"),
        ("so", b"()", ValueError, "marks is b'.*expected two"),
        (b"so", "()", TypeError, "text is bytes, expected a str: decode it first"),
        (["so"], "()", TypeError, "text is a list, expected a str"),
    ],
)
def test_bad_arguments_are_named(line, marks, error, message):
    with pytest.raises(error, match=message):
        text.inside(line, marks)


@given(st.lists(st.sampled_from(["a", " ", "(", ")"])))
def test_brackets_are_counted_or_refused(pieces):
    line, depth, expected = "".join(pieces), 0, []
    for c in line:
        depth += (c == "(") - (c == ")")
        expected.append(depth > 0)
        if depth < 0:
            with pytest.raises(ValueError, match="closes what is not open"):
                text.inside(line, "()")
            return
    assert text.inside(line, "()").tolist() == expected

"""Text as sequences of characters: an alphabet, labels, one-hot inputs, and what stands in marks.

A character is a code point, as in a Python str. So é may be one character, or an e and the accent
that combines with it; ``unicodedata.normalize("NFC", text)`` makes texts agree on the first.
"""

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..validation import Array, numeric, require_shape

APOSTROPHES = "'’"  # between two letters they belong to a word


def alphabet(*texts: str) -> str:
    """Return the characters of texts, each once, in the order of their code points.

    Parameters
    ----------
    *texts : str, at least one character in all

    Raises
    ------
    TypeError, ValueError
        No str, no character, or half of a surrogate pair.

    Examples
    --------
    >>> from rnncourse.data import text
    >>> text.alphabet("to be", "or not")
    ' benort'
    """
    for number, text in enumerate(texts, start=1):
        _require_text(f"text {number}", text)
    return require_alphabet("".join(sorted(set("".join(texts)))))


def labels(texts: Sequence[str], alphabet: str) -> NDArray[np.intp]:
    """Return texts of one length as labels: the place of each character in the alphabet, from 0.

    Parameters
    ----------
    texts : list of B texts of T characters
    alphabet : str, each character once

    Returns
    -------
    (T, B) int

    Raises
    ------
    TypeError
        `texts` is not a list of str, or `alphabet` not a str. A set has no order to go by.
    ValueError
        No text, an empty one, texts of different lengths, or a character that is not in `alphabet`.

    Examples
    --------
    >>> from rnncourse.data import text
    >>> text.labels(["ab", "ca"], "abc")
    array([[0, 2],
           [1, 0]])
    """
    place = {c: i for i, c in enumerate(require_alphabet(alphabet))}
    if isinstance(texts, str | bytes) or not isinstance(texts, Sequence):
        kind = type(texts).__name__
        raise TypeError(f"texts is a {kind}, expected a list of texts, such as [text]")
    for number, text in enumerate(texts, start=1):
        _require_text(f"text {number}", text)
        if not text:
            raise ValueError(f"text {number} is empty, expected at least one character")
    lengths = sorted({len(text) for text in texts})
    if len(lengths) != 1:
        raise ValueError(f"texts has the lengths {lengths}, expected texts of one length")
    for text in texts:
        for step, c in enumerate(text, start=1):
            if c not in place:
                raise ValueError(
                    f"text has {_named(c)} as character {step}, expected one of {alphabet!r}"
                    f"{_hint(text, alphabet)}"
                )
    return np.array([[place[c] for c in text] for text in texts], dtype=np.intp).T


def one_hot(texts: Sequence[str], alphabet: str, dtype: DTypeLike = np.float64) -> Array:
    """Return texts of one length as inputs: each character a 1 in its place of the alphabet.

    Parameters
    ----------
    texts : list of B texts of T characters
    alphabet : str of D characters, each once
    dtype : float32 or float64

    Returns
    -------
    (T, B, D)

    Raises
    ------
    TypeError, ValueError
        As for `labels`.

    Examples
    --------
    >>> from rnncourse.data import text
    >>> text.one_hot(["ba"], "abc")[:, 0]
    array([[0., 1., 0.],
           [1., 0., 0.]])
    """
    return np.eye(len(require_alphabet(alphabet)), dtype=dtype)[labels(texts, alphabet)]


def decode(labels: ArrayLike, alphabet: str) -> list[str]:
    """Return the texts that labels stand for: the inverse of `labels`.

    Parameters
    ----------
    labels : (T, B) int from 0 to D − 1
    alphabet : str of D characters, each once

    Returns
    -------
    list of B texts of T characters

    Raises
    ------
    TypeError, ValueError
        Labels that are not (T, B) whole numbers, or that the alphabet does not have.

    Examples
    --------
    >>> from rnncourse.data import text
    >>> text.decode([[0, 2], [1, 0]], "abc")
    ['ab', 'ca']
    """
    D = len(require_alphabet(alphabet))
    array = numeric("labels", labels, "iu", "whole numbers")
    require_shape("labels", array, ("T", "B"))
    if array.size and not (array.min() >= 0 and array.max() < D):
        wrong = array[(array < 0) | (array >= D)][0]
        raise ValueError(f"labels holds {wrong}, expected 0 to {D - 1}")
    return ["".join(alphabet[k] for k in column) for column in array.T]


def inside(text: str, marks: str = "“”") -> NDArray[np.bool_]:
    """Return for each character whether, once it is read, one of the two `marks` stands open.

    Parameters
    ----------
    text : str
        It may end before a mark is closed, but not begin inside.
    marks : str of two characters
        One opens, one closes. Brackets may nest. Quotation marks may not; one that opens at the
        beginning of a line goes on with the quotation before. Two equal marks, such as ``'""'``,
        open and close in turn. An apostrophe between two letters is no mark.

    Returns
    -------
    (T,) bool, True from an opening mark to before the one that closes it

    Raises
    ------
    TypeError, ValueError
        Marks that are not two characters, or a mark in the text that can not be what its turn makes
        it: it closes what is not open, opens a quotation in a quotation, or stands on the wrong
        side of a word. Such a text is ambiguous.

    Examples
    --------
    >>> from rnncourse.data import text
    >>> text.inside("a (b)", "()")
    array([False, False,  True,  True, False])
    """
    _require_text("text", text)
    if not isinstance(marks, str) or len(marks) != 2:
        raise ValueError(f"marks is {marks!r}, expected two characters: one opens, one closes")
    opening, closing = marks[0], marks[1]
    depth, found = 0, []
    for i, c in enumerate(text):
        before, after = text[i - 1 : i], text[i + 1 : i + 2]
        if c in marks and not (c in APOSTROPHES and _in_word(before) and _in_word(after)):
            opens = not depth if opening == closing else c == opening
            if fault := _fault(opens, opening, closing, depth, before, after):
                raise ValueError(
                    f"text has {c!r} as character {i + 1}, {fault}; which characters stand inside "
                    f"{marks} is ambiguous"
                )
            if not opens:
                depth -= 1
            elif not depth or _nests(opening):
                depth += 1
        found.append(depth > 0)
    return np.array(found, dtype=bool)


def _fault(opens: bool, opening: str, closing: str, depth: int, before: str, after: str) -> str:
    """Return why a mark can not open, or close, where it stands; empty if it can."""
    if opening == closing:
        space_before, space_after = not before.strip(), after.isspace()
        if opens and space_after and not space_before:
            return "which should open and stands at the end of a word"
        if not opens and space_before and not space_after:
            return "which should close and stands at the beginning of a word"
    elif not opens and not depth:
        also = ", or is an apostrophe" if closing in APOSTROPHES else ""
        return f"which closes what is not open{also}"
    elif opens and depth and not _nests(opening) and before not in ("", "\n"):
        return "which opens a quotation inside a quotation"
    return ""


def _in_word(c: str) -> bool:
    return bool(c) and (c.isalnum() or unicodedata.combining(c) > 0)


def _nests(opening: str) -> bool:
    """Say whether such marks stand inside each other: all but quotation marks."""
    return unicodedata.category(opening) not in ("Pi", "Pf") and opening not in "„‚"


def require_alphabet(alphabet: object) -> str:
    """Return `alphabet` if it is a str with each character once; raise otherwise."""
    if not isinstance(alphabet, str):
        order = ", which has no order" if isinstance(alphabet, set | frozenset) else ""
        raise TypeError(f"alphabet is a {type(alphabet).__name__}{order}, expected a str")
    if not alphabet:
        raise ValueError("alphabet is empty, expected at least one character")
    if any("\ud800" <= c <= "\udfff" for c in alphabet):
        raise ValueError("alphabet has half of a surrogate pair, expected whole characters")
    if twice := [c for c in alphabet if alphabet.count(c) > 1]:
        raise ValueError(f"alphabet has {_named(twice[0])} twice, expected each character once")
    return alphabet


def _require_text(name: str, text: object) -> None:
    if isinstance(text, bytes | bytearray):
        raise TypeError(f"{name} is {type(text).__name__}, expected a str: decode it first")
    if not isinstance(text, str):
        raise TypeError(f"{name} is a {type(text).__name__}, expected a str")


def _named(c: str) -> str:
    """Return a character as Python writes it; one that does not stand alone, by its number."""
    return ascii(c) if unicodedata.combining(c) else repr(c)


def _hint(text: str, alphabet: str) -> str:
    """Return what would help, where text and alphabet write the same letters in two ways."""
    for form in ("NFC", "NFD"):
        if set(unicodedata.normalize(form, text)) <= set(alphabet):
            return f'. As unicodedata.normalize("{form}", text) it fits'
    return ""

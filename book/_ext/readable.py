r"""A formula in words and signs: ``W_{hh}^\top \delta^a_t`` becomes "W_hh^⊤ δ^a_t"."""

import re
from collections.abc import Iterator

from docutils.utils.math import tex2unichar

KINDS = ("accent", "alpha", "bin", "close", "fence", "op", "open", "ord", "rel")
SIGNS: dict[str, str] = {}
for kind in KINDS:
    SIGNS |= getattr(tex2unichar, f"math{kind}")
SIGNS |= {
    "to": "→",
    "dots": "…",
    "ldots": "…",
    "cdots": "⋯",
    "epsilon": "ε",
    "sqrt": "√",
    "lVert": "‖",
    "rVert": "‖",
    "lvert": "|",
    "rvert": "|",
}
# Commands about the look of what follows, and those that are a space.
LOOK = {"left", "right", "displaystyle", "textstyle", "limits", "nonumber", "notag", "!"}
LOOK |= {size + side for size in ("big", "Big", "bigg", "Bigg") for side in ("", "l", "r", "m")}
SPACES = {"quad", "qquad", ",", ";", ":", " ", ">", "\\"}
FRACTIONS = {"frac", "dfrac", "tfrac"}
TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\s+|.", re.DOTALL)


def readable(latex: str) -> str:
    """Return `latex` as plain text. What it does not know stays as the name of the command."""
    return re.sub(r"\s+", " ", _group(iter(TOKEN.findall(latex)))).strip()


def _group(tokens: Iterator[str]) -> str:
    """Return the text up to the end of the group."""
    found = ""
    for token in tokens:
        if token == "}":
            break
        found += _one(token, tokens)
    return re.sub(r"([∂∇]) +", r"\1", found)


def _argument(tokens: Iterator[str]) -> str:
    """Return the text of the next argument."""
    for token in tokens:
        if not token.isspace():
            return _one(token, tokens).strip()
    return ""


def _one(token: str, tokens: Iterator[str]) -> str:
    if token == "{":
        return _group(tokens)
    if token in "_^":
        return token + _together(_argument(tokens), r"[^\W_]*|[⊤∗*+′']")
    if token in "&~":
        return " "
    if token == "-":
        return "−"
    if not token.startswith("\\"):
        return token
    name = token[1:]
    if name in FRACTIONS:
        return "/".join(
            _together(_argument(tokens), r"(\w|[∂⊤]|[_^](\+|\([^()]*\)))*") for _ in "ab"
        )
    if name in ("begin", "end", "phantom"):
        _argument(tokens)
        return " "
    if name in LOOK:
        return ""
    if name in SPACES:
        return " "
    # \mathrm, \text, \operatorname and their like only dress what comes next.
    if name.startswith(("math", "text", "operatorname", "under", "over")):
        return ""
    return SIGNS.get(name, name)


def _together(text: str, whole: str) -> str:
    """Put brackets around what would fall apart behind an index or beside a fraction's bar."""
    return text if re.fullmatch(rf"{whole}|\([^()]*\)", text) else f"({text})"

"""What all explorables share: values with a range, the widget in Jupyter, its twin in a page.

An explorable is an ES module and a small class beside it: ``unit.js`` and ``unit.py``. In Jupyter
the class is a widget whose values Python reads and sets. Where there is no kernel, its HTML twin
mounts the same code. `words.json` holds every word that an explorable shows.
"""

import html
import json
import re
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import anywidget
import numpy as np
import traitlets

from ..notebook import display_with_twin

FOLDER = Path(__file__).parent
IMPORT = re.compile(r'^import \{ ([^}]*) \} from "\./(\w+\.js)";\n', re.MULTILINE)

ADDRESS = "/:;,.()?!'*+-~=@$"  # what may stand in an address as it is


class _Value(traitlets.TraitType):  # its type arguments are newer than traitlets 5.7
    """A value that Python and the page share, and that only takes what it allows."""

    def __init__(self, default: Any) -> None:
        super().__init__(default)
        self.tag(sync=True, value=True)

    def refuse(self, value: object, expected: str) -> traitlets.TraitError:
        return traitlets.TraitError(f"{self.name} is {value!r}, expected {expected}")


class Number(_Value):
    """A number from `low` to `high`; `step` is that of its slider. Whole if all three are int."""

    def __init__(self, default: float, low: float, high: float, step: float) -> None:
        super().__init__(default)
        self.low, self.high, self.step = low, high, step
        self.whole = all(isinstance(n, int) for n in (low, high, step))

    def validate(self, obj: Any, value: Any) -> float:
        """Return `value` as float or int; raise ``TraitError`` unless it is allowed."""
        kinds = (int, np.integer) if self.whole else (int, float, np.integer, np.floating)
        # A page sends 2.0 as 2, and may send a whole number as 2.0.
        if self.whole and isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise self.refuse(value, self.expected())
        if not self.low <= value <= self.high:
            raise self.refuse(value, self.expected())
        return int(value) if self.whole else float(value)

    def expected(self) -> str:
        """Return what is allowed, in words."""
        return f"a {'whole ' * self.whole}number from {self.low} to {self.high}"

    def spec(self) -> dict[str, Any]:
        """Return what the page needs to know."""
        return {"kind": "number", "low": self.low, "high": self.high, "step": self.step}


class Numbers(_Value):
    """A tuple of as many numbers as `default` has, from `low` to `high` in steps of `step`.

    Any sequence can be assigned. A tuple, so that no entry can be changed behind the page's back.
    """

    def __init__(self, default: Sequence[float], low: float, high: float, step: float) -> None:
        super().__init__(tuple(default))
        self.size = len(default)
        self.entry = Number(low, low, high, step)

    def validate(self, obj: Any, value: Any) -> tuple[float, ...]:
        """Return `value` as a tuple; raise ``TraitError`` unless it is allowed."""
        if isinstance(value, np.ndarray):
            value = value.tolist()
        listed = isinstance(value, Sequence) and not isinstance(value, str | bytes)
        if not listed or any(isinstance(entry, Sequence) for entry in value):
            raise self.refuse(value, f"a list of {self.size} numbers")
        if len(value) != self.size:
            raise self.refuse(value, f"{self.size} numbers, not {len(value)}")
        numbers = []
        for index, number in enumerate(value):
            self.entry.name = f"{self.name}[{index}]"
            numbers.append(self.entry.validate(obj, number))
        return tuple(numbers)

    def spec(self) -> dict[str, Any]:
        """Return what the page needs to know."""
        return {**self.entry.spec(), "kind": "numbers", "min": self.size, "max": self.size}


class Choice(_Value):
    """One of `options`."""

    def __init__(self, default: str | float, options: Sequence[str | float]) -> None:
        super().__init__(default)
        self.options = list(options)

    def validate(self, obj: Any, value: Any) -> str | float:
        """Return `value`; raise ``TraitError`` unless it is one of the options."""
        if isinstance(value, np.generic):
            value = value.item()
        if type(value) is int and isinstance(self.options[0], float):
            value = float(value)  # a page sends 1.0 as 1
        for option in self.options:
            if type(value) is type(option) and value == option:
                return option
        raise self.refuse(value, "one of " + ", ".join(map(repr, self.options)))

    def spec(self) -> dict[str, Any]:
        """Return what the page needs to know."""
        return {"kind": "choice", "options": self.options}


class Truth(_Value):
    """True or False."""

    def validate(self, obj: Any, value: Any) -> bool:
        """Return `value`; raise ``TraitError`` unless it is True or False."""
        if not isinstance(value, (bool, np.bool_)):
            raise self.refuse(value, "True or False")
        return bool(value)

    def spec(self) -> dict[str, Any]:
        """Return what the page needs to know."""
        return {"kind": "truth"}


@cache
def words() -> dict[str, dict[str, str]]:
    """Return the catalogue: for each explorable its words, by key."""
    return json.loads((FOLDER / "words.json").read_text(encoding="utf-8"))


@cache
def source(file: str) -> str:
    """Return a script or style sheet without its comment lines, empty lines and indentation.

    `file` lies beside this module, or is a whole path.
    """
    text = (FOLDER / file).read_text(encoding="utf-8")
    text = re.sub(r"^ */\*\*.*?\*/\n", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"^ *//.*\n", "", text, flags=re.MULTILINE)
    return re.sub(r"\n\s*", "\n", text).strip() + "\n"


@cache
def files(name: str) -> tuple[str, ...]:
    """Return the script `name` and those that it imports, each behind those that it needs."""
    needed = chain(*(files(file) for _, file in re.findall(IMPORT, source(name))))
    return tuple(dict.fromkeys([*needed, name]))


def _code(names: Iterable[str]) -> str:
    """Return the code of scripts without what they import, one after the other."""
    return "".join(re.sub(IMPORT, "", source(name)) for name in names)


@cache
def work(name: str) -> str:
    """Return what the worker of a figure runs: a function `work` that returns what `name` exports.

    It needs nothing but itself, so that its text can be sent to a worker.
    """
    inner = re.sub(r"^export ", "", _code(files(name)), flags=re.MULTILINE)
    names = ", ".join(re.findall(r"^export (?:const|function) (\w+)", source(name), re.MULTILINE))
    return f'function work() {{\n"use strict";\n{inner}return {{ {names} }};\n}}\n'


WORK = {"playground": "work.js", "writer": "text.js"}  # what the workers of figures run


@cache
def module(name: str) -> str:
    """Return the explorable `name` as one ES module: what it imports, then its own code."""
    return _code(files(f"{name}.js")) + (work(WORK[name]) if name in WORK else "")


# A module's script waits until its page is whole, and cannot be a file of its own in a page that is
# opened as a file. So a page has classic scripts, made from the same sources.


def function(code: str, result: str) -> str:
    """Return the code of modules as a function that is called at once and returns `result`."""
    inner = re.sub(r"^export (default .*\n)?", "", code, flags=re.MULTILINE)
    return f'(() => {{\n"use strict";\n{inner}return {result};\n}})()'


@cache
def kit_script() -> str:
    """Return what all figures of a page need, as a classic script: it sets `rnncourse`."""
    code = _code([*files("kit.js"), "twin.js"])
    names = ", ".join(re.findall(r"^export (?:const|function) (\w+)", code, re.MULTILINE))
    return f"globalThis.rnncourse = {function(code, f'{{ {names} }}')};\n"


@cache
def kit_element() -> str:
    """Return the element that gives a page the kit and its style sheet."""
    return f"<script>\n{kit_script()}rnncourse.dress({in_script(source('kit.css'))});\n</script>\n"


@cache
def expression(name: str) -> str:
    """Return the explorable `name` as an expression, for a page that has the kit."""
    kit = files("kit.js")
    own = [file for file in files(f"{name}.js") if file not in kit]
    imports = chain(*(re.findall(IMPORT, source(file)) for file in own))
    names = chain(*(names.split(", ") for names, file in imports if file in kit))
    taken = ", ".join(sorted(set(names)))
    worker = work(WORK[name]) if name in WORK else ""
    return function(f"const {{ {taken} }} = rnncourse;\n{_code(own)}{worker}", "explorable")


@cache
def play_script() -> str:
    """Return what trains a network without a worker, as a classic script: it sets `coursePlay`."""
    offered = "{ forward, room, run, solved }"
    return f"globalThis.coursePlay = {function(_code(files('play.js')), offered)};\n"


def in_script(data: object) -> str:
    """Return `data` as JSON that may stand in a script element."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


class Explorable(anywidget.AnyWidget):
    """A figure to play with; the base of all of them.

    Every value can be given by name: ``OneUnit(w=2.0)``. It can be read and set later:
    ``figure.w = 3``. In Jupyter the page follows, and what is moved in the page can be read here.
    Inside another widget, such as a box, a figure has no twin.

    Raises
    ------
    traitlets.TraitError
        A value of the wrong type or out of its range, or a name that is none of the values.
    """

    name: ClassVar[str]
    _spec = traitlets.Dict().tag(sync=True)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if "name" in vars(cls):  # not so in the class that anywidget derives for each widget
            cls._esm, cls._css = module(cls.name), source("kit.css")
        super().__init_subclass__(**kwargs)

    def __init__(self, **values: Any) -> None:
        traits = self.values()
        for key in values:
            if key not in traits:
                allowed = ", ".join(traits)
                raise traitlets.TraitError(f"{key} is no value of this figure, expected {allowed}")
        # Where this one starts, and what a reset returns to.
        self.start = self.defaults() | {k: traits[k].validate(self, v) for k, v in values.items()}
        super().__init__(_spec=self.spec(), **values)

    @classmethod
    def values(cls) -> dict[str, Any]:
        """Return the figure's values: for each name its trait."""
        # Class traits are kept by name; the order of the class body is the better one to show.
        found = cls.class_traits(value=True)
        order = [key for base in reversed(cls.__mro__) for key in vars(base) if key in found]
        return {key: found[key] for key in order}

    def spec(self) -> dict[str, Any]:
        """Return what the page must know: each value's range and start, the words, the data."""
        traits = {k: {**v.spec(), "default": self.start[k]} for k, v in self.values().items()}
        return {
            "name": self.name,
            "traits": traits,
            "words": words()["kit"] | words()[self.name],
            "data": self.data(),
        }

    def data(self) -> dict[str, Any]:
        """Return what the page needs besides, as JSON: the module finds it in ``ui.data``."""
        return {}

    def defaults(self) -> dict[str, Any]:
        """Return where a figure of this kind starts if nothing is given, by name."""
        return {key: trait.default_value for key, trait in self.values().items()}

    @property
    def state(self) -> dict[str, Any]:
        """All values by name."""
        return {key: getattr(self, key) for key in self.values()}

    def reset(self) -> None:
        """Set all values to those that the figure was made with."""
        with self.hold_sync():  # one message to the page
            for key, value in self.start.items():
                setattr(self, key, value)

    def __repr__(self) -> str:
        first = self.defaults()
        given = [f"{key}={value!r}" for key, value in self.state.items() if value != first[key]]
        return f"{type(self).__name__}({', '.join(given)})"

    def to_html(self) -> str:
        """Return the twin for a page without a kernel, in the present state.

        It needs nothing but itself. Without JavaScript it is a picture and a sentence.
        """
        own = words()[self.name]
        drawing = source(f"stills/{self.name}.svg")
        size = re.findall(r'width="\d+" height="\d+"', drawing)[0]
        picture = html.escape(f"data:image/svg+xml,{quote(drawing, safe=ADDRESS)}")
        state = html.escape(in_script(self.state))
        return (
            f'<div data-explorable="{self.name}" data-state="{state}">'
            f'<img src="{picture}" alt="{html.escape(own["still"])}" {size} '
            f'style="width:100%;height:auto">'
            f"<p>{html.escape(words()['kit']['without'])}</p></div>\n"
            f"{kit_element()}<script>\n"
            f"rnncourse.start({in_script(self.spec())}, {expression(self.name)});\n</script>"
        )

    def _ipython_display_(self) -> None:
        display_with_twin(self, {"text/html": self.to_html()})

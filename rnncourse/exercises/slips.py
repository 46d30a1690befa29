"""Look for the one slip that turns the solution of an exercise into a given answer.

A slip is a small change of the solution's code, of the kind that is made by hand: a transpose that
is missing, a factor that is left out, an index that is one too small, one variable in place of
another, a line that is forgotten. What gives the same numbers in every call explains the answer.
"""

import ast
import inspect
import itertools
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .definition import Exercise, Function

Path = tuple[tuple[str, int | None], ...]  # from the function down to a node: field, place in it
OTHERS = {  # of a function or a method: what is taken for it
    "max": ("min", "mean"),
    "min": ("max",),
    "mean": ("sum",),
    "sum": ("mean", "prod"),
    "prod": ("sum", "cumprod"),
    "argmax": ("argmin", "max"),
    "arctanh": ("tanh", "arctan"),
    "log": ("log10", "log2"),
}
SIGNALS = ("delta_h", "delta_a", "delta_c")
NEXT = 7  # words and signs that are shown beside what differs
KEPT = ("range", "len", "zip", "enumerate", "zeros", "sum", "list")  # never without its brackets


def slips(task: Exercise) -> Iterator[tuple[Function, str]]:
    """Yield each function that is one slip away from the solution, and what the slip is.

    Parameters
    ----------
    task : an exercise; nothing is yielded where the source code of its solution is not at hand
    """
    try:
        source = textwrap.dedent(inspect.getsource(task.solution))
    except OSError:
        return
    function = _parsed(source)
    function.decorator_list, function.body = [], function.body[1:]  # without its docstring
    source = ast.unparse(function)
    given = [a.arg for a in function.args.args]
    for changed, told in itertools.chain(  # names last: with them a likeness may be by chance
        _in_lines(source),
        _in_what_is_given(source, given),
        _in_expressions(source, _alternatives),
        _in_expressions(source, lambda node: _other_names(node, given)),
    ):
        module = ast.fix_missing_locations(ast.Module([changed], []))
        space = dict(task.solution.__globals__)
        exec(compile(module, f"<{task.name}>", "exec"), space)
        yield space[function.name], told


def _parsed(source: str) -> ast.FunctionDef:
    """Return a function's code, each time anew, so that it may be changed."""
    function = ast.parse(source).body[0]
    assert isinstance(function, ast.FunctionDef)
    return function


def _in_lines(source: str) -> Iterator[tuple[ast.FunctionDef, str]]:
    """Leave a line out, put it higher, or change what a loop does."""
    function = _parsed(source)
    for *above, (field, k) in _paths(function, ast.stmt):
        block = getattr(_at(function, above), field)
        node, line = block[k], ast.unparse(block[k]).splitlines()[0]

        def changed(above: Any = above, field: str = field) -> tuple[ast.FunctionDef, Any]:
            fresh = _parsed(source)
            return fresh, getattr(_at(fresh, above), field)

        if isinstance(node, ast.For):
            fresh, lines = changed()
            lines[k].body.append(fresh.body[-1])
            yield fresh, "a return inside the loop"
            fresh, lines = changed()
            lines[k].iter = _code("reversed(list(x))", x=lines[k].iter)
            yield fresh, "a loop that runs the other way"
        elif isinstance(node, ast.AugAssign):
            fresh, lines = changed()
            lines[k] = ast.Assign([node.target], node.value)
            yield fresh, f"= in place of += in the line {line}"
        if isinstance(node, ast.Return):
            continue
        if len(block) > 1:
            fresh, lines = changed()
            del lines[k]
            yield fresh, f"the line {line} left out"
        if k:
            fresh, lines = changed()
            lines[k - 1], lines[k] = lines[k], lines[k - 1]
            yield fresh, f"the line {line} one place higher"


def _in_what_is_given(source: str, given: list[str]) -> Iterator[tuple[ast.FunctionDef, str]]:
    """Change an argument wherever it is used."""
    for name in given:
        for way in (f"{name}.T", f"{name}[1:]", f"{name}[:-1]"):
            fresh = _parsed(source)
            fresh.body.insert(0, ast.parse(f"{name} = {way}").body[0])
            yield fresh, f"{way} in place of {name}"


def _in_expressions(
    source: str, alternatives: Callable[[ast.expr], Iterator[ast.expr]]
) -> Iterator[tuple[ast.FunctionDef, str]]:
    """Change one expression."""
    function = _parsed(source)
    for path in _paths(function, ast.expr):
        node = _at(function, path)
        shown = path[:-1]  # what stands around it, to show where it is
        while not isinstance(_at(function, shown), ast.expr | ast.stmt) or isinstance(
            _at(function, shown), ast.Slice
        ):
            shown = shown[:-1]
        was = ast.unparse(_at(function, shown))
        for new in alternatives(node):
            fresh = _parsed(source)
            _put(fresh, path, new)
            put, now = ast.unparse(new), ast.unparse(_at(fresh, shown))
            if isinstance(_at(function, shown), ast.Return) and put in was:
                yield fresh, f"it stops at {put}"  # the rest is not given away
            elif "\n" in was:
                yield fresh, _beside(put, ast.unparse(node))
            else:
                yield fresh, _beside(now, was)


def _beside(now: str, was: str) -> str:
    """Return two pieces of code in words; of long ones, what differs and what stands next to it."""
    a, b = (re.findall(r"\w+|\s+|[^\w\s]", text) for text in (now, was))
    if len(was) > 40:
        begin = max(0, _alike(a, b) - NEXT)
        end = max(0, _alike(a[:begin:-1], b[:begin:-1]) - NEXT)
        if begin > 2:
            a, b = (["…", *x[begin:]] for x in (a, b))
        if end > 2:
            a, b = ([*x[:-end], "…"] for x in (a, b))
    now, was = ("".join(x).replace("… ", "…").replace(" …", "…") for x in (a, b))
    return f"{now} in place of {was}"


def _alike(a: list[str], b: list[str]) -> int:
    """Return how many of the first words are the same in both."""
    return len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False))))


def _paths(node: ast.AST, kind: type, path: Path = ()) -> Iterator[Path]:
    """Yield the way to each node of a kind, but into no while loop: it could become endless."""
    for field, value in ast.iter_fields(node):
        several = isinstance(value, list)
        for k, child in enumerate(value) if several else [(None, value)]:
            if isinstance(child, ast.AST) and not isinstance(child, (ast.While, ast.arguments)):
                here = (*path, (field, k))
                if isinstance(child, kind):
                    yield here
                yield from _paths(child, kind, here)


def _at(node: Any, path: Sequence[tuple[str, int | None]]) -> Any:
    for field, k in path:
        node = getattr(node, field) if k is None else getattr(node, field)[k]
    return node


def _put(node: Any, path: Path, new: Any) -> None:
    (field, k), above = path[-1], _at(node, path[:-1])
    if k is None:
        setattr(above, field, new)
    else:
        getattr(above, field)[k] = new


def _code(text: str, **parts: ast.expr) -> ast.expr:
    """Return an expression in which each name stands for one that is given."""

    class Filled(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return parts.get(node.id, node)

    return Filled().visit(ast.parse(text, mode="eval").body)


def _other_names(node: ast.expr, given: list[str]) -> Iterator[ast.expr]:
    """Yield other arguments in place of one, and of the signals δ^h, δ^a, δ^c one of another."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        others = given if node.id in given else []
        if node.id in SIGNALS:
            others = [*others, *SIGNALS]
        yield from (ast.Name(other, ast.Load()) for other in others if other != node.id)


def _moved(node: ast.expr) -> Iterator[ast.expr]:
    """Yield a number that is 1 less, and 1 more, as one would write it."""
    if re.fullmatch(r"-?\d+", ast.unparse(node)):
        yield from (_code(str(int(ast.unparse(node)) + by)) for by in (-1, 1))
    elif isinstance(node, ast.BinOp) and ast.unparse(node.right) == "1":
        yield node.left
    else:
        yield from (_code(way, a=node) for way in ("a - 1", "a + 1"))


def _alternatives(node: ast.expr) -> Iterator[ast.expr]:
    """Yield what may stand in place of an expression by a slip."""
    if isinstance(node, ast.BinOp):
        yield from _of_two(node)
    elif isinstance(node, ast.Call):
        yield from _of_a_call(node)
    elif isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield node.operand
        if isinstance(node.operand, ast.Constant):
            yield from _moved(node)
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield from _moved(node)
    elif isinstance(node, ast.Subscript):
        if not isinstance(node.slice, (ast.Constant, ast.Tuple, ast.Slice)):
            yield from (ast.Subscript(node.value, by, node.ctx) for by in _moved(node.slice))
        if isinstance(node.ctx, ast.Load):
            yield node.value


def _of_two(node: ast.BinOp) -> Iterator[ast.expr]:
    a, b, op = node.left, node.right, node.op
    yield a
    yield b
    if isinstance(op, ast.MatMult):
        yield from (_code(way, a=a, b=b) for way in ("b @ a", "a.T @ b", "a * b", "b.T @ a"))
        if isinstance(b, ast.BinOp) and isinstance(b.op, ast.Mult):
            yield _code("c * (a @ d)", a=a, c=b.left, d=b.right)
    elif isinstance(op, (ast.Add, ast.Sub)):
        yield ast.BinOp(a, ast.Sub() if isinstance(op, ast.Add) else ast.Add(), b)
        if isinstance(a, ast.Constant) and isinstance(b, ast.BinOp) and isinstance(b.op, ast.Pow):
            ways = "1 - np.tanh(x) ** 2", "x * (1 - x)", "(1 - x) ** 2", "x"
            yield from (_code(way, x=b.left) for way in ways)
    elif isinstance(op, ast.Div):
        yield from (_code(way, a=a, b=b) for way in ("a * b", "b / a"))


def _of_a_call(node: ast.Call) -> Iterator[ast.expr]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
    if isinstance(node.func, ast.Attribute):
        for other in OTHERS.get(name, ()):
            func = ast.Attribute(node.func.value, other, ast.Load())
            yield ast.Call(func, node.args, node.keywords)
    if node.keywords:
        yield ast.Call(node.func, node.args, [])
    if name == "range":
        for k, bound in enumerate(node.args[:2]):
            for by in _moved(bound):
                yield ast.Call(node.func, [*node.args[:k], by, *node.args[k + 1 :]], [])
    elif len(node.args) == 2:
        yield ast.Call(node.func, node.args[::-1], node.keywords)
        yield ast.Call(node.func, node.args[:1], node.keywords)
    elif len(node.args) == 1 and name not in KEPT:
        yield node.args[0]
        if name in ("tanh", "sigmoid"):
            other = "1 / (1 + np.exp(-x))" if name == "tanh" else "np.tanh(x)"
            yield _code(other, x=node.args[0])

"""The verbs that the sources can record, followed from the calls that record them."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

RECORDERS = frozenset({"record", "record_many", "refuse", "refuse_by_the_minute"})
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Module:
    """A source file, with its calls by name and by the function that makes them."""

    path: Path
    tree: ast.Module = field(init=False)

    def __post_init__(self) -> None:
        self.tree = ast.parse(self.path.read_text(encoding="utf-8"))

    @cached_property
    def constants(self) -> dict[str, str]:
        return {
            node.targets[0].id: node.value.value
            for node in self.tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        }

    @cached_property
    def calls(self) -> list[tuple[ast.Call, Function | None]]:
        return list(_calls(self.tree, None))

    def verbs(self) -> Iterator[str]:
        """Raises ValueError for a verb that cannot be followed to the texts it may be."""
        for call, inside in self.calls:
            if _name(call) in RECORDERS:
                for keyword in call.keywords:
                    if keyword.arg == "verb":
                        yield from self._texts(keyword.value, inside)

    def _texts(self, value: ast.expr, inside: Function | None) -> Iterator[str]:
        match value:
            case ast.Constant(value=str(text)):
                yield text
            case ast.Name(id=name) if name in self.constants:
                yield self.constants[name]
            case ast.Name(id=name) if inside is not None and name in _parameters(inside):
                yield from self._given(inside, name)
            case ast.JoinedStr(values=[ast.Constant(value=str(start)), ast.FormattedValue(value=end)]):
                yield from (start + text for text in self._texts(end, inside))
            case _:
                raise ValueError(f"{self.path}:{value.lineno}: {ast.unparse(value)}")

    def _given(self, function: Function, parameter: str) -> Iterator[str]:
        """What the module's own calls of the function give it for the parameter."""
        for call, inside in self.calls:
            if _name(call) == function.name:
                position = _parameters(function).index(parameter)
                named = [keyword.value for keyword in call.keywords if keyword.arg == parameter]
                for value in named or call.args[position : position + 1]:
                    yield from self._texts(value, inside)


def _calls(node: ast.AST, inside: Function | None) -> Iterator[tuple[ast.Call, Function | None]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield child, inside
        yield from _calls(child, child if isinstance(child, Function) else inside)


def _parameters(function: Function) -> list[str]:
    return [each.arg for each in (*function.args.args, *function.args.kwonlyargs)]


def _name(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""

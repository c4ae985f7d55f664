"""Every exception of ours derives from one base, and the tree in the docstring of `streams.errors` is complete."""

import ast
import builtins
from pathlib import Path

from streams import errors

ROOT = Path(__file__).parents[1]
BUILT_IN = {
    name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)
}


def exceptions() -> dict[str, tuple[str, str]]:
    """Each exception class of the product: its first base, and its module."""
    classes: dict[str, tuple[list[str], str]] = {}
    for package in ("streams", "sinks", "dashboards"):
        for file in (ROOT / package).rglob("*.py"):
            module = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ClassDef) and node.bases:
                    bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
                    classes[node.name] = bases, module.removeprefix("streams.")

    def raisable(name: str) -> bool:
        return name in BUILT_IN or any(map(raisable, classes.get(name, ([], ""))[0]))

    return {name: (bases[0], module) for name, (bases, module) in classes.items() if raisable(name)}


def tree() -> dict[str, tuple[str, str]]:
    """The tree of the docstring: by name the parent ("" for a root), and the module."""
    found: dict[str, tuple[str, str]] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        words = line.split()
        if not line.startswith("    ") or not words:
            continue
        depth = (len(line) - len(line.lstrip())) // 2 - 2
        name = words[1] if words[0] == "·" else words[0]
        above[depth:] = [name]
        found[name] = above[depth - 1] if depth else "", words[-1] if words[-1] != name else ""
    return found


def test_the_tree_in_the_docstring_is_the_true_one() -> None:
    own = {name: base for name, (base, module) in exceptions().items() if module == "errors"}
    assert own == {"DeskwatchError": "Exception", "UserError": "DeskwatchError", "StartRefused": "SystemExit"}
    drawn = tree()
    assert {name for name, (parent, _) in drawn.items() if not parent} == {"DeskwatchError", "StartRefused"}
    assert {name: found for name, found in drawn.items() if name not in own} == {
        name: found for name, found in exceptions().items() if name not in own
    }


def test_the_module_imports_nothing() -> None:
    assert not any(
        isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(ast.parse(Path(errors.__file__).read_text()))
    )

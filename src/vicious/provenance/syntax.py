"""What the statements of a file bind, import and name, read from their syntax trees."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeGuard

from vicious.system.errors import ProvenanceError

PACKAGE = "vicious"
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
IMPORTS = (ast.Import, ast.ImportFrom)
_CATCHING = (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)
_TARGETS = (ast.Name, ast.Tuple, ast.List, ast.Starred)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Import(NamedTuple):
    """What an import binds: a module, or a name in it."""

    module: str
    name: str | None


class Names(NamedTuple):
    """What statements bind, nested scopes left out.

    Attributes:
        bound: name -> the imports that bind it; None among them stands for any other binding.
        loaded: what is imported, ``import a.b`` in full.
        elsewhere: names declared ``global`` or ``nonlocal``.
    """

    bound: dict[str, set[Import | None]]
    loaded: list[Import]
    elsewhere: set[str]

    def scope(self) -> dict[str, Import | None]:
        """Name -> the import that alone binds it; None where something else does too."""
        return {name: sole(found) for name, found in self.bound.items() if name not in self.elsewhere}


class Module(NamedTuple):
    """A parsed file.

    Attributes:
        package: where its relative imports start.
        walrus: whether expressions may bind names in it.
        bindings: name -> the statements at its top that bind it, and the functions that do so by ``global``.
        aliases: name -> the import that alone binds it.
        loaded: what it imports when it is imported.
        body: its statements, without those for type checkers and those of a script.
    """

    name: str
    file: Path
    package: str
    walrus: bool
    bindings: dict[str, list[ast.stmt]]
    aliases: dict[str, Import]
    loaded: list[Import]
    body: list[ast.stmt]

    def defining(self, name: str) -> list[ast.stmt]:
        """The statements that define a name, or a method as ``Class.method``; none where it is not defined."""
        owner, _, method = name.partition(".")
        found = self.bindings.get(owner, [])
        if not method:
            return found
        inside = [one for each in found if isinstance(each, ast.ClassDef) for one in each.body]
        return [one for one in inside if isinstance(one, DEFINITIONS) and one.name == method]


def ours(module: str) -> bool:
    """Whether a module is of this package."""
    return module == PACKAGE or module.startswith(f"{PACKAGE}.")


def sole(found: set[Import | None]) -> Import | None:
    """The import that alone binds a name."""
    return next(iter(found)) if len(found) == 1 else None


def words_of(annotation: ast.expr) -> Iterator[str]:
    """The names in an annotation, which may be a string."""
    for node in ast.walk(annotation):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isprintable():
            try:
                yield from words_of(ast.parse(node.value, mode="eval").body)
            except SyntaxError:
                continue  # a literal value


def parse(name: str, file: Path) -> Module:
    """Read the file of the module ``name``."""
    source = file.read_text(encoding="utf-8")
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    walrus = ":=" in source
    bindings: dict[str, list[ast.stmt]] = defaultdict(list)
    imports: dict[str, set[Import | None]] = defaultdict(set)
    loaded: list[Import] = []
    body = [one for statement in ast.parse(source, file).body for one in _runs(statement)]
    for statement in body:
        found = collect([statement], package, walrus)
        loaded += found.loaded
        for one, loads in found.bound.items():
            bindings[one].append(statement)
            imports[one] |= loads
        if "global " in source and isinstance(statement, DEFINITIONS):
            for one in {one for node in ast.walk(statement) if isinstance(node, ast.Global) for one in node.names}:
                bindings[one].append(statement)
                imports[one].add(None)
    aliases = {one: load for one, loads in imports.items() if (load := sole(loads)) is not None}
    return Module(name, file, package, walrus, dict(bindings), aliases, loaded, body)


def for_typing(statement: ast.AST) -> TypeGuard[ast.If]:
    """Whether a statement is an ``if TYPE_CHECKING:``, whose body never runs."""
    return isinstance(statement, ast.If) and ast.unparse(statement.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _runs(statement: ast.stmt) -> list[ast.stmt]:
    """The statement, or what of it runs when the module is imported."""
    if isinstance(statement, ast.If):
        if for_typing(statement):
            return [inner for one in statement.orelse for inner in _runs(one)]
        if ast.unparse(statement.test) == "__name__ == '__main__'":
            return []
    return [statement]


def collect(nodes: Iterable[ast.AST], package: str, walrus: bool) -> Names:
    """What ``nodes`` bind in their own scope; ``package`` and ``walrus`` are those of their :class:`Module`."""
    found = Names(defaultdict(set), [], set())
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.expr):
            if isinstance(node, ast.Name):
                if not isinstance(node.ctx, ast.Load):
                    found.bound[node.id].add(None)
            elif isinstance(node, _COMPREHENSIONS):
                if walrus:
                    waiting += [one.target for one in ast.walk(node) if isinstance(one, ast.NamedExpr)]
            elif isinstance(node, _TARGETS) or (walrus and not isinstance(node, ast.Lambda)):
                waiting += ast.iter_child_nodes(node)
        elif isinstance(node, IMPORTS):
            for name, load, full in imports_of(node, package):
                found.bound[name].add(load)
                found.loaded.append(full)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            found.elsewhere.update(node.names)
        elif isinstance(node, DEFINITIONS):
            found.bound[node.name].add(None)
        elif for_typing(node):
            waiting += node.orelse
        else:
            if isinstance(node, _CATCHING) and node.name:
                found.bound[node.name].add(None)
            elif isinstance(node, ast.MatchMapping) and node.rest:
                found.bound[node.rest].add(None)
            waiting += ast.iter_child_nodes(node)
    return found


def imports_of(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[tuple[str, Import, Import]]:
    """For each name of an import: the name, what it is bound to, and what is loaded in full."""
    for alias in node.names:
        if isinstance(node, ast.Import):
            load = Import(alias.name, None)
            head = alias.name.partition(".")[0]
            yield (alias.asname, load, load) if alias.asname else (head, Import(head, None), load)
            continue
        base = package.rsplit(".", node.level - 1)[0] if node.level else ""
        module = ".".join(part for part in (base, node.module) if part)
        if alias.name == "*" and ours(module):
            raise ProvenanceError(f"from {module} import * cannot be followed; import what is used by its name")
        load = Import(module, alias.name)
        yield alias.asname or alias.name, load, load

"""The identity of code by its meaning: a hash that changes when what it computes may change, not when it is cleaned.

:func:`meaning` hashes the definitions that its entries reach within this package, as syntax trees; nothing is imported.

What does not count: docstrings, comments, formatting, annotations, ``if TYPE_CHECKING:``, the names and places of
modules, functions and constants, aliases of imports, the order of definitions, an error's text, and calls that only
report (:data:`EXEMPT`, ``logging``, ``warnings.warn``). Names of classes, methods, arguments and local variables count.

What the walk cannot see:

- Dynamic look-ups: ``getattr`` with a computed name, ``importlib``, ``registry.find``, ``globals()``, names in strings.
  :func:`dynamic_lookups` lists all but the last, and a test compares that list with the expected one. What is found by
  name must be an entry of its own.
- Methods of objects that an entry is handed: a class is reached where its name is used, and an annotation is no use.
- What an annotation does at run time, such as pydantic's conversion of values. Of a class's fields the presence, the
  order, the default and the words ClassVar, InitVar and KW_ONLY count.
- The text in ``__doc__``, ``__name__`` and ``__module__``; values that an exception carries; ``__init_subclass__`` of a
  class whose subclass is not reached; assignments to an attribute of a module from elsewhere; files that are not
  Python; the versions of other packages.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from vicious.provenance.syntax import (
    DEFINITIONS,
    IMPORTS,
    PACKAGE,
    Import,
    Module,
    collect,
    for_typing,
    imports_of,
    ours,
    parse,
    words_of,
)
from vicious.system.errors import ProvenanceError

_SOURCE = Path(__file__).resolve().parents[1]
EXEMPT = (
    "vicious",
    "vicious.system.errors",
    "vicious.system.interrupt",
    "vicious.system.progress",
    "vicious.provenance",
)
"""What only reports is never followed: these modules, and those within them except for ``vicious`` itself."""
_MESSAGES = ("vicious.system.errors", "vicious.system.progress")
"""Of these the arguments are words for a reader: those of a call do not count."""
_BY_NAME = {"getattr", "setattr", "delattr", "hasattr"}
_DYNAMIC = {"globals", "locals", "vars", "eval", "exec", "__import__"}
_DYNAMIC_OUTSIDE = {"importlib.import_module", "operator.attrgetter", "operator.methodcaller", "sys.modules"}
_REGISTRY = "vicious.system.registry"
_MARKS = {"ClassVar", "InitVar", "KW_ONLY"}
_SKIPPED = {"ctx", "kind", "type_comment", "type_params"}


class _Node(NamedTuple):
    """A definition at the top of a module; ``*`` is all of them, ``!`` its other statements, ``?`` every statement."""

    module: str
    name: str


_WHOLE, _EFFECT, _BODY = "*", "!", "?"


class _Exempt(NamedTuple):
    module: str
    name: str


class _Outside(NamedTuple):
    """Something of another package, by the name under which it is imported from there."""

    name: str


_Target = _Node | _Exempt | _Outside


class _Scope(NamedTuple):
    name: str
    is_class: bool
    names: dict[str, Import | None]


class _Text(NamedTuple):
    """A definition's canonical form: text, and between it the definitions that it refers to.

    Attributes:
        loaded: modules that it imports inside functions.
        lookups: places of dynamic look-ups.
    """

    pieces: tuple[bytes | _Node, ...]
    loaded: frozenset[str]
    lookups: frozenset[str]


@cache
def meaning(*entries: str) -> str:
    """Hash of the meaning of ``entries`` and of all that they reach in this package: 16 hex digits.

    Args:
        entries: ``"vicious.attacks.assess:assess_risk"`` for one definition, ``"vicious.steps.fetch:Fetch.run"`` for
            one method and those of its class that it calls on itself, ``"vicious.metrics.image"`` for a whole module,
            whose definitions then count with their names. Their order does not matter.

    Raises:
        ProvenanceError: an entry, or a name of this package that is imported, does not exist.
    """
    source = _source(_SOURCE)
    digests, _ = source.reach(source.entry(entry) for entry in entries)
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()[:16]


def reached(*entries: str) -> list[str]:
    """The definitions behind :func:`meaning`, as ``"module:name"``, sorted: to see why a hash changed."""
    source = _source(_SOURCE)
    return sorted(":".join(node) for node in source.reach(source.entry(entry) for entry in entries)[1])


def dynamic_lookups() -> list[str]:
    """Places outside :data:`EXEMPT` that look something up by a computed name: ``"module:function"``, sorted."""
    source = _source(_SOURCE)
    found: set[str] = set()
    for file in sorted(_SOURCE.rglob("*.py")):
        parts = file.relative_to(_SOURCE).with_suffix("").parts
        name = ".".join((PACKAGE, *(part for part in parts if part != "__init__")))
        if not _exempt(name):
            found |= source.text(_Node(name, _BODY)).lookups
    return sorted(found)


def forget() -> None:
    """Read the source anew from now on, for tests that edit it."""
    meaning.cache_clear()
    _source.cache_clear()


def _exempt(module: str) -> bool:
    return any(module == one or (one != PACKAGE and module.startswith(f"{one}.")) for one in EXEMPT)


def _parents(module: str) -> Iterator[str]:
    while module:
        yield module
        module = module.rpartition(".")[0]


class _Source:
    """The package's source: each file is parsed once, each definition written once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._files: dict[str, Path | None] = {}
        self._modules: dict[str, Module] = {}
        self._texts: dict[_Node, _Text] = {}
        self._digests: dict[_Node, tuple[str, frozenset[_Node], frozenset[str]]] = {}

    def entry(self, entry: str) -> _Node:
        module, _, name = entry.partition(":")
        if "." in name and self.module(module).defining(name):
            return _Node(module, name)
        target = self.target(Import(module, name or None))
        if not isinstance(target, _Node):
            raise ProvenanceError(f"{entry} is no definition that counts; correct the entry")
        return target

    def reach(self, roots: Iterable[_Node]) -> tuple[set[str], set[_Node]]:
        """The digests of roots and of the effects of all modules that they load, and all definitions reached."""
        digests: set[str] = set()
        nodes: set[_Node] = set()
        modules: set[str] = set()
        waiting = list(roots)
        while waiting:
            digest, found, loaded = self.digest(waiting.pop())
            digests.add(digest)
            nodes |= found
            new = self._loading(loaded) - modules
            modules |= new
            waiting += [_Node(name, _EFFECT) for name in new if self.text(_Node(name, _EFFECT)).pieces]
        return digests, nodes

    def _loading(self, modules: Iterable[str]) -> set[str]:
        """``modules`` and all that Python loads with them."""
        found: set[str] = set()
        waiting = list(modules)
        while waiting:
            for name in _parents(waiting.pop()):
                if name not in found and not _exempt(name):
                    found.add(name)
                    waiting += [one for load in self.module(name).loaded for one in self.loads(load)]
        return found

    def loads(self, load: Import) -> list[str]:
        """This package's modules that an import runs.

        Raises:
            ProvenanceError: there is nothing of that name.
        """
        if not ours(load.module):
            return []
        self.target(load)
        inner = f"{load.module}.{load.name}"
        return [load.module, *([inner] if load.name and self.file(inner) else [])]

    def digest(self, root: _Node) -> tuple[str, frozenset[_Node], frozenset[str]]:
        """Hash of all that ``root`` reaches, the definitions reached, and the modules that these load.

        Each definition is numbered when it is first met, and a reference is that number. So neither names nor places
        matter, and a circle needs no care.
        """
        if root not in self._digests:
            total = hashlib.sha256()
            numbers = {root: 0}
            waiting = [root]
            modules: set[str] = set()
            for node in waiting:
                text = self.text(node)
                modules |= {node.module, *text.loaded}
                total.update(b"\n%d:" % numbers[node])
                for piece in text.pieces:
                    if isinstance(piece, bytes):
                        total.update(piece)
                        continue
                    if piece not in numbers:
                        numbers[piece] = len(numbers)
                        waiting.append(piece)
                    total.update(b"<%d>" % numbers[piece])
            self._digests[root] = total.hexdigest(), frozenset(numbers), frozenset(modules)
        return self._digests[root]

    def text(self, node: _Node) -> _Text:
        if node not in self._texts:
            module = self.module(node.module)
            writer = _Writer(self, module, node.name)
            try:
                writer.write()
            except ProvenanceError as error:
                raise ProvenanceError(f"{module.file}: {error}") from error
            self._texts[node] = writer.text()
        return self._texts[node]

    def file(self, module: str) -> Path | None:
        if module not in self._files:
            base = self.root.joinpath(*module.split(".")[1:])
            choices = (base / "__init__.py", base.with_suffix(".py"))
            self._files[module] = next((one for one in choices if one.is_file()), None) if ours(module) else None
        return self._files[module]

    def module(self, name: str) -> Module:
        if name not in self._modules:
            file = self.file(name)
            if file is None:
                raise ProvenanceError(
                    f"there is no module {name} below {self.root}, which an import or an entry names; correct it"
                )
            self._modules[name] = parse(name, file)
        return self._modules[name]

    def target(self, load: Import) -> _Target:
        """What an import binds, followed to where it is defined."""
        if not ours(load.module):
            return _Outside(load.module if load.name is None else f"{load.module}.{load.name}")
        if load.name is not None:
            return self.attribute(load.module, load.name)
        if not _exempt(load.module):
            self.module(load.module)
        return _Node(load.module, _WHOLE)

    def attribute(self, module: str, name: str) -> _Target:
        """What ``module.name`` is: a definition, something imported there, or a module within."""
        inner = f"{module}.{name}"
        if _exempt(module):
            return _Node(inner, _WHOLE) if self.file(inner) else _Exempt(module, name)
        found = self.module(module)
        load = found.aliases.get(name)
        if load is not None and load != (module, name):
            return self.target(load)
        if load is None and name in found.bindings:
            return _Node(module, name)
        if self.file(inner):
            return _Node(inner, _WHOLE)
        if "__getattr__" in found.bindings:
            return _Node(module, "__getattr__")
        if name.startswith("__") and name.endswith("__"):
            return _Exempt(module, name)
        raise ProvenanceError(f"{found.file} defines no {name}; correct the import, the use or the entry")


@cache
def _source(root: Path) -> _Source:
    return _Source(root)


class _Writer(ast.NodeVisitor):
    """Writes the canonical form of one :class:`_Node`."""

    def __init__(self, source: _Source, module: Module, name: str) -> None:
        self.source, self.module, self.name = source, module, name
        self.scopes: list[_Scope] = []
        self.pieces: list[str | _Node] = []
        self.loaded: set[str] = set()
        self.lookups: set[str] = set()

    def text(self) -> _Text:
        """What has been written, neighbouring text joined."""
        joined: list[bytes | _Node] = []
        for _, group in groupby(self.pieces, lambda piece: isinstance(piece, str)):
            pieces = list(group)
            nodes = [one for one in pieces if not isinstance(one, str)]
            joined += nodes or ["".join(map(str, pieces)).encode()]
        return _Text(tuple(joined), frozenset(self.loaded), frozenset(self.lookups))

    def write(self) -> None:
        """Write what the node's name stands for."""
        if self.name == _WHOLE:
            self.everything()
        elif self.name == _EFFECT:
            self.effects()
        elif self.name == _BODY:
            self.statements(self.module.body)
        else:
            self.definition()

    def definition(self) -> None:
        """The statements that bind the name; a function that does so by ``global`` is referred to."""
        for statement in self.module.defining(self.name):
            if isinstance(statement, DEFINITIONS) and statement.name != self.name.rpartition(".")[2]:
                self._refer(_Node(self.module.name, statement.name))
            else:
                self.statements([statement])

    def everything(self) -> None:
        """The module's own definitions by name; of a package also what its ``__init__`` imports."""
        own = [name for name in self.module.bindings if name not in self.module.aliases and name != "__all__"]
        kept = own + (list(self.module.aliases) if self.module.file.name == "__init__.py" else [])
        for name in sorted(kept):
            target = self.source.attribute(self.module.name, name)
            if not self._is_logger(target):
                self._put(f"{name}:")
                self._refer(target)

    def effects(self) -> None:
        """Statements at the top of the module that do more than to bind a name."""
        for statement in self.module.body:
            if isinstance(statement, DEFINITIONS):
                if any(self._is_ours(decorator) for decorator in statement.decorator_list):
                    self._refer(_Node(self.module.name, statement.name))
            elif not isinstance(statement, IMPORTS) and not _only_binds(statement):
                self.statements([statement])

    def statements(self, body: Iterable[ast.AST]) -> None:
        for one in body:
            if isinstance(one, ast.If) and for_typing(one):
                self.statements(one.orelse)
            elif not self._dropped(one):
                self.visit(one)

    def _dropped(self, node: ast.AST) -> bool:
        """Whether a statement does not count."""
        if isinstance(node, ast.Expr):
            return isinstance(node.value, ast.Constant) or (
                isinstance(node.value, ast.Call) and self._reports(node.value)
            )
        if isinstance(node, ast.AnnAssign):
            return node.value is None and not (self.scopes and self.scopes[-1].is_class)
        if isinstance(node, IMPORTS):
            return all(self._is_alias(name) for name, _, _ in imports_of(node, self.module.package))
        return isinstance(node, (ast.Pass, ast.Global))

    def _reports(self, call: ast.Call) -> bool:
        target, rest = self._chain(call.func)
        if isinstance(target, _Outside):
            return target.name == "warnings.warn" or target.name.startswith("logging.")
        return isinstance(target, _Exempt) or (bool(rest) and self._is_logger(target))

    def _is_logger(self, target: _Target | None) -> bool:
        if not isinstance(target, _Node) or _exempt(target.module):
            return False
        module = self.source.module(target.module)
        found = module.bindings.get(target.name, [])
        if len(found) != 1 or not isinstance(found[0], (ast.Assign, ast.AnnAssign)):
            return False
        value = found[0].value
        made = _Writer(self.source, module, "")._chain(value.func)[0] if isinstance(value, ast.Call) else None
        return made == _Outside("logging.getLogger")

    def _is_ours(self, decorator: ast.expr) -> bool:
        target, _ = self._chain(decorator.func if isinstance(decorator, ast.Call) else decorator)
        return isinstance(target, _Node)

    def _is_alias(self, name: str) -> bool:
        return (self.scopes[-1].names if self.scopes else self.module.aliases).get(name) is not None

    def _is_local(self, name: str) -> bool:
        return any(name in scope.names for scope in self.scopes)

    def _lookup(self, name: str) -> _Target | None:
        """What a name means here; None for a local variable and for what Python brings."""
        for depth, scope in enumerate(reversed(self.scopes)):
            if name in scope.names and not (scope.is_class and depth):
                load = scope.names[name]
                return None if load is None else self.source.target(load)
        return self.source.attribute(self.module.name, name) if name in self.module.bindings else None

    def _chain(self, node: ast.AST) -> tuple[_Target | None, list[str]]:
        """What ``a.b.c`` means as far as it can be followed, and the attributes that remain, the last first."""
        rest: list[str] = []
        while isinstance(node, ast.Attribute):
            rest.append(node.attr)
            node = node.value
        target = self._lookup(node.id) if isinstance(node, ast.Name) else None
        while rest and isinstance(target, _Node) and target.name == _WHOLE:
            target = self.source.attribute(target.module, rest.pop())
        if isinstance(target, _Outside):
            return _Outside(".".join((target.name, *reversed(rest)))), []
        return target, rest if target is not None else []

    def _put(self, text: str) -> None:
        self.pieces.append(text)

    def _refer(self, target: _Target) -> None:
        if isinstance(target, _Outside):
            self._put(f"<{target.name}>")
            if target.name in _DYNAMIC_OUTSIDE:
                self.lookups.add(self._place())
        elif isinstance(target, _Exempt) or _exempt(target.module):
            self._put(f"<exempt {target.name}>")
        else:
            self.pieces.append(target)
            if target.module == _REGISTRY and self.module.name != _REGISTRY and target.name in ("find", "names"):
                self.lookups.add(self._place())

    def _place(self) -> str:
        return f"{self.module.name}:{'.'.join(scope.name for scope in self.scopes if scope.name)}"

    def _enter(
        self, name: str, body: Iterable[ast.AST], arguments: ast.arguments | None = None, is_class: bool = False
    ) -> None:
        found = collect(body, self.module.package, self.module.walrus)
        self.loaded.update(module for load in found.loaded for module in self.source.loads(load))
        names = found.scope()
        if arguments is not None:
            names |= {one.arg: None for one in ast.walk(arguments) if isinstance(one, ast.arg)}
        self.scopes.append(_Scope(name, is_class, names))

    def generic_visit(self, node: ast.AST) -> None:
        self._put(f"{type(node).__name__}(")
        for field in node._fields:
            if field not in _SKIPPED:
                self._field(field, getattr(node, field, None))
        self._put(")")

    def _field(self, field: str, value: object) -> None:
        if isinstance(value, list):
            start = len(self.pieces)
            if value and isinstance(value[0], ast.stmt):
                self.statements(value)
            else:
                for one in value:
                    self.visit(one) if isinstance(one, ast.AST) else self._put(f"{one!r},")
            if len(self.pieces) > start:
                self.pieces.insert(start, f"{field}=[")
                self._put("]")
        elif isinstance(value, ast.AST):
            self._put(f"{field}=")
            self.visit(value)
        elif value is not None:
            self._put(f"{field}={value!r},")

    def visit_Constant(self, node: ast.Constant) -> None:
        self._put(f"Constant({node.value!r})")

    def visit_Name(self, node: ast.Name) -> None:
        if not self.scopes and not isinstance(node.ctx, ast.Load):
            self._put("@self" if node.id == self.name else f"Name({node.id})")
            return
        target = self._lookup(node.id)
        if target is not None:
            self._refer(target)
            return
        self._put(f"Name({node.id})")
        if (
            self.scopes
            and self.scopes[-1].is_class
            and isinstance(node.ctx, ast.Load)
            and node.id in self.module.bindings
        ):
            self._refer(self.source.attribute(self.module.name, node.id))  # a class's name may not be bound yet

    def visit_Attribute(self, node: ast.Attribute) -> None:
        target, rest = self._chain(node)
        sibling = f"{self.name.rpartition('.')[0]}.{node.attr}"
        if self.module.defining(sibling) and isinstance(node.value, ast.Name) and node.value.id == "self":
            self._refer(_Node(self.module.name, sibling))  # of the class whose method is written alone
        if target is None:
            self._put(f"Attribute({node.attr},")
            self.visit(node.value)
            self._put(")")
            return
        self._put("".join(f"Attribute({name}," for name in rest))
        self._refer(target)
        self._put(")" * len(rest))

    def visit_Call(self, node: ast.Call) -> None:
        target, rest = self._chain(node.func)
        if isinstance(target, _Exempt) and target.module in _MESSAGES and not rest:
            self._refer(target)
            return
        if target == _Outside("typing.cast") and len(node.args) == 2:
            self.visit(node.args[1])
            return
        if target is None and isinstance(node.func, ast.Name) and not self._is_local(node.func.id):
            computed = len(node.args) > 1 and not isinstance(node.args[1], ast.Constant)
            if node.func.id in _DYNAMIC or (node.func.id in _BY_NAME and computed):
                self.lookups.add(self._place())
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._put("Raise(")
        if node.exc is not None:
            self.visit(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)
        self._put(")")

    def visit_Assert(self, node: ast.Assert) -> None:
        self._put("Assert(")
        self.visit(node.test)
        self._put(")")

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if self.scopes and self.scopes[-1].is_class:
            self._put(f"Field({','.join(sorted(_MARKS.intersection(words_of(node.annotation))))}")
            self._field("target", node.target)
        else:
            self._put("Assign(")
            self._field("targets", [node.target])
        self._field("value", node.value)
        self._put(")")

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        """Only where other statements bind the name too; elsewhere its uses tell."""
        for name, load, _ in imports_of(node, self.module.package):
            if not self._is_alias(name):
                self._put(f"Import({'@self' if not self.scopes and name == self.name else name}=")
                self._refer(self.source.target(load))
                self._put(")")

    visit_ImportFrom = visit_Import

    def visit_arg(self, node: ast.arg) -> None:
        self._put(f"arg({node.arg})")

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._put(f"{type(node).__name__}({'@self' if not self.scopes and node.name == self.name else node.name},")
        self._field("decorators", node.decorator_list)
        self.visit(node.args)
        self._enter(node.name, node.body, node.args)
        self._field("body", node.body)
        self.scopes.pop()
        self._put(")")

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._put("Lambda(")
        self.visit(node.args)
        self._enter("", [node.body], node.args)
        self.visit(node.body)
        self.scopes.pop()
        self._put(")")

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._put(f"ClassDef({node.name},")
        self._field("decorators", node.decorator_list)
        self._field("bases", node.bases)
        self._field("keywords", node.keywords)
        self._enter(node.name, node.body, is_class=True)
        self._field("body", node.body)
        self.scopes.pop()
        self._put(")")

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        self._put(f"{type(node).__name__}(")
        self.visit(node.generators[0].iter)  # belongs to the scope around
        self._enter("", [one.target for one in node.generators])
        for place, one in enumerate(node.generators):
            self._put("async for(" if one.is_async else "for(")
            self.visit(one.target)
            self._field("iter", one.iter if place else None)
            self._field("ifs", one.ifs)
            self._put(")")
        self._field("element", [node.key, node.value] if isinstance(node, ast.DictComp) else node.elt)
        self.scopes.pop()
        self._put(")")

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp


def _only_binds(statement: ast.stmt) -> bool:
    """Whether it is an assignment to names, and to no item or attribute of something."""
    if not isinstance(statement, (ast.Assign, ast.AnnAssign)):
        return False
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return not any(isinstance(one, (ast.Subscript, ast.Attribute)) for target in targets for one in ast.walk(target))

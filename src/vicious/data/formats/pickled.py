"""Pickles read as data: nothing of what a file names is imported, called or built, so none of its code can run.

The opcodes are those of Python's own documentation, in its module ``pickletools``. Of them those are known that plain
values and numpy arrays need; all else is refused. Values are numbers, strings, bytes, tuples, lists and dictionaries,
and :class:`Array` in place of numpy's arrays. Memory stays within a small multiple of the file's size, whatever it
says: lengths are checked against the bytes that are there, and an index of the memo is a key, not a size.
"""

import codecs
import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from vicious.system.errors import DataError

MOST_OPCODES = 4_000_000
"""Ten times those of the largest official file: an empty list takes one byte there, and sixty in memory."""
_MOST_MARKS = 1000
_MOST_SIDES, _LONGEST_SIDE = 32, 2**40
"""Of an array: the product of more, or of longer ones, would take its time."""
_INTEGERS = re.compile("[iu][1248]")
_ORDERS = ("<", ">", "=", "|")


@dataclass
class Kind:
    """What a pickle says of an array's numbers: numpy's code, such as ``u1``, and byte order."""

    code: object
    order: object = "="


@dataclass
class Array:
    """What a pickle says of an array, nothing of it checked."""

    shape: object = ()
    kind: object = None
    raw: object = b""
    columns_first: object = False
    axes: object = None

    def numpy(self) -> NDArray[np.integer[Any]]:
        """The array itself.

        Raises:
            DataError: it is not of whole numbers, or its bytes are not as many as its shape needs.
        """
        kind, shape, raw = self.kind, self.shape, self.raw
        if (
            not isinstance(kind, Kind)
            or not (isinstance(kind.code, str) and _INTEGERS.fullmatch(kind.code) and kind.order in _ORDERS)
            or not isinstance(raw, bytes)
            or not _sides(shape)
            or not (self.axes is None or (_sides(self.axes) and {*self.axes} == {*range(len(shape))}))
        ):
            raise DataError("the pickle holds an array of an unusual kind, which is refused")
        dtype = np.dtype(f"{kind.order}{kind.code}")
        if math.prod(shape) * dtype.itemsize != len(raw):
            raise DataError(f"the pickle holds an array whose shape does not fit its {len(raw)} bytes")
        try:
            found = np.frombuffer(raw, dtype).reshape(shape, order="F" if self.columns_first else "C")
            return found if self.axes is None else found.transpose(self.axes)
        except (ValueError, OverflowError):
            raise DataError("the pickle holds an array of an unusual shape, which is refused") from None


def _sides(value: object) -> TypeGuard[tuple[int, ...]]:
    if not isinstance(value, tuple) or len(value) > _MOST_SIDES:
        return False
    return all(type(side) is int and 0 <= side <= _LONGEST_SIDE for side in value)


@dataclass(frozen=True)
class _Name:
    """A name that a pickle may hold, and what stands for a call of it; None for one that cannot be called."""

    text: str
    call: Callable[..., object] | None = None


def _encoded(text: object, encoding: object = "latin1") -> bytes:
    """What Python 3 writes for bytes below protocol 3; no other codec is ever needed."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise DataError("the pickle asks for another codec than latin1, which is refused")
    return text.encode("latin1")


def _empty_bytes(*arguments: object) -> bytes:
    """What Python 3 writes for empty bytes below protocol 3."""
    if arguments:
        raise DataError("the pickle asks for bytes of a size that it chooses, which is refused")
    return b""


def _from_bytes(raw: object, kind: object, shape: object, order: object, axes: object = None) -> Array:
    """An array of protocol 5; with axes, its sides are those before they are put into that order."""
    return Array(shape, kind, raw, order == "F", axes)


def _number(kind: object, raw: object) -> int:
    """One number that was taken out of an array."""
    return int(Array((), kind, raw).numpy()[()])


_NUMPY = {
    "ndarray": _Name("numpy.ndarray"),
    "dtype": _Name("numpy.dtype", lambda code, *_flags: Kind(_as_text(code))),
}
_MULTIARRAY = {
    "_reconstruct": _Name("_reconstruct", lambda *_arguments: Array()),
    "scalar": _Name("scalar", _number),
}
_NUMERIC = {"_frombuffer": _Name("_frombuffer", _from_bytes)}
_BUILTINS = {"bytes": _Name("bytes", _empty_bytes)}
_NAMES = {
    "numpy": _NUMPY,
    "numpy.core.multiarray": _MULTIARRAY,
    "numpy._core.multiarray": _MULTIARRAY,
    "numpy.core.numeric": _NUMERIC,
    "numpy._core.numeric": _NUMERIC,
    "builtins": _BUILTINS,
    "__builtin__": _BUILTINS,
    "_codecs": {"encode": _Name("encode", _encoded)},
}


def load_pickle(data: bytes) -> Any:
    """The value that a pickle holds, of any protocol up to 5; strings of Python 2 are bytes.

    Raises:
        DataError: it asks for something other than plain values and arrays.
        ValueError: it is not a whole pickle.
    """
    try:
        return _Machine(data).run()
    except (IndexError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


class _Machine:
    """Pickle's stack machine. The methods that are opcodes' are in :data:`_OPCODES`."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._made = 0

    def run(self) -> Any:
        for _ in range(MOST_OPCODES):
            opcode = self._take(1)
            if opcode == b".":
                return self._stack.pop()
            known = _OPCODES.get(opcode)
            if known is None:
                raise DataError(f"the pickle asks for the opcode {opcode!r}, which is refused")
            known(self)
        raise DataError(f"the pickle holds more than {MOST_OPCODES:,} opcodes, which is refused")

    # Reading

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if size < 0 or end > len(self._data):
            raise ValueError(f"it ends after {len(self._data)} bytes")
        found, self._at = self._data[self._at : end], end
        return found

    def number(self, layout: str) -> int:
        """A number of the layout, in the words of ``struct``."""
        found: int = struct.unpack(layout, self._take(struct.calcsize(layout)))[0]
        return found

    def sized(self, layout: str) -> bytes:
        """As many bytes as the number before them says."""
        return self._take(self.number(layout))

    def line(self) -> bytes:
        end = self._data.index(b"\n", self._at)
        found = self._take(end - self._at)
        self._at += 1
        return found

    # Building

    def push(self, value: object) -> None:
        self._stack.append(value)

    def push_again(self) -> None:
        self._stack.append(self._stack[-1])

    def pop(self) -> Any:
        return self._stack.pop()

    def mark(self) -> None:
        if len(self._below) >= _MOST_MARKS:
            raise DataError("the pickle nests deeper than any official one, which is refused")
        self._below.append(self._stack)
        self._stack = []

    def marked(self) -> list[Any]:
        found, self._stack = self._stack, self._below.pop()
        return found

    def put(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    def remember(self) -> None:
        self.put(len(self._memo))

    def get(self, index: int) -> None:
        self.push(self._memo[index])

    def tuple_of(self, size: int) -> None:
        items = [self.pop() for _ in range(size)]
        self.push(tuple(reversed(items)))

    def extend(self, items: list[Any]) -> None:
        if not isinstance(self._stack[-1], list):
            raise ValueError("it appends to what is no list")
        self._stack[-1].extend(items)

    def update(self, items: list[Any]) -> None:
        pairs = dict(_pairs(items))
        if not isinstance(self._stack[-1], dict):
            raise ValueError("it sets an item of what is no dictionary")
        self._stack[-1].update(pairs)

    def two(self) -> list[Any]:
        """The two uppermost values, the lower one first."""
        upper, lower = self.pop(), self.pop()
        return [lower, upper]

    # Names and what is made of them

    def name(self, module: str, name: str) -> None:
        known = _NAMES.get(module, {}).get(name)
        if known is None:
            raise DataError(f"the pickle asks for {module}.{name}, which is refused: only plain arrays are read")
        self.push(known)

    def name_on_stack(self) -> None:
        module, name = self.two()
        if not (isinstance(module, str) and isinstance(name, str)):
            raise ValueError("it names what is no name")
        self.name(module, name)

    def call(self) -> None:
        function, arguments = self.two()
        if not isinstance(function, _Name) or function.call is None or not isinstance(arguments, tuple):
            raise DataError("the pickle asks for a call of something else than a function, which is refused")
        made = function.call(*arguments)
        self._made += len(made) if isinstance(made, bytes) else 0
        if self._made > len(self._data):  # one text, over and over
            raise DataError("the pickle asks for more bytes than it holds, which is refused")
        self.push(made)

    def build(self) -> None:
        one, state = self.two()
        match one, state:
            case Kind(), (_, order, None, None, None, *_):
                one.order = _as_text(order)
            case Array(), (_, shape, kind, columns_first, raw) | (shape, kind, columns_first, raw):
                one.shape, one.kind, one.columns_first, one.raw = shape, kind, columns_first, raw
            case _:
                raise DataError("the pickle asks for a state of an unusual kind, which is refused")
        self.push(one)


def _pairs(items: list[Any]) -> list[tuple[Any, Any]]:
    keys = items[::2]
    if not all(isinstance(key, str | bytes) for key in keys):  # of others, a hash can run deep
        raise DataError("the pickle holds a key of an unusual kind, which is refused")
    return list(zip(keys, items[1::2], strict=True))


def _digits(line: bytes) -> int | bool:
    """A number in words of protocol 0, where 00 and 01 are truth values."""
    return line == b"01" if line in (b"00", b"01") else int(line.rstrip(b"L"))


def _quoted(line: bytes) -> bytes:
    """A string of Python 2, in quotes and with escapes."""
    text = line.strip()
    if len(text) < 2 or text[:1] not in (b"'", b'"') or text[-1:] != text[:1]:
        raise ValueError("it holds a string without quotes")
    return codecs.escape_decode(text[1:-1])[0]


def _as_text(value: object) -> object:
    """What Python 2 wrote as bytes."""
    return value.decode("latin1") if isinstance(value, bytes) else value


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _whole(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


_OPCODES: dict[bytes, Callable[[_Machine], object]] = {
    b"\x80": lambda m: m.number("<B"),  # the protocol
    b"\x95": lambda m: m.number("<Q"),  # a frame's length
    b"(": _Machine.mark,
    b"0": _Machine.pop,
    b"1": _Machine.marked,
    b"2": _Machine.push_again,
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"I": lambda m: m.push(_digits(m.line())),
    b"L": lambda m: m.push(_digits(m.line())),
    b"K": lambda m: m.push(m.number("<B")),
    b"M": lambda m: m.push(m.number("<H")),
    b"J": lambda m: m.push(m.number("<i")),
    b"\x8a": lambda m: m.push(_whole(m.sized("<B"))),
    b"\x8b": lambda m: m.push(_whole(m.sized("<i"))),
    b"F": lambda m: m.push(float(m.line())),
    b"G": lambda m: m.push(m.number(">d")),
    b"S": lambda m: m.push(_quoted(m.line())),
    b"U": lambda m: m.push(m.sized("<B")),
    b"T": lambda m: m.push(m.sized("<i")),
    b"C": lambda m: m.push(m.sized("<B")),
    b"B": lambda m: m.push(m.sized("<I")),
    b"\x8e": lambda m: m.push(m.sized("<Q")),
    b"\x96": lambda m: m.push(m.sized("<Q")),
    b"V": lambda m: m.push(m.line().decode("raw-unicode-escape")),
    b"\x8c": lambda m: m.push(_text(m.sized("<B"))),
    b"X": lambda m: m.push(_text(m.sized("<I"))),
    b"\x8d": lambda m: m.push(_text(m.sized("<Q"))),
    b")": lambda m: m.push(()),
    b"t": lambda m: m.push(tuple(m.marked())),
    b"\x85": lambda m: m.tuple_of(1),
    b"\x86": lambda m: m.tuple_of(2),
    b"\x87": lambda m: m.tuple_of(3),
    b"]": lambda m: m.push([]),
    b"l": lambda m: m.push(m.marked()),
    b"a": lambda m: m.extend([m.pop()]),
    b"e": lambda m: m.extend(m.marked()),
    b"}": lambda m: m.push({}),
    b"d": lambda m: m.push(dict(_pairs(m.marked()))),
    b"s": lambda m: m.update(m.two()),
    b"u": lambda m: m.update(m.marked()),
    b"p": lambda m: m.put(int(m.line())),
    b"q": lambda m: m.put(m.number("<B")),
    b"r": lambda m: m.put(m.number("<I")),
    b"\x94": _Machine.remember,
    b"g": lambda m: m.get(int(m.line())),
    b"h": lambda m: m.get(m.number("<B")),
    b"j": lambda m: m.get(m.number("<I")),
    b"c": lambda m: m.name(m.line().decode(), m.line().decode()),
    b"\x93": _Machine.name_on_stack,
    b"R": _Machine.call,
    b"b": _Machine.build,
}

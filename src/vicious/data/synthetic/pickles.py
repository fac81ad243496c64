"""Pickles as Python 2 wrote them into the official CIFAR files, in pieces so that images can be streamed.

Python 3 cannot write byte strings the way protocol 2 had them, and what numpy writes depends on its version. These few
opcodes (https://docs.python.org/3/library/pickletools.html) reproduce the official layout for every reader.
"""

import struct
from collections.abc import Mapping, Sequence

Value = int | str | Sequence["Value"]

_PROTOCOL, _STOP = b"\x80\x02", b"."
_DICT, _LIST, _MARK, _SET_ITEMS, _APPEND_ITEMS = b"}", b"]", b"(", b"u", b"e"
_TUPLE, _TUPLE1, _TUPLE2, _TUPLE3, _CALL, _SET_STATE = b"t", b"\x85", b"\x86", b"\x87", b"R", b"b"
_NONE, _FALSE = b"N", b"\x89"


def pickled(content: Mapping[str, Value]) -> bytes:
    """A dictionary of numbers, strings and lists."""
    return _PROTOCOL + _DICT + _MARK + _items(content) + pickled_tail()


def pickled_head(content: Mapping[str, Value], last: str) -> bytes:
    """The beginning of a dictionary, up to and including its last key; that key's value and the tail are to follow."""
    return _PROTOCOL + _DICT + _MARK + _items(content) + _value(last)


def pickled_tail() -> bytes:
    """The end of a dictionary."""
    return _SET_ITEMS + _STOP


def array_head(rows: int, columns: int) -> bytes:
    """The beginning of a uint8 array (rows, columns); exactly rows x columns bytes and the tail are to follow."""
    shell = b"cnumpy.core.multiarray\n_reconstruct\n" + b"cnumpy\nndarray\n" + _value(0) + _TUPLE1 + _value("b")
    kind = b"cnumpy\ndtype\n" + _value("u1") + _value(0) + _value(1) + _TUPLE3 + _CALL
    state = _MARK + _value(3) + _value("|") + 3 * _NONE + _value(-1) + _value(-1) + _value(0) + _TUPLE + _SET_STATE
    shape = _value(rows) + _value(columns) + _TUPLE2
    # Always the opcode for long strings: the length is written out in four bytes
    data = b"T" + struct.pack("<i", rows * columns)
    return shell + _TUPLE3 + _CALL + _MARK + _value(1) + shape + kind + state + _FALSE + data


def array_tail() -> bytes:
    """The end of an array."""
    return _TUPLE + _SET_STATE


def _items(content: Mapping[str, Value]) -> bytes:
    return b"".join(_value(key) + _value(value) for key, value in content.items())


def _value(value: Value) -> bytes:
    if isinstance(value, int):
        return b"K" + bytes([value]) if 0 <= value < 256 else b"J" + struct.pack("<i", value)
    if isinstance(value, str):
        data = value.encode("ascii")
        return (b"U" + bytes([len(data)]) if len(data) < 256 else b"T" + struct.pack("<i", len(data))) + data
    return _LIST + _MARK + b"".join(_value(item) for item in value) + _APPEND_ITEMS

"""The reader of pickles, against Python's own on what is sound, and against what nobody should load."""

import pickle
import pickletools
import random
import struct
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fuzzing import mutants

from vicious.data.formats.pickled import MOST_OPCODES, Array, load_pickle
from vicious.system.errors import DataError


def plain(chance: random.Random, depth: int = 0) -> Any:
    """A random value of the kinds that are read."""
    kinds: tuple[Callable[[], Any], ...] = (
        lambda: chance.choice((None, True, False)),
        lambda: chance.choice((0, -1, 255, 256, 65535, 65536, -(2**31), 2**31, 2**63, -(2**2000))),
        lambda: chance.choice((0.0, -1.5, 1e300, float("inf"))),
        lambda: chance.choice(("", "a", "ünï", "\ud800", "line\nbreak\\u", "x" * 300, "y" * 70000)),
        lambda: chance.choice((b"", b"a", bytes(range(256)), b"z" * 70000)),
        lambda: tuple(plain(chance, depth + 1) for _ in range(chance.randrange(6))),
        lambda: [plain(chance, depth + 1) for _ in range(chance.randrange(6))],
        lambda: {chance.choice((f"k{i}", f"k{i}".encode())): plain(chance, depth + 1) for i in range(4)},
    )
    return chance.choice(kinds[: 5 if depth > 3 else None])()


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_are_those_of_pythons_own_reader(protocol: int) -> None:
    for seed in range(300):
        value = plain(random.Random(seed))
        value = [value, value, (value,)]  # what is held twice comes from the memo
        assert load_pickle(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", ["u1", "<i8", ">i4", "<u2", "i1"])
def test_arrays_are_those_of_pythons_own_reader(protocol: int, kind: str) -> None:
    array = np.arange(24).astype(kind).reshape(2, 3, 4)
    for given in (array, np.asfortranarray(array), array[:, ::-1], array[:0], array.transpose(2, 0, 1), array[0, 0, 0]):
        found = load_pickle(pickle.dumps({"a": given, "b": [given]}, protocol))
        if isinstance(given, np.ndarray):
            for one in (found["a"], found["b"][0]):
                np.testing.assert_array_equal(one.numpy(), given)
                assert one.numpy().dtype == given.dtype
        else:
            assert found == {"a": int(given), "b": [int(given)]}


def test_what_python_2_wrote_is_bytes() -> None:
    """Literal pickles of Python 2, of protocols 0 and 2."""
    assert load_pickle(b"(dp0\nS'data'\np1\nS'\\xff\\x00\\n'\np2\nsS\"it's\"\np3\nL5L\ns.") == {
        b"data": b"\xff\x00\n",
        b"it's": 5,
    }
    assert load_pickle(b"\x80\x02}q\x00U\x04dataq\x01U\x02\xff\x00s.") == {b"data": b"\xff\x00"}
    assert load_pickle(b"I01\n.") is True
    assert load_pickle(b"I00\n.") is False
    assert load_pickle(b"I7\n.") == 7


RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
DTYPE = b"cnumpy\ndtype\n(U\x02%bK\x00K\x01tR"
ARRAY = RECONSTRUCT + b"(K\x01%b%bI00\n%btb"


def array(shape: bytes = b"(K\x01K\x04t", kind: bytes = DTYPE % b"u1", raw: bytes = b"U\x04abcd") -> bytes:
    return ARRAY % (shape, kind, raw) + b"."


def test_the_array_of_the_attacks_is_sound_without_them() -> None:
    assert load_pickle(array()).numpy().tolist() == [[97, 98, 99, 100]]


UNUSUAL = {
    "objects": array(kind=DTYPE % b"O8"),
    "void": array(kind=DTYPE % b"V4"),
    "no kind": array(kind=b"N"),
    "a nested kind": array(kind=b"cnumpy\ndtype\n(" + b")" + b"\x85" * 100_000 + b"K\x00K\x01tR"),
    "a negative side": array(b"(K\x01J\xff\xff\xff\xfft"),
    "a huge side": array(b"(K\x01\x8a\x09" + b"\xff" * 8 + b"\x00t"),
    "huge and empty": array(b"(K\x00\x8a\x09" + b"\xff" * 8 + b"\x00t", raw=b"U\x00"),
    "sides of floats": array(b"(K\x01F4\nt"),
    "sides that are tuples": array(b"(K\x01)t"),
    "a truth value as side": array(b"(I01\nK\x04t"),
    "a shape that is none": array(b"N"),
    "too few bytes": array(raw=b"U\x03abc"),
    "too many bytes": array(raw=b"U\x05abcde"),
    "bytes that are none": array(raw=b"(K\x01K\x02l"),
    "very many sides": array(b"(" + b"K\xff" * 1_000_000 + b"t"),
    "a side of many digits": array(b"(K\x01\x8b\x00\x00\x10\x00" + b"\x7f" * 2**20 + b"t"),
    "100 axes": array(b"(" + b"K\x01" * 99 + b"K\x04t"),
}


@pytest.mark.parametrize("kind", UNUSUAL)
def test_arrays_of_unusual_kinds_are_refused(kind: str) -> None:
    found = load_pickle(UNUSUAL[kind])
    assert isinstance(found, Array)
    with pytest.raises(DataError, match=r"unusual|does not fit"):
        found.numpy()


@pytest.mark.parametrize("axes", [(0, 0), (0,), (1, 2), ("0", "1"), (True, False), 3, ([0], 1)])
def test_axes_that_are_no_order_are_refused(axes: Any) -> None:
    made = Array((2, 2), load_pickle(DTYPE % b"u1" + b"."), b"abcd", False, axes)
    with pytest.raises(DataError, match="unusual kind"):
        made.numpy()


DEEP = 200_000
REFUSED = {
    "a function": b"cos\nsystem\n(U\x02lstR.",
    "a nested name": b"\x80\x04\x8c\x05numpy\x8c\x0fndarray.__new__\x93.",
    "an object": b"\x80\x02cnumpy\nndarray\n)\x81.",
    "an instance": b"(icnumpy\nndarray\n.",
    "the call of a class": b"cnumpy\nndarray\n(K\x04tR.",
    "the call of a number": b"K\x01)R.",
    "a call without a tuple": DTYPE[:13] + b"]R.",
    "persistent": b"Pid\n.",
    "an extension": b"\x82\x01.",
    "a buffer beside": b"\x97.",
    "a set": b"\x8f.",
    "the state of a list": b"]}b.",
    "the state of numpy's own names": b"cnumpy\ndtype\n}b.",
    "fields of a kind": DTYPE % b"V8" + b"(K\x03U\x01|N(U\x01atNK\x08K\x01K\x00tb.",
    "another codec": b"c_codecs\nencode\n(Vabc\nVrot13\ntR.",
    "a nested codec": b"c_codecs\nencode\n(Vabc\n)" + b"\x85" * DEEP + b"tR.",
    "bytes of a size": b"cbuiltins\nbytes\n(J\xff\xff\xff\x7ftR.",
    "one text over and over": b"c_codecs\nencode\nq\x01V"
    + b"a" * 100_000
    + b"\n\x85q\x020"
    + b"h\x01h\x02R" * 1000
    + b".",
    "a nested tuple as key": b"})" + b"\x85" * DEEP + b"K\x01s.",
    "more marks than any official file has": b"(" * 1001 + b".",
    "a list as key": b"}]K\x01s.",
    "more lists than any official file has values": b"]" * (MOST_OPCODES + 1) + b".",
}
BROKEN = {
    "nothing": b"",
    "no end": b"K\x01",
    "an empty stack": b".",
    "an empty stack below": b"0.",
    "no mark": b"K\x01t.",
    "a memo without the index": b"h\x05.",
    "an index that is none": b"K\x01px\n.",
    "an odd dictionary": b"(U\x01ad.",
    "an odd update": b"}(U\x01au.",
    "an item of a list": b"]U\x01aK\x01s.",
    "an addition to a number": b"K\x01K\x02a.",
    "bytes beyond the end": b"\x8e" + struct.pack("<Q", 2**62) + b".",
    "a negative length": b"T\xff\xff\xff\xff.",
    "a negative length of a number": b"\x8b\xff\xff\xff\xff.",
    "a line without end": b"I" + b"1" * 1000,
    "a number of many digits": b"I" + b"1" * 1_000_000 + b"\n.",
    "a number that is none": b"Fabc\n.",
    "a string without quotes": b"Sabc\n.",
    "text that is none": b"X\x01\x00\x00\x00\xff.",
    "too many arguments": b"c_codecs\nencode\n(Va\nVlatin1\nVb\ntR.",
}


@pytest.mark.parametrize(
    ("data", "error"),
    [
        *(pytest.param(data, DataError, id=name) for name, data in REFUSED.items()),
        *(pytest.param(data, ValueError, id=name) for name, data in BROKEN.items()),
    ],
)
def test_what_no_reader_of_images_needs_is_an_error(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        load_pickle(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"K\x01r\xff\xff\xff\xff.", id="a large index"),
        pytest.param(b"K\x01p999999999999\n.", id="a large index in words"),
        pytest.param(b")" + b"\x85" * DEEP + b".", id="nested tuples"),
        pytest.param(b"]" * DEEP + b"a" * (DEEP - 1) + b".", id="nested lists"),
        pytest.param(b"(" * DEEP + b"t" * DEEP + b".", id="nested marks"),
        pytest.param(b"]q\x00" + b"h\x00a" * 100_000 + b".", id="a list in itself"),
        pytest.param(b"\x95" + b"\xff" * 8 + b"N.", id="a large frame"),
        pytest.param(REFUSED["one text over and over"], id="one text over and over"),
        pytest.param(REFUSED["a nested tuple as key"], id="a nested key"),
    ],
)
def test_memory_and_time_follow_the_size_of_the_file(data: bytes) -> None:
    start = time.monotonic()
    tracemalloc.start()
    try:
        load_pickle(data)
    except (DataError, ValueError):
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 300 * len(data) + 2_000_000
    assert time.monotonic() - start < 60


@pytest.mark.fuzz
def test_mutants_end_in_a_value_or_an_explained_error() -> None:
    batch = {
        "batch_label": b"training batch 1 of 5",
        "labels": [1, 2, 300],
        "data": np.arange(12, dtype=np.uint8).reshape(3, 4),
        "filenames": ["a.png", "b.png"],
    }
    for protocol in range(6):
        for mutant in mutants(pickle.dumps(batch, protocol), 3000, protocol):
            try:
                found = load_pickle(mutant)
                if isinstance(found, dict):
                    [value.numpy() for value in found.values() if isinstance(value, Array)]
            except (DataError, ValueError):
                continue


def test_every_opcode_is_known_or_refused() -> None:
    """None ends in another error, whatever follows it."""
    for opcode in pickletools.opcodes:
        for tail in (b".", b"\x00" * 16 + b"\n.", b"a\nb\n."):
            for stack in (b"", b"NN", b"])", b"}(NN"):
                try:
                    load_pickle(stack + opcode.code.encode("latin1") + tail)
                except (DataError, ValueError):
                    continue
    assert sys.getrecursionlimit() < DEEP

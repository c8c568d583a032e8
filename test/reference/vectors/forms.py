"""Numbers, strings, lists and maps in every msgpack form."""

import struct

import numpy as np
from vectors.samples import place, run_of
from vectors.wire import PACKER, SAFE, Form, Long, Many, Text, golden


def u(code, size, value):
    return Form(value, bytes([code]) + (value % 2 ** (8 * size)).to_bytes(size, "big"))


def f32(value):
    return Form(value, b"\xca" + struct.pack(">f", value))


def f64(value):
    return Form(int(value) if value == int(value) else value, b"\xcb" + struct.pack(">d", value))


def text_in(tag, size, text):
    data = text.encode()
    return Form(text, bytes([tag]) + len(data).to_bytes(size, "big") + data)


def make_forms():
    def ack(id, seq, about):
        golden("forms", f"number/{id}", "client", {"type": "ack", "run": "r", "seq": seq}, about)

    for value in (0, 127, 128, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**32, SAFE):
        ack(f"shortest-{value}", value, "an unsigned number in its shortest form")
    for name, code, size in (
        ("uint8", 0xCC, 1),
        ("uint16", 0xCD, 2),
        ("uint32", 0xCE, 4),
        ("uint64", 0xCF, 8),
        ("int8", 0xD0, 1),
        ("int16", 0xD1, 2),
        ("int32", 0xD2, 4),
        ("int64", 0xD3, 8),
    ):
        ack(f"7-as-{name}", u(code, size, 7), "a longer form than need be")
    ack("7-as-float32", Form(7, f32(7.0).raw), "an integer as a float")
    ack("7-as-float64", f64(7.0), "an integer as a float")
    ack("0-as-float64", f64(0.0), "")
    ack("minus-0-as-float64", Form(0, f64(-0.0).raw), "minus zero is zero")
    ack("largest-as-int64", u(0xD3, 8, SAFE), "2^53 − 1")
    ack("largest-as-float64", f64(float(SAFE)), "2^53 − 1")

    def selection(id, entry, about):
        node = {"kind": "write", "place": place(), "value": 0, "selection": [entry]}
        golden("forms", f"number/{id}", "client", run_of(node), about)

    for value in (-1, -32, -33, -128, -129, -32768, -32769, -(2**31), -(2**31) - 1, -SAFE):
        selection(f"shortest-minus-{-value}", value, "a negative number in its shortest form")
    for name, code, size in (("int8", 0xD0, 1), ("int16", 0xD1, 2), ("int32", 0xD2, 4), ("int64", 0xD3, 8)):
        selection(f"minus-7-as-{name}", u(code, size, -7), "a longer form than need be")
    selection("minus-7-as-float64", f64(-7.0), "an integer as a float")
    selection("minus-7-as-float32", Form(-7, f32(-7.0).raw), "an integer as a float")
    selection("least-as-float64", f64(float(-SAFE)), "−(2^53 − 1)")

    def attribute(id, value, about):
        node = {"kind": "operator", "operator": "Op", "inputs": [], "attributes": {"a": value}}
        golden("forms", f"number/{id}", "client", run_of(node), about)

    attribute("float64", 0.1, "a number that is no integer")
    attribute("float32", f32(0.5), "one that float 32 has exactly")
    attribute(
        "float32-inexact",
        Form(float(np.float32(0.1)), f32(0.1).raw),
        "the value is the float 32's, 0.10000000149011612",
    )
    attribute("largest", 1.7976931348623157e308, "the largest finite number")
    attribute("smallest", 5e-324, "the smallest positive number")

    tokenize = {"type": "tokenize", "request": 1, "model": "m"}

    def string(id, text, about):
        golden("forms", f"string/{id}", "client", {**tokenize, "text": text}, about)

    for length in (1, 31, 32, 255, 256, 65535, 65536):
        string(f"{length}-bytes", Text("x", length), "in the shortest form")
    for name, tag, size in (("str8", 0xD9, 1), ("str16", 0xDA, 2), ("str32", 0xDB, 4)):
        string(f"as-{name}", text_in(tag, size, "abc"), "a longer form than need be")
        string(f"empty-as-{name}", text_in(tag, size, ""), "a longer form than need be")
    string("2-byte", "é", "U+00E9")
    string("3-byte", "€ 日本", "U+20AC and others")
    string("astral", "𝄞 👩‍👩‍👧", "beyond U+FFFF, and joined by U+200D")
    string("last", "\U0010ffff", "the last code point")
    string("decomposed", "e\u0301", "nothing is normalised: two code points stay two")
    string("zero", "a\0b", "a zero byte is a character")
    string("controls", "\x01\x1b\x7f\u0085\u2028", "control characters and a line separator")
    string("mark", "\ufeffabc", "a byte order mark in front stays")
    string("mark-long", Form("\ufeff" + "y" * 80, PACKER.pack("\ufeff" + "y" * 80)), "also in a long string")
    string("mark-only", "\ufeff", "and alone")
    string("noncharacter", "\ufffe\uffff\ufffd", "U+FFFE, U+FFFF, U+FFFD")

    cancel = {"type": "cancel", "run": "r"}
    for name, head in (("map16", b"\xde\0\2"), ("map32", b"\xdf\0\0\0\2")):
        golden("forms", f"map/{name}", "client", Long(cancel, head), "the top map in a longer form")
    keyed = Form(cancel, b"\x82\xd9\x04type\xa6cancel\xda\x00\x03run\xa1r")
    golden("forms", "map/long-keys", "client", keyed, "keys in longer forms")
    shuffled = {"run": "r", "seq": 5, "type": "ack"}
    golden("forms", "map/order", "client", shuffled, "the order of the fields means nothing")
    ids = {"type": "detokenize", "request": 1, "model": "m"}
    for name, head in (("list16", b"\xdc\0\2"), ("list32", b"\xdd\0\0\0\2")):
        golden("forms", f"list/{name}", "client", {**ids, "ids": Long([1, 2], head)}, "a list in a longer form")
    for length in (15, 16, 65535, 65536):
        golden("forms", f"list/{length}", "client", {**ids, "ids": Many(1, length)}, "in the shortest form")
    many = {f"a{index:02}": index for index in range(16)}
    node = {"kind": "operator", "operator": "Op", "inputs": [], "attributes": many}
    golden("forms", "map/16-fields", "client", run_of(node), "the shortest form of 16 fields is map 16")
    for length in range(8):
        cut = {"type": "cancel", "run": "r" * (length + 1)}
        golden("forms", f"padding/{length}", "client", cut, "ids of 1 to 8 bytes: every number of padding bytes once")

"""Right headers whose payload is not what they say (PROTOCOL.md, 1.3)."""

import numpy as np
from vectors.fields import MESSAGES, Map
from vectors.samples import run_of, value_of
from vectors.wire import SAFE, Tensor, frame, lay_out, pack, reject


def make_payload_rejections():
    """Right headers whose payload is not what they say."""

    def case(id, direction, message, payload, about):
        header, laid, _ = lay_out(message)
        data = laid if payload is None else payload
        reject("payload", id, direction, frame(pack(header), data), "bad_message", about, rule="1.3")

    def value(id, value, about, payload=None, size=None):
        case(f"value/{id}", "server", value_of(value, size), payload, about)

    def run(id, nodes, about, payload=None):
        case(f"run/{id}", "client", run_of(*nodes), payload, about)

    def put(dtype, shape, values=(), **ref):
        return {"tensor": Tensor(dtype, tuple(shape), tuple(values), ref=ref)}

    three, two = put("uint8", [3], [1, 2, 3]), put("float32", [2], [1, 2])
    both = bytes([1, 2, 3, 0, 0, 0, 0, 0]) + np.array([1, 2], "<f4").tobytes()
    value("length-long", put("float32", [2], [1, 2], length=16), "16 bytes for 2 float32")
    value("length-short", put("float32", [2], [1, 2], length=4), "4 bytes for 2 float32")
    value("length-elements", put("float32", [2], [1, 2], length=2), "elements counted, not bytes")
    value("length-0", put("float32", [2], [1, 2], length=0), "none for 2 float32")
    value("length-bits", put("bool", [8], [1] * 8, length=1), "bools packed into bits")
    value("length-scalar", put("int64", [], [7], length=0), "a scalar has one element")
    value("length-no-elements", put("int64", [0], [], length=8), "a dim of 0 has no bytes", bytes(8), 8)
    value(
        "length-giant", put("uint8", [1], [1], dims=[2**31 - 1] * 8, length=SAFE), "dims whose product no number holds"
    )
    value(
        "length-wrapped", put("uint8", [0], [], dims=[2**16] * 4, length=0), "dims whose product wraps to 0 in 64 bits"
    )
    value("offset-8", put("uint8", [3], [1, 2, 3], offset=8), "the first is at 0", bytes(8) + bytes([1, 2, 3]), 11)
    value("offset-overlap", {"tuple": [two, put("float32", [2], [1, 2], offset=0)]}, "two tensors in the same bytes")
    value(
        "offset-same-bytes",
        {"tuple": [two, put("float32", [2], (), offset=0, length=8)]},
        "shared bytes, none left over",
        np.array([1, 2], "<f4").tobytes(),
        8,
    )
    value(
        "offset-gap",
        {"tuple": [three, put("float32", [2], (), offset=16, length=8)]},
        "8 bytes that no tensor has",
        both[:8] + bytes(8) + both[8:],
        24,
    )
    value(
        "offset-swapped",
        {"tuple": [put("uint8", [3], [1, 2, 3], offset=8), put("float32", [2], [1, 2], offset=0)]},
        "the order of the header is the order of the payload",
        both[8:] + both[:3],
        11,
    )
    value(
        "offset-no-elements",
        {"tuple": [two, put("uint8", [0], (), offset=0)]},
        "without elements too, an offset is the next one",
    )
    value(
        "offset-no-elements-past",
        {"tuple": [two, put("uint8", [0], (), offset=16)]},
        "without elements too, an offset is the next one",
        None,
    )
    value("padding", {"tuple": [three, two]}, "a byte between two tensors is not zero", both[:5] + b"\1" + both[6:])
    value(
        "padding-last",
        {"tuple": [three, two]},
        "the last byte between two tensors is not zero",
        both[:7] + b"\xff" + both[8:],
    )
    value(
        "padding-no-elements",
        {"tuple": [three, put("uint8", [0])]},
        "the bytes before one without elements are zero too",
        both[:7] + b"\1",
        8,
    )
    value(
        "short-last",
        {"tuple": [three, put("uint8", [0])]},
        "the zero bytes before one without elements are missing",
        both[:3],
        3,
    )
    value(
        "packed",
        {"tuple": [three, put("float32", [2], (), offset=8, length=8)]},
        "no zero bytes between",
        both[:3] + both[8:],
        11,
    )
    value("long", three, "a byte after the last tensor", bytes([1, 2, 3, 0]), 4)
    value("long-aligned", three, "zero bytes after the last tensor", both[:8], 8)
    value("long-no-elements", put("uint8", [0]), "a payload of no element", bytes(8), 8)
    value("more-than-bytes", three, "more payload than `bytes`", bytes([1, 2, 3, 0]), 3)
    value("short", two, "`bytes` is less than the tensor", np.array([1], "<f4").tobytes(), 4)
    value("bool-2", put("bool", [3], [0, 1, 2]), "a bool byte of 2")
    value("bool-255", put("bool", [1], [255]), "a bool byte of 255")
    value("bool-in-tuple", {"tuple": [put("uint8", [1], [2]), put("bool", [1], [2])]}, "the second is no bool")
    constant = {"kind": "constant"}
    run("long", [{**constant, **three}], "a byte after the last constant", bytes([1, 2, 3, 0]))
    run("short", [{**constant, **three}], "the last byte is missing", bytes([1, 2]))
    run("none", [{**constant, **three}], "no payload", b"")
    run("no-constants", [{"kind": "log"}], "a payload of no constant", bytes(8))
    run("length", [{**constant, **put("float32", [2], [1, 2], length=4)}], "4 bytes for 2 float32")
    run(
        "offset",
        [{**constant, **put("uint8", [3], [1, 2, 3], offset=8)}],
        "the first is at 0",
        bytes(8) + bytes([1, 2, 3]),
    )
    run(
        "overlap",
        [{**constant, **two}, {**constant, **put("float32", [2], (), offset=0, length=8)}],
        "two constants in the same bytes",
        np.array([1, 2], "<f4").tobytes(),
    )
    swapped = [put("uint8", [3], (), offset=8, length=3), put("float32", [2], (), offset=0, length=8)]
    run("order", [{**constant, **ref} for ref in swapped], "not in the order of the nodes", both[8:] + both[:3])
    run(
        "padding",
        [{**constant, **three}, {**constant, **two}],
        "a byte between is not zero",
        both[:3] + b"\1" + both[4:],
    )
    run("bool", [{**constant, **put("bool", [2], [0, 2])}], "a bool byte of 2")
    log = {"type": "log", "run": "r", "seq": 1, "node": 0}
    case("log/no-value", "server", {**log, "text": "t"}, bytes(8), "a payload and no value")
    case("log/long", "server", {**log, "value": three}, bytes([1, 2, 3, 0]), "a byte after the tensor")
    case("log/short", "server", {**log, "value": three}, bytes([1, 2]), "a log's payload is never in parts")
    for kind in MESSAGES["client"]:
        if kind != "run":
            case(
                f"none/{kind}",
                "client",
                {"type": kind, **Map(MESSAGES["client"][kind]).sample},
                bytes(8),
                "names no tensors",
            )
    for kind in MESSAGES["server"]:
        if kind not in ("value", "chunk", "log"):
            sample = {"type": kind, **Map(MESSAGES["server"][kind]).sample}
            case(f"none/{kind}", "server", sample, bytes([1]), "names no tensors")

"""Every dtype and its edge values, dims, tuples, and where tensors lie in a payload; values in parts."""

from vectors.samples import run_of, tensor, value_of
from vectors.wire import INF, NAN, SEQUENCES, as_json, element, frame, golden, in_hex, lay_out, pack

EDGES = {
    "bool": [[0, 1, 1, 0]],
    "int8": [[-128, -1, 0, 1, 127]],
    "uint8": [[0, 1, 128, 255]],
    "int16": [[-(2**15), -1, 0, 2**15 - 1]],
    "uint16": [[0, 1, 2**15, 2**16 - 1]],
    "int32": [[-(2**31), -1, 0, 2**31 - 1]],
    "uint32": [[0, 1, 2**31, 2**32 - 1]],
    "int64": [[-(2**63), -(2**53) - 1, -1, 0, 1, 2**53 + 1, 2**63 - 1]],
    "uint64": [[0, 1, 2**53 + 1, 2**63, 2**64 - 1]],
    "float16": [[0.0, -0.0, 1, -1, INF, -INF, NAN], [65504, 2**-14, 2**-24, 1023 * 2**-24, 1 / 3]],
    "float32": [[0.0, -0.0, 1, -1, INF, -INF, NAN], [3.4028234663852886e38, 2**-126, 2**-149, 1 / 3]],
    "float64": [[0.0, -0.0, 1, -1, INF, -INF, NAN], [1.7976931348623157e308, 2**-1022, 5e-324, 1 / 3]],
}
NANS = {
    "float16": "017e 017c ff ff",
    "float32": "0100c07f 0100807f ffffffff",
    "float64": "010000000000f87f 010000000000f07f ffffffffffffffff",
}


def make_tensors():
    def server(id, value, about):
        golden("tensors", id, "server", value_of(value), about)

    for dtype, groups in EDGES.items():
        for label, values in zip(("edges", "finite-edges"), groups):
            server(f"{dtype}/{label}", tensor(dtype, [len(values)], values), "the dtype's edge values")
        server(f"{dtype}/scalar", tensor(dtype, [], [1]), "dims [] is one element")
        server(f"{dtype}/no-elements", tensor(dtype, [0]), "a dim of 0: no bytes")
    for dtype, bits in NANS.items():
        server(
            f"{dtype}/nan-bits",
            tensor(dtype, [3], bits=bits.replace(" ", "")),
            "NaNs keep their bits: quiet, signalling, all ones",
        )
    server("dims/row-major", tensor("uint8", [2, 3], [0, 1, 2, 10, 11, 12]), "rows [0 1 2] and [10 11 12]")
    server("dims/rank-8", tensor("int16", [1, 2, 1, 2, 1, 1, 1, 1], [1, 2, 3, 4]), "8 dims")
    server("dims/rank-8-no-elements", tensor("float64", [7, 6, 5, 4, 3, 2, 1, 0]), "8 dims, the last 0")
    server("dims/largest", tensor("float32", [2**31 - 1, 0, 2**31 - 1]), "the largest dims, and 0 among them")
    odd, even = tensor("uint8", [3], [1, 2, 3]), tensor("float64", [1], [0.5])
    server("tuple/one", {"tuple": [odd]}, "a tuple of one is not its member")
    server("tuple/aligned", {"tuple": [odd, even]}, "5 zero bytes lie between; the second is at 8")
    server("tuple/no-gap", {"tuple": [even, odd]}, "nothing lies between, nothing behind")
    empty = tensor("int32", [0, 2])
    server("tuple/no-elements", {"tuple": [odd, empty, odd]}, "one without elements has an offset too: 8, 8, and 8")
    server("tuple/no-elements-last", {"tuple": [odd, empty]}, "zero bytes up to it belong to the payload")
    server("tuple/no-elements-only", {"tuple": [empty, empty]}, "no payload")
    server(
        "tuple/mixed",
        {"tuple": [{"tuple": [odd, {"tuple": [empty]}]}, even, {"tuple": [{"tuple": [odd]}]}]},
        "order of the header",
    )
    server("tuple/every-dtype", {"tuple": [tensor(d, [1], [1]) for d in EDGES]}, "12 dtypes, each at a multiple of 8")
    deep = {"tuple": [odd]}
    for _ in range(5):
        deep = {"tuple": [deep]}
    server("tuple/6-deep", deep, "the deepest that a tensor may lie")

    def client(id, message, about):
        golden("tensors", id, "client", message, about)

    constant = {"kind": "constant", **tensor("float32", [2], [1, 2])}
    client("constant", run_of(constant), "a constant's tensor is in the run's payload")
    client(
        "constant/two",
        run_of({"kind": "constant", **odd}, {"kind": "save", "value": 0}, constant),
        "in the order of the nodes",
    )
    client(
        "constant/scalar",
        run_of({"kind": "constant", **tensor("int64", [], [2**53 + 1])}),
        "beyond what a header can say",
    )
    client("constant/no-elements", run_of({"kind": "constant", **tensor("bool", [0])}), "no payload")


def make_sequences():
    """A value that comes in parts: `value`, then `chunk`s of exactly chunkBytes, the last one shorter."""

    def sequence(id, value, chunk, about):
        message = value_of(value)
        header, payload, tensors = lay_out(message)
        parts = [payload[at : at + chunk] for at in range(0, len(payload), chunk)]
        frames = [frame(pack(header), parts[0])]
        for index, part in enumerate(parts[1:], 1):
            head = {"type": "chunk", "run": "r1", "seq": 3 + index, "save": 1, "offset": index * chunk}
            frames.append(frame(pack(head), part))
        listed = [
            {
                "path": path,
                "dtype": t.dtype,
                "dims": list(t.dims),
                "values": [element(v, t.dtype) for v in t.array().tolist()],
            }
            for path, t in tensors
        ]
        SEQUENCES.append(
            {
                "id": id,
                "about": about,
                "direction": "server",
                "chunkBytes": chunk,
                "value": as_json(header["value"]),
                "bytes": len(payload),
                "tensors": listed,
                "hex": [in_hex(f) for f in frames],
            }
        )

    sequence("three", tensor("int32", [5], [1, 2, 3, 4, 5]), 8, "20 bytes in parts of 8, 8 and 4")
    sequence("exact", tensor("uint8", [32], range(32)), 16, "the last part is full too, and none follows")
    sequence("unaligned", tensor("float64", [2], [0.5, NAN]), 7, "parts end where they end, within an element too")
    pair = {"tuple": [tensor("uint8", [3], [1, 2, 3]), tensor("float32", [2], [1, -0.0])]}
    sequence("tuple", pair, 4, "a part may begin in the zero bytes between two tensors")

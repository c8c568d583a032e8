"""Hash graphs as PROTOCOL.md, section 3.4 says, independently of the TypeScript code.

    python test/reference/make_hashes.py --out test/conformance/vectors/hashes.json

Needs only `msgpack`. `canonical` holds values with their canonical bytes in hex; `graphs` holds graphs as a `run`
message has them, `payload` being the bytes (hex) of their constants, with the hash and the retry hash. Graphs with
one `means` are the same, those with another are not. `sessions` are likewise runs of several traces, with their retry hash.
"""
from __future__ import annotations

import argparse
import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import msgpack

SAFE = 2**53 - 1


# --- section 3.4 -------------------------------------------------------------------------------------------------


def normal(x: Any) -> Any:
    """x with its maps in the canonical order, absent fields left out, and each number as the type it counts as."""
    if isinstance(x, dict):
        present = {key: value for key, value in x.items() if value is not None}
        return {key: normal(present[key]) for key in sorted(present, key=lambda key: key.encode())}
    if isinstance(x, (list, tuple)):
        return [normal(item) for item in x]
    if isinstance(x, float) and x.is_integer() and abs(x) <= SAFE:
        return int(x)
    if isinstance(x, int) and not isinstance(x, bool) and abs(x) > SAFE:
        return float(x)
    return x


def canonical(x: Any) -> bytes:
    return msgpack.packb(normal(x), use_bin_type=True, use_single_float=False)


def H(x: Any) -> str:
    return hashlib.sha256(canonical(x)).hexdigest()


def digests(nodes: list[dict[str, Any]], payload: bytes, traces: list[list[str]] = []) -> list[str]:
    found: list[str] = []

    def before(id: int, *, kind: str, place: dict[str, Any] | None = None) -> int:
        def same(node: dict[str, Any]) -> bool:
            where = lambda at: (at["module"], at["port"], at.get("source"), at.get("invoke", 0))
            return place is None or where(node["place"]) == where(place)

        return sum(node["kind"] == kind and same(node) for node in nodes[:id])

    for id, node in enumerate(nodes):
        kind = node["kind"]
        place = node.get("place")
        if kind == "constant":
            tensor = node["tensor"]
            data = payload[tensor["offset"] : tensor["offset"] + tensor["length"]]
            x = [kind, tensor["dtype"], tensor["dims"], hashlib.sha256(data).hexdigest()]
        elif kind == "parameter":
            x = [kind, node["name"]]
        elif kind == "read":
            x = [kind, place, before(id, kind="write", place=place)]
        elif kind == "operator":
            x = [kind, node["operator"], [found[input] for input in node["inputs"]], node.get("attributes", {})]
        elif kind == "member":
            x = [kind, found[node["of"]], node["index"]]
        elif kind == "apply":
            x = [kind, node["module"], found[node["input"]]]
        elif kind == "earlier":
            x = [kind, {"trace": node["trace"], "step": node.get("step")}, traces[node["trace"]][node["node"]]]
        elif kind == "write":
            w = before(id, kind="write", place=place)
            x = [kind, place, w, found[node["value"]], node.get("selection", 0)]
            if "mask" in node:
                x.append(found[node["mask"]])
        elif kind == "skip":
            x = [kind, {"module": node["module"], "invoke": node.get("invoke")}, found[node["value"]]]
        elif kind == "stop":
            x = [kind, place]
        elif kind == "save":
            x = [kind, found[node["value"]]]
        elif kind == "log":
            value = found[node["value"]] if "value" in node else None
            x = [kind, before(id, kind="log"), {"text": node.get("text"), "value": value}]
        else:
            raise ValueError(kind)
        found.append(H(x))
    return found


def hashes(graph: dict[str, Any], payload: bytes, traces: list[list[str]] = []) -> tuple[str, str]:
    nodes = graph["nodes"]
    all = digests(nodes, payload, traces)
    acts = sorted(d for d, node in zip(all, nodes) if node["kind"] in ("write", "skip", "stop", "save", "log"))
    hash = H([graph["invokes"], acts])
    named = [[id, d] for id, d in enumerate(all) if nodes[id]["kind"] in ("save", "log")]
    return hash, H([hash, named])


def session_hash(traces: list[dict[str, Any]], payload: bytes) -> str:
    """The retry hash of a run of several traces."""
    known: list[list[str]] = []
    entries = []
    for trace in traces:
        entries.append([hashes(trace["graph"], payload, known)[1], trace.get("generate", 0)])
        known.append(digests(trace["graph"]["nodes"], payload, known))
    return H(entries)


# --- the cases ---------------------------------------------------------------------------------------------------

VALUES: list[Any] = [
    0, 1, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, SAFE,
    -1, -32, -33, -128, -129, -32768, -32769, -(2**31), -(2**31) - 1, -SAFE,
    1.0, -0.0, 1e3, 0.5, -1.5, 0.1, 2.0**53, -(2.0**60), 1e300, 5e-324,
    True, False, "", "é", "\ufeffa", "a" * 31, "a" * 32, "a" * 255, "a" * 256,
    [], [[]], list(range(15)), list(range(16)),
    {}, {"b": 1, "a": 2}, {"a": 1, "aa": 2, "B": 3, "é": 4, "": 5},
    {"\uffff": 1, "\U00010000": 2},  # by UTF-8 bytes; UTF-16 units would sort them the other way round
    {f"k{i}": i for i in range(16)},
    {"z": {"y": [], "x": {}}, "a": [{"d": 0, "c": 0.5}]},
]  # fmt: skip

GPT = {"input": {"text": "The Eiffel Tower is in the city of"}}
IDS = {"input": {"ids": [5, 300, 70000]}}


def place(module: str, port: str = "output", member: int | None = None) -> dict[str, Any]:
    return {"module": module, "port": port} | ({} if member is None else {"member": member})


def read(module: str, port: str = "output", member: int | None = None) -> dict[str, Any]:
    return {"kind": "read", "place": place(module, port, member)}


def write(value: int, module: str, selection: list[Any] | None = None, **at: Any) -> dict[str, Any]:
    node = {"kind": "write", "place": place(module, **at), "value": value}
    return node if selection is None else node | {"selection": selection}


def read_source(module: str, source: str) -> dict[str, Any]:
    return {"kind": "read", "place": {"module": module, "port": "source", "source": source}}


def write_source(value: int, module: str, source: str) -> dict[str, Any]:
    return {"kind": "write", "place": {"module": module, "port": "source", "source": source}, "value": value}


def stop(module: str, port: str = "output") -> dict[str, Any]:
    return {"kind": "stop", "place": place(module, port)}


def save(value: int) -> dict[str, Any]:
    return {"kind": "save", "value": value}


def log(**fields: Any) -> dict[str, Any]:
    return {"kind": "log", **fields}


def op(operator: str, *inputs: int, **attributes: Any) -> dict[str, Any]:
    node = {"kind": "operator", "operator": operator, "inputs": list(inputs)}
    return node | {"attributes": attributes} if attributes else node


class Constants:
    """The payload of a graph: each tensor at the next multiple of 8."""

    def __init__(self) -> None:
        self.payload = b""

    def __call__(self, dtype: str, dims: list[int], data: bytes) -> dict[str, Any]:
        self.payload += bytes(-len(self.payload) % 8)
        tensor = {"dtype": dtype, "dims": dims, "offset": len(self.payload), "length": len(data)}
        self.payload += data
        return {"kind": "constant", "tensor": tensor}


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def cases() -> list[tuple[str, str, list[Any], list[Any], bytes]]:
    """(name, means, invokes, nodes, payload) of each."""
    found: list[tuple[str, str, list[Any], list[Any], bytes]] = []

    def case(name: str, nodes: list[Any], means: str | None = None, invoke: Any = GPT, payload: bytes = b"",
             invokes: list[Any] | None = None) -> None:  # fmt: skip
        found.append((name, means or name, invokes or [invoke], nodes, payload))

    h0, h1 = "transformer.h.0", "transformer.h.1"
    two = [read(h1), save(0), read(h0), save(2), stop(h0)]
    case("two blocks and a stop", two)
    case("two blocks and a stop, statements in another order",
         [stop(h0), read(h0), read(h1), save(1), save(2)], means="two blocks and a stop")
    case("two blocks and a stop, with nodes that nothing needs",
         [read(h1), save(0), read(h0), {"kind": "parameter", "name": "w"}, op("Relu", 3), save(2), stop(h0)],
         means="two blocks and a stop")
    case("two blocks and a stop, one read twice",
         [read(h1), save(0), read(h0), read(h0), save(3), stop(h0)], means="two blocks and a stop")
    case("two blocks and a stop, fields in another order",
         [{"place": {"port": "output", "module": h1}, "kind": "read"}, save(0), read(h0), save(2), stop(h0)],
         means="two blocks and a stop")
    case("two blocks, no stop", two[:4])
    case("two blocks and a stop at the input", [*two[:4], stop(h0, "input")])
    case("two blocks and two stops", [*two, stop(h0)])
    case("one block saved twice", [read(h0), save(0), save(0)])
    case("one block saved once", [read(h0), save(0)])
    case("token ids", [read(h0), save(0)], invoke=IDS)
    case("no token ids", [read(h0), save(0)], invoke={"input": {"ids": []}})
    case("an empty text", [read(h0), save(0)], invoke={"input": {"text": ""}})
    case("a text with a byte order mark and an emoji", [read(h0), save(0)], invoke={"input": {"text": "\ufeff🗼"}})
    case("member 0 of a place", [read(h0, member=0), save(0)])
    case("member 0 of a value", [read(h0), {"kind": "member", "of": 0, "index": 0}, save(1)])
    case("the whole model's output", [read(""), save(0)])
    case("a path outside ASCII", [read("h.é"), save(0)])

    for name, dtype, dims, data in [
        ("a float32 constant", "float32", [2], floats(1, 2)),
        ("a float32 constant, other bytes", "float32", [2], floats(1, -2)),
        ("a float32 constant, other dims", "float32", [1, 2], floats(1, 2)),
        ("a constant of the same bytes in int32", "int32", [2], floats(1, 2)),
        ("a scalar", "float32", [], floats(1)),
        ("a constant without elements", "float16", [0, 3], b""),
        ("a bool constant", "bool", [3], b"\x00\x01\x01"),
    ]:  # fmt: skip
        c = Constants()
        case(name, [c(dtype, dims, data), read(h0), op("Add", 1, 0), save(2)], payload=c.payload)

    c = Constants()
    nodes = [c("float32", [1], floats(1)), c("bool", [1], b"\x01"), save(0), save(1)]
    case("two constants", nodes, means="two constants", payload=c.payload)
    c = Constants()
    nodes = [c("bool", [1], b"\x01"), c("float32", [1], floats(1)), save(0), save(1)]
    case("two constants, the other first", nodes, means="two constants", payload=c.payload)

    k = {"kind": "constant", "tensor": {"dtype": "int64", "dims": [1], "offset": 0, "length": 8}}
    five = struct.pack("<q", 5)

    def topk(name: str, member: int = 1, means: str | None = None, **attributes: Any) -> None:
        pick = {"kind": "member", "of": 2, "index": member}
        case(name, [read("lm_head"), k, op("TopK", 0, 1, **attributes), pick, save(3)], means, payload=five)

    topk("TopK with attributes", axis=-1, largest=1, means="TopK")
    topk("TopK, attributes as floats in another order", largest=1.0, axis=-1.0, means="TopK")
    topk("TopK, a default written out", axis=-1, largest=1, sorted=1)
    topk("TopK, the other member", axis=-1, largest=1, member=0)
    every = {"perm": [2, 0, 1], "alpha": 0.5, "beta": 1e300, "mode": "linear", "zero": -0.0}
    case("attributes of every type", [read(h0), op("Transpose", 0, **every), save(1)])
    case("an empty map of attributes", [read(h0), op("Relu", 0) | {"attributes": {}}, save(1)], means="Relu")
    case("no attributes", [read(h0), op("Relu", 0), save(1)], means="Relu")
    case("Sub", [read(h0), read(h1), op("Sub", 0, 1), save(2)])
    case("Sub, inputs exchanged", [read(h0), read(h1), op("Sub", 1, 0), save(2)])

    c = Constants()
    zero = c("float32", [], floats(0))
    times = [read(h0, member=0), zero, op("Mul", 0, 1)]
    case("a write, and a read after it",
         [*times, write(2, h0, member=0), read(h0, member=0), save(4)], payload=c.payload)
    case("a write, and a read before it",
         [*times, read(h0, member=0), write(2, h0, member=0), save(3)], payload=c.payload)
    for name, selection in [
        ("a write without a selection", None),
        ("a write with an empty selection", []),
        ("a write with a selection", [0, {"start": 1, "end": -1}, {}]),
        ("a write with a step", [0, {"start": 1, "end": -1, "step": 2}, {}]),
    ]:
        case(name, [zero, write(0, h0, selection), read(h0), save(2)], payload=c.payload)

    c = Constants()
    two = [c("float32", [], floats(0)), c("float32", [], floats(1))]
    for name, first, second, means in [
        ("one place", write(0, h0), write(1, h0), None),
        ("two members", write(0, h0, member=0), write(1, h0, member=1), None),
        ("two places", write(0, h0), write(1, h1), "two writes at two places"),
        ("two ports", write(0, h0, port="input"), write(1, h0), "two writes at two ports"),
        ("one inner value", write_source(0, h0, "a"), write_source(1, h0, "a"), None),
        ("two inner values", write_source(0, h0, "a"), write_source(1, h0, "b"), "two writes at two inner values"),
    ]:
        name = f"two writes at {name}"
        case(name, [*two, first, second, read(h1), save(4)], means, payload=c.payload)
        case(f"{name}, exchanged", [*two, second, first, read(h1), save(4)], means, payload=c.payload)

    pair = [GPT, IDS]
    at = lambda kind, invoke, **more: {"kind": kind, "place": place(h0) | {"invoke": invoke}, **more}
    case("a read in the second of two prompts", [at("read", 1), save(0)], invokes=pair)
    case("a read in the second of two prompts, exchanged", [at("read", 1), save(0)], invokes=pair[::-1])
    case("a read in the first of two prompts", [read(h0), save(0)], invokes=pair)
    case("a read in the first of two prompts, 0 written out", [at("read", 0), save(0)], invokes=pair)
    case("0 written out, of one prompt", [at("read", 0), save(0)])
    c = Constants()
    zero = c("float32", [], floats(0))
    for name, nodes, means in [
        ("a write in one prompt, then a read in another", [zero, write(0, h0), at("read", 1), save(2)], "write, other read"),
        ("a read in one prompt, then a write in another", [zero, at("read", 1), write(0, h0), save(1)], "write, other read"),
        ("a write in a prompt, then a read in it", [zero, at("write", 1, value=0), at("read", 1), save(2)], None),
        ("a read in a prompt, then a write in it", [zero, at("read", 1), at("write", 1, value=0), save(1)], None),
    ]:  # fmt: skip
        case(name, nodes, means, payload=c.payload, invokes=pair)
    skip = {"kind": "skip", "module": h1, "value": 0}
    case("a skip in the second of two prompts", [at("read", 1), skip | {"invoke": 1}, save(0)], invokes=pair)
    case("a skip in the first of two prompts", [at("read", 0), skip, save(0)], invokes=pair)
    case("stops in both of two prompts", [read(h0), save(0), stop(h0), at("stop", 1)], invokes=pair)

    case("logs", [read(h0), log(text="a", value=0), log(text="b"), log(value=0), log(text=""), log()])
    c = Constants()
    masked = [c("float32", [], floats(0)), c("bool", [2], b"\x01\x00"), c("bool", [2], b"\x00\x01")]
    for name, mask in [("a write with a mask", 1), ("a write with another mask", 2)]:
        case(name, [*masked, write(0, h0) | {"mask": mask}, read(h0), save(4)], payload=c.payload)
    case("a write with a list of indices", [*masked, write(0, h0, [{"indices": [1, 0]}]), read(h0), save(4)],
         payload=c.payload)
    case("a write with the list the other way round", [*masked, write(0, h0, [{"indices": [0, 1]}]), read(h0), save(4)],
         payload=c.payload)
    case("an inner value", [read_source(h0, "a"), save(0)])
    case("another inner value", [read_source(h0, "b"), save(0)])
    skip = {"kind": "skip", "module": h1, "value": 0}
    case("a skip", [read(h1, "input"), skip, read(h1), save(2)], means="a skip")
    case("a skip, last in the program", [read(h1, "input"), read(h1), save(1), skip], means="a skip")
    case("a skip of another module", [read(h1, "input"), skip | {"module": h0}, read(h1), save(2)])
    case("a skip by another value", [read(h0), skip, read(h1), save(2)])
    case("logs, two exchanged", [read(h0), log(text="b"), log(text="a", value=0), log(value=0), log(text=""), log()])
    case("apply", [read(h0, member=0), {"kind": "apply", "module": "transformer.ln_f", "input": 0}, save(1)])
    case("a parameter", [{"kind": "parameter", "name": "transformer.wte.weight"}, save(0)])
    case("a chain of 300", [read(h0), *(op("Neg", i) for i in range(300)), save(300)])
    case("64 inputs", [read(h0), op("Max", *[0] * 64), save(1)])
    return found


def sessions() -> list[tuple[str, str, list[Any], bytes]]:
    """(name, means, traces, payload) of each."""
    found: list[tuple[str, str, list[Any], bytes]] = []

    def trace(nodes: list[Any], invoke: Any = GPT, **more: Any) -> dict[str, Any]:
        return {"graph": {"invokes": [invoke], "nodes": nodes}, **more}

    def case(name: str, traces: list[Any], means: str | None = None, payload: bytes = b"") -> None:
        found.append((name, means or name, traces, payload))

    def earlier(trace: int, node: int, **step: int) -> dict[str, Any]:
        return {"kind": "earlier", "trace": trace, "node": node, **step}

    h0, h1 = "transformer.h.0", "transformer.h.1"
    one = trace([read(h0), save(0)])
    case("one trace", [one])
    case("two traces alike", [one, one])
    case("another order", [trace([read(h1), save(0)]), one])
    case("and the other way", [one, trace([read(h1), save(0)])])
    patch = trace([earlier(0, 0), write(0, h0), read(h1), save(2)])
    case("a patch", [one, patch])
    case("a patch, with a node that nothing needs",
         [one, trace([earlier(0, 0), write(0, h0), read(h1), save(2), {"kind": "parameter", "name": "w"}])], means="a patch")
    case("a patch from another trace alike", [one, one, trace([earlier(1, 0), write(0, h0), read(h1), save(2)])])
    case("a patch from the first of two alike", [one, one, patch])
    generating = trace([{"kind": "read", "place": place(h0) | {"steps": {"start": 0}}}, save(0)], generate={"maxNewTokens": 3})
    case("of a generation the second step", [generating, trace([earlier(0, 0, step=1), save(0)])])
    case("of a generation the third step", [generating, trace([earlier(0, 0, step=2), save(0)])])
    case("a generation of other options", [generating | {"generate": {"maxNewTokens": 4}}])
    case("a generation", [generating])
    literals = Constants()
    first, second = literals("float32", [1], floats(1.5)), literals("float32", [1], floats(2.5))
    case("constants in two traces", [trace([first, save(0)]), trace([second, earlier(0, 0), op("Add", 0, 1), save(2)])],
         payload=literals.payload)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    graphs = []
    for name, means, invokes, nodes, payload in cases():
        graph = {"invokes": invokes, "nodes": nodes}
        hash, retry = hashes(graph, payload)
        case = {"name": name, "means": means, "graph": graph, "payload": payload.hex()}
        graphs.append(case | {"hash": hash, "retryHash": retry})
    def check(cases: list[dict[str, Any]], field: str) -> dict[str, set[str]]:
        by_hash: dict[str, set[str]] = {}
        for case in cases:
            by_hash.setdefault(case[field], set()).add(case["means"])
        assert all(len(means) == 1 for means in by_hash.values()), "two meanings have one hash"
        assert len(by_hash) == len({case["means"] for case in cases}), "one meaning has two hashes"
        return by_hash

    by_hash = check(graphs, "hash")
    runs = []
    for name, means, traces, payload in sessions():
        case = {"name": name, "means": means, "traces": traces, "payload": payload.hex()}
        runs.append(case | {"retryHash": session_hash(traces, payload)})
    check(runs, "retryHash")
    canonicals = [{"value": value, "bytes": canonical(value).hex()} for value in VALUES]
    lines = lambda items: ",\n".join("    " + json.dumps(item, ensure_ascii=True) for item in items)
    parts = {"canonical": canonicals, "graphs": graphs, "sessions": runs}
    out.write_text("{\n" + ",\n".join(f'  "{name}": [\n{lines(part)}\n  ]' for name, part in parts.items()) + "\n}\n")
    print(f"{len(canonicals)} values, {len(graphs)} graphs with {len(by_hash)} meanings, {len(runs)} sessions")


if __name__ == "__main__":
    main()

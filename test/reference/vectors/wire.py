"""Headers, tensors and frames as bytes, and the cases that the files list. Knows nothing of Tracewire's own codec."""

import math
import re
import struct
from dataclasses import dataclass, field

import msgpack
import numpy as np

SAFE = 2**53 - 1
NAN, INF = math.nan, math.inf

# --- what stands for values that JSON or Python's msgpack can't say ---------------------------------------------------


@dataclass(frozen=True)
class Form:
    """A value in a msgpack form that is not the shortest."""

    value: object
    raw: bytes


@dataclass(frozen=True)
class Long:
    """A map or list behind a header that is not the shortest."""

    value: object
    head: bytes


@dataclass(frozen=True)
class Text:
    """A long string, written short in the files."""

    unit: str
    times: int


@dataclass(frozen=True)
class Many:
    """A long list of one member, written short in the files."""

    member: object
    times: int


@dataclass(frozen=True)
class Tensor:
    """A tensor: its place in the payload follows from those before it. `ref` overrides what the header says of it."""

    dtype: str
    dims: tuple
    values: tuple = ()
    bits: str = ""
    ref: dict = field(default_factory=dict)

    def array(self):
        kind = NUMPY[self.dtype]
        if self.bits:
            return np.frombuffer(bytes.fromhex(self.bits), kind)
        return np.array(self.values, kind)


NUMPY = {
    "bool": "u1", "int8": "i1", "uint8": "u1", "int16": "<i2", "uint16": "<u2", "int32": "<i4", "uint32": "<u4",
    "int64": "<i8", "uint64": "<u8", "float16": "<f2", "float32": "<f4", "float64": "<f8",
}  # fmt: skip

PACKER = msgpack.Packer(use_bin_type=True, autoreset=True)


def pack(x):
    """A header's bytes: the shortest forms, save where `Form` and `Long` say otherwise."""
    if isinstance(x, Form):
        return x.raw
    if isinstance(x, Long):
        members = x.value.items() if isinstance(x.value, dict) else [(m,) for m in x.value]
        return x.head + b"".join(pack(part) for member in members for part in member)
    if isinstance(x, Text):
        return PACKER.pack(x.unit * x.times)
    if isinstance(x, Many):
        return PACKER.pack_array_header(x.times) + pack(x.member) * x.times
    if isinstance(x, dict):
        return PACKER.pack_map_header(len(x)) + b"".join(pack(k) + pack(v) for k, v in x.items())
    if isinstance(x, (list, tuple)):
        return PACKER.pack_array_header(len(x)) + b"".join(pack(m) for m in x)
    return PACKER.pack(x)


def is_shortest(x):
    """Whether an encoder that prefers short forms, and float 64 to 64-bit integers, writes the same bytes."""
    if isinstance(x, (Form, Long)):
        return False
    if isinstance(x, Many):
        return is_shortest(x.member)
    if isinstance(x, dict):
        return all(is_shortest(m) for m in x.values())
    if isinstance(x, (list, tuple)):
        return all(is_shortest(m) for m in x)
    if isinstance(x, float):
        return not x.is_integer()
    return not isinstance(x, int) or -(2**31) <= x < 2**32


def as_json(x):
    if isinstance(x, (Form, Long)):
        return as_json(x.value)
    if isinstance(x, Text):
        return {"$text": x.unit, "times": x.times}
    if isinstance(x, Many):
        return {"$list": as_json(x.member), "times": x.times}
    if isinstance(x, dict):
        return {as_json(k): as_json(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [as_json(m) for m in x]
    return x


# --- frames ----------------------------------------------------------------------------------------------------------


def frame(header, payload=b""):
    head = struct.pack("<I", len(header)) + header
    return head + bytes(-len(head) % 8) + payload


def lay_out(message):
    """The message with tensors replaced by what a header says of them, the payload, and the tensors by path."""
    payload, tensors = bytearray(), []

    def walk(x, path):
        if isinstance(x, Tensor):
            payload.extend(bytes(-len(payload) % 8))
            data = x.array().tobytes()
            ref = {"dtype": x.dtype, "dims": list(x.dims), "offset": len(payload), "length": len(data)}
            payload.extend(data)
            tensors.append((path, x))
            return {**ref, **x.ref}
        if isinstance(x, dict):
            return {k: walk(v, f"{path}.{k}" if path else k) for k, v in x.items()}
        if isinstance(x, list):
            return [walk(v, f"{path}.{i}") for i, v in enumerate(x)]
        return x

    return walk(message, ""), bytes(payload), tensors


def element(x, dtype):
    """An element as JSON: 64-bit integers as strings, and the floats that JSON has no word for."""
    if dtype in ("int64", "uint64"):
        return str(int(x))
    if not dtype.startswith("float"):
        return int(x)
    x = float(x)
    if math.isnan(x):
        return "NaN"
    if math.isinf(x):
        return "Infinity" if x > 0 else "-Infinity"
    return "-0" if x == 0 and math.copysign(1, x) < 0 else x


def in_hex(data):
    """Hex, as one string or, where something repeats, as a list of strings and `{hex, times}`."""
    parts, at = [], 0
    for run in re.finditer(rb"(.{1,40}?)\1{31,}", data, re.S):
        unit = run.group(1)
        parts += [data[at : run.start()].hex()] * (run.start() > at)
        parts.append({"hex": unit.hex(), "times": (run.end() - run.start()) // len(unit)})
        at = run.end()
    parts += [data[at:].hex()] * (at < len(data))
    return parts if len(parts) > 1 or parts and isinstance(parts[0], dict) else "".join(parts)


# --- cases ---

GOLDEN, REJECTIONS, SEQUENCES, ERRORS, CAPABILITIES = {}, {}, [], [], {}


def golden_case(id, direction, message, about, payload=None):
    header, laid, tensors = lay_out(message)
    # Of a value in chunks, this message has only the first part.
    data = laid if payload is None else payload
    case = {"id": id, **({"about": about} if about else {}), "direction": direction, "message": as_json(header)}
    if tensors and payload is None:
        case["tensors"] = [
            {
                "path": path,
                "dtype": t.dtype,
                "dims": list(t.dims),
                "values": [element(v, t.dtype) for v in t.array().tolist()],
            }
            for path, t in tensors
        ]
    return case | {"canonical": is_shortest(header), "hex": in_hex(frame(pack(header), data))}


def golden(file, id, direction, message, about, payload=None):
    GOLDEN.setdefault(file, []).append(golden_case(id, direction, message, about, payload))


def reject(file, id, direction, data, code, about, path=None, rule=None):
    case = {"id": id, **({"about": about} if about else {}), "direction": direction, "rule": rule, "code": code}
    if path is not None:
        case["path"] = path
    REJECTIONS.setdefault(file, []).append(case | {"hex": in_hex(data)})

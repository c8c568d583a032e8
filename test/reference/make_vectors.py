"""Writes test/conformance/vectors: messages as bytes, and bytes that are no messages.

Nothing of Tracewire's own codec is used: headers are written by Python's msgpack, tensors by NumPy, frames by struct.
Every golden message and every expected code stands in vectors/ or follows from the field tables there, which were
written by hand from docs/PROTOCOL.md. `--check` writes nothing: it fails if a file would change, and validates every
golden header, and every header refused as `bad_message`, against docs/schema with the package jsonschema.
"""

import argparse
import json
import re
import struct
from pathlib import Path

import msgpack
from vectors.capabilities import make_capabilities
from vectors.errors import make_errors
from vectors.fields import make_field_rejections, make_source_rejections
from vectors.forms import make_forms
from vectors.frames import make_frame_rejections, make_header_rejections
from vectors.golden import make_client, make_server
from vectors.limits import make_limits
from vectors.payloads import make_payload_rejections
from vectors.tensors import make_sequences, make_tensors
from vectors.values import make_value_rejections
from vectors.wire import CAPABILITIES, ERRORS, GOLDEN, REJECTIONS, SEQUENCES

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "test/conformance/vectors"
VERSION = "tracewire.v1"


def files():
    for make in (make_client, make_server, make_tensors, make_forms, make_limits, make_sequences, make_errors,
                 make_frame_rejections, make_header_rejections, make_field_rejections, make_value_rejections,
                 make_payload_rejections, make_source_rejections, make_capabilities):  # fmt: skip
        make()
    for name, cases in GOLDEN.items():
        yield f"golden/{name}.json", cases
    for name, cases in REJECTIONS.items():
        yield f"rejections/{name}.json", cases
    for name, cases in CAPABILITIES.items():
        yield f"capabilities/{name}.json", cases
    yield "sequences.json", SEQUENCES
    yield "errors.json", ERRORS


def text_of(cases):
    """One case a line, so that a change shows as the cases that changed."""
    lines = ",\n".join(json.dumps(case, ensure_ascii=False, allow_nan=False) for case in cases)
    # These are data, not line ends and marks, to whoever looks at the file.
    for character in "\x7f\x85\u2028\ufeff\ufffe\uffff\u200d\U0010ffff":
        lines = lines.replace(character, json.dumps(character).strip('"'))
    return f'{{"version": "{VERSION}", "cases": [\n{lines}\n]}}\n'


def bytes_of(hex):
    parts = [hex] if isinstance(hex, str) else hex
    return b"".join(bytes.fromhex(p) if isinstance(p, str) else bytes.fromhex(p["hex"]) * p["times"] for p in parts)


def header_of(data):
    (length,) = struct.unpack_from("<I", data)
    return msgpack.unpackb(data[4 : 4 + length], max_array_len=2**20, max_map_len=2**20)


def expand(x):
    if isinstance(x, list):
        return [expand(m) for m in x]
    if not isinstance(x, dict):
        return x
    if "$text" in x:
        return x["$text"] * x["times"]
    if "$list" in x:
        return [expand(x["$list"])] * x["times"]
    return {k: expand(v) for k, v in x.items()}


def check_schemas(written):
    """Golden headers are what the file says and fit their schema; headers refused as `bad_message` don't."""
    from jsonschema import Draft202012Validator

    validators = {}
    for path in (ROOT / "docs/schema").glob("*/*.json"):
        schema = json.loads(path.read_text("utf-8"))
        Draft202012Validator.check_schema(schema)
        validators[path.parent.name, path.stem] = Draft202012Validator(schema)
    valid = refused = 0
    for name, cases in written.items():
        for case in () if name == "sequences.json" or name.startswith("capabilities/") else cases:
            if case.get("code") == "bad_frame" and name != "errors.json" or case.get("code") == "unknown_message":
                continue
            header = header_of(bytes_of(case["hex"]))
            if "message" in case and header != expand(case["message"]):
                raise SystemExit(f"{name} {case['id']}: the header is not the message")
            fits = validators[case["direction"], header["type"]].is_valid(header)
            if "message" in case or name == "rejections/payload.json":
                valid += 1
                if not fits and name != "rejections/payload.json":
                    raise SystemExit(f"{name} {case['id']}: the schema refuses a golden header")
            elif fits and not beyond_schemas(case["id"]):
                raise SystemExit(f"{name} {case['id']}: the schema takes what is a bad_message")
            else:
                refused += 1
    print(f"docs/schema: {valid} headers fit, {refused} are refused")


def beyond_schemas(id):
    """What a JSON Schema can't say (bytes of UTF-8, the fields of a status by its state, what is no JSON); and Python's `$`, which
    takes a line end where ECMA-262's, a schema's, does not."""
    free = r"in-[24]-byte|source-place/(source/missing|with-output)$|^status/[a-z]+-[a-z]+$|^id/newline$|^(attribute|status/report/milliseconds)/(nan|infinity)$"
    return re.search(free, id)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file would change")
    check = parser.parse_args().check
    written = dict(files())
    for name, cases in written.items():
        path, text = VECTORS / name, text_of(cases)
        ids = [case["id"] for case in cases]
        if len(set(ids)) != len(ids):
            raise SystemExit(f"{name}: ids occur twice: {sorted(i for i in set(ids) if ids.count(i) > 1)}")
        if check and (not path.exists() or path.read_text("utf-8") != text):
            raise SystemExit(f"{name} is not what this script writes")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        print(f"{name}: {len(cases)} cases, {len(text.encode())} bytes")
    print(f"{sum(map(len, written.values()))} cases, {sum(len(text_of(c).encode()) for c in written.values())} bytes")
    if check:
        check_schemas(written)


if __name__ == "__main__":
    main()

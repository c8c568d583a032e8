"""Every field of every message: missing, nil, of another type, one past its limit; and an unknown one beside it."""

from dataclasses import dataclass

from vectors.forms import f64
from vectors.samples import LIMITS, MORE_LIMITS, REPORT, run_of
from vectors.wire import INF, NAN, Many, Text, frame, pack, reject

# The fields of every message, from docs/PROTOCOL.md. A type knows a right value, and wrong ones with the path of each.


@dataclass(frozen=True)
class Uint:
    sample: int = 1
    least: int = 0

    def wrong(self):
        yield "string", "1", ""
        yield "below", self.least - 1, ""
        yield "fraction", self.sample + 0.5, ""


@dataclass(frozen=True)
class Str:
    sample: str
    least: int = 0
    most: int | None = None

    def wrong(self):
        yield "integer", 7, ""
        if self.least:
            yield "empty", "", ""
        if self.most:
            yield "long", Text("x", self.most + 1), ""


def Name(sample):
    return Str(sample, 1, 512)


@dataclass(frozen=True)
class Id:
    sample: str

    def wrong(self):
        yield "integer", 7, ""
        yield "empty", "", ""
        yield "long", Text("x", 65), ""
        yield "space", "a b", ""


@dataclass(frozen=True)
class Enum:
    sample: str

    def wrong(self):
        yield "integer", 7, ""
        yield "unknown", self.sample + "x", ""


class Traceparent:
    sample = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    def wrong(self):
        yield "integer", 7, ""
        yield "empty", "", ""
        yield "capitals", self.sample.upper(), ""
        yield "short", self.sample[:-1], ""


@dataclass(frozen=True)
class Number:
    sample: float = 1.5

    def wrong(self):
        yield "string", "1", ""
        yield "nan", NAN, ""
        yield "infinity", INF, ""


@dataclass(frozen=True)
class Integer:
    sample: int = -1

    def wrong(self):
        yield "string", "1", ""
        yield "fraction", 0.5, ""
        yield "beyond", f64(2.0**53), ""


@dataclass(frozen=True)
class Is:
    """Exactly one value."""

    sample: object

    def wrong(self):
        yield "false", False, ""
        yield "integer", 1, ""


@dataclass(frozen=True)
class List:
    of: object
    least: int = 0
    most: int | None = None

    @property
    def sample(self):
        return [self.of.sample]

    def wrong(self):
        yield "map", {}, ""
        if self.least:
            yield "short", [], ""
        if self.most:
            yield "long", Many(self.of.sample, self.most + 1), ""
        yield "nil-member", [self.of.sample, None], ".1"
        for label, value, path in self.of.wrong():
            yield f"0/{label}", [value], f".0{path}" if path is not None else None


@dataclass(frozen=True)
class Map:
    """A `?` at the end of a name marks an optional field. `sole` is a map of which another shape exists; one that is
    `open` may have other fields."""

    fields: dict
    sole: bool = False
    open: bool = False

    @property
    def sample(self):
        return {name: of.sample for name, of in self.fields.items() if not name.endswith("?")}

    def wrong(self):
        yield "list", [], ""
        if not self.open:
            yield "unknown", {**self.sample, "x": 0}, ".x"
        for name, of in self.fields.items():
            key = name.rstrip("?")
            if name == key and not isinstance(of, Fixed):
                rest = {k: v for k, v in self.sample.items() if k != key}
                yield f"{key}/missing", rest, None if self.sole else f".{key}"
            if isinstance(of, Fixed):
                continue
            yield f"{key}/nil", {**self.sample, key: None}, f".{key}"
            for label, value, path in of.wrong():
                yield f"{key}/{label}", {**self.sample, key: value}, f".{key}{path}" if path is not None else None


@dataclass(frozen=True)
class Fixed:
    """A field that tells which map it is; wrong ones stand in the tables written by hand."""

    sample: object

    def wrong(self):
        return ()


@dataclass(frozen=True)
class Free:
    """A map of names of the sender's choice; its values stand in the tables written by hand."""

    @property
    def sample(self):
        return {}

    def wrong(self):
        yield "list", [], ""
        yield "string", "", ""


@dataclass(frozen=True)
class Bytes:
    """A tensor without elements, whose faults are independent of a payload."""

    @property
    def sample(self):
        return {"dtype": "float32", "dims": [0], "offset": 0, "length": 0}

    def wrong(self):
        fields = {"dtype": Enum("float32"), "dims": List(Uint(0), 0, 8), "offset": Uint(0), "length": Uint(0)}
        yield from Map(fields).wrong()
        yield "dims/2^31", {**self.sample, "dims": [0, 2**31]}, ".dims.1"
        yield "offset/4", {**self.sample, "offset": 4}, ".offset"
        for dtype in ("bfloat16", "string", "complex64", "float", "Float32", "int4", ""):
            yield f"dtype/{dtype or 'empty'}", {**self.sample, "dtype": dtype}, ".dtype"


CODE = Name("failed")
ERROR_FIELDS = {
    "retryAfterMs?": Uint(),
    "run?": Id("r"),
    "node?": Uint(),
    "path?": Str("p", 0, 10000),
    "wanted?": Str("w", 0, 10000),
    "got?": Str("g", 0, 10000),
    "nearest?": Name("n"),
}
CAUSE = Map({"code": CODE, "message": Str("m", 0, 10000)})
ERROR = Map({"code": CODE, "message": Str("m", 0, 10000), **ERROR_FIELDS, "cause?": CAUSE})
BRIEF_ERROR = Map({"code": CODE, "message": Str("m", 0, 10000)})
PEER = Map({"name": Name("n"), "version": Name("1")})
VALUE = Map({"tensor": Bytes()}, sole=True)
PLACE = Map({"module": Str("h", 0, 512), "port": Enum("output"), "member?": Uint(0), "invoke?": Uint(0)})
SOURCE_PLACE = Map({"module": Str("h", 0, 512), "port": Fixed("source"), "source": Name("v")})
RANGE = Map({"start?": Integer(), "end?": Integer(), "step?": Integer()})
NODES = {
    "constant": {"tensor": Bytes()},
    "parameter": {"name": Name("w")},
    "read": {"place": PLACE},
    "write": {"place": PLACE, "value": Uint(0), "selection?": List(RANGE, 0, 8), "mask?": Uint(0)},
    "skip": {"module": Name("h"), "value": Uint(0), "invoke?": Uint(0)},
    "stop": {"place": PLACE},
    "operator": {"operator": Name("Op"), "inputs": List(Uint(0), 0, 64), "attributes?": Free()},
    "member": {"of": Uint(0), "index": Uint(0)},
    "apply": {"module": Name("h"), "input": Uint(0)},
    "save": {"value": Uint(0)},
    "log": {"text?": Str("t", 0, 10000), "value?": Uint(0)},
}
PORT_TYPE = Map({"name": Name("h"), "dtype": Enum("float32"), "dims": List(Fixed(4)), "mixed?": Is(True)})
SOURCE_TYPE = Map(
    {
        "name": Name("h"),
        "operator": Name("Op"),
        "dtype": Enum("float32"),
        "dims": List(Fixed(4)),
        "mixed?": Is(True),
        "order": Uint(),
    }
)
MODEL_TYPE = Map(
    {
        "name": Name("m"),
        "id": Name("i"),
        "architecture": Name("A"),
        "exporter": Enum("other"),
        "opset": Uint(),
        "contextLength?": Uint(),
        "vocabularySize?": Uint(),
        "attention?": Map({"heads": Uint(), "keyValueHeads": Uint(), "headSize": Uint()}),
        "blocks": List(Name("h")),
        "modules": List(
            Map(
                {
                    "path": Str("h", 0, 512),
                    "class?": Name("C"),
                    "order": Map({"input?": Uint(), "output?": Uint()}),
                    "inputs": List(PORT_TYPE),
                    "outputs": List(Fixed({"name": "h", "dtype": "bool", "dims": []})),
                    "missing?": Str("m"),
                    "sources?": List(SOURCE_TYPE),
                }
            )
        ),
        "parameters": List(Map({"name": Name("w"), "dtype": Enum("float32"), "dims": List(Uint(1))})),
    }
)
OF_RUN = {"run": Id("r"), "seq": Uint()}
INPUT = Map({"ids": List(Uint(1), 0, 65536)}, sole=True)
MESSAGES = {
    "client": {
        "hello": {"protocol": Uint(), "client": PEER, "capabilities": List(Name("c"), 0, 64)},
        "describe": {"request": Uint(), "model": Name("m")},
        "tokenize": {"request": Uint(), "model": Name("m"), "text": Str("t", 0, 2**20)},
        "detokenize": {"request": Uint(), "model": Name("m"), "ids": List(Uint(), 0, 65536)},
        "run": {
            "run": Id("r"),
            "model": Name("m"),
            "graph": Map(
                {"invokes": List(Map({"input": INPUT}), 1, 1024), "nodes": List(Fixed({"kind": "log"}))}
            ),
            "options?": Map(
                {
                    "deadlineMs?": Uint(1, 1),
                    "detach?": Is(True),
                    "batching?": Enum("exact"),
                    "traceparent?": Traceparent(),
                }
            ),
        },
        "cancel": {"run": Id("r")},
        "ack": {"run": Id("r"), "seq": Uint()},
        "resume": {"run": Id("r"), "after": Uint()},
    },
    "server": {
        "welcome": {
            "protocol": Uint(),
            "server": PEER,
            "epoch": Id("e"),
            "capabilities": List(Name("c"), 0, 64),
            "opset": Uint(),
            "models": List(Name("m"), 1, 1000),
            "batching?": Enum("exact"),
            "limits": Map(
                {**{name: Uint(1, 1) for name in LIMITS}, **{f"{limit}?": Uint() for limit in MORE_LIMITS}}, open=True
            ),
        },
        "description": {"request": Uint(), "description": MODEL_TYPE},
        "tokens": {"request": Uint(), "ids": List(Uint()), "tokens": List(Str("t"))},
        "text": {"request": Uint(), "text": Str("t")},
        "error": {"request?": Uint(), "run?": Id("r"), "errors": List(ERROR, 1, 100)},
        "status": {
            **OF_RUN,
            "state": Enum("running"),
            "position?": Uint(),
            "waitMs?": Uint(),
            "warnings?": List(BRIEF_ERROR, 0, 100),
            "errors?": List(BRIEF_ERROR, 1),
            "report?": Map(
                {
                    **{name: Uint() for name in REPORT if name != "milliseconds"},
                    "milliseconds": Number(),
                    "stoppedAfter?": Name("h"),
                    "shared?": Uint(2, 2),
                }
            ),
        },
        "value": {**OF_RUN, "save": Uint(), "value": VALUE, "bytes": Uint(0)},
        "chunk": {**OF_RUN, "save": Uint(), "offset": Uint()},
        "access_error": {**OF_RUN, "save": Uint(), "error": Map({"code": Enum("failed"), "message": Str("m", 0, 10000)})},
        "log": {**OF_RUN, "node": Uint(), "text?": Str("t", 0, 20000), "value?": VALUE},
        "progress": {"run": Id("r"), "done": Uint(), "total": Uint(), "phase?": Enum("loading")},
    },
}


def make_source_rejections():
    """A place with the port `source` needs its name, and no other has one."""
    for label, value, path in SOURCE_PLACE.wrong():
        if label.startswith(("source/", "list")):
            header = run_of({"kind": "read", "place": value})
            reject("fields", f"run/read/source-place/{label}", "client", frame(pack(header)), "bad_message", "",
                   f"graph.nodes.0.place{path}", "3.1")  # fmt: skip
    unasked = run_of({"kind": "read", "place": {**PLACE.sample, "source": "v"}})
    reject("fields", "run/read/source-place/with-output", "client", frame(pack(unasked)), "bad_message", "",
           "graph.nodes.0.place.source", "3.1")  # fmt: skip
    too_many = Many(0, 65537)
    listed = run_of({"kind": "write", "place": PLACE.sample, "value": 0, "selection": [{"indices": too_many}]})
    reject("fields", "run/write/selection/indices-long", "client", frame(pack(listed)), "bad_message", "",
           "graph.nodes.0.selection.0.indices", "3.2")  # fmt: skip


def make_field_rejections():
    """Each field of each message and node: missing, nil, of another type, one past its limit; and an unknown field."""
    for direction, messages in MESSAGES.items():
        for kind, fields in messages.items():
            for label, value, path in Map(fields).wrong():
                if label == "list":
                    continue
                header = {"type": kind, **value}
                where = path if path is None else path.removeprefix(".")
                reject("fields", f"{kind}/{label}", direction, frame(pack(header)), "bad_message", "", where, "2")
    for kind, fields in NODES.items():
        for label, value, path in Map(fields).wrong():
            if (
                label == "list"
                or isinstance(value.get("place"), dict)
                and kind != "read"
                and label.startswith("place/")
            ):
                continue
            header = run_of({"kind": kind, **value})
            where = path if path is None else f"graph.nodes.0{path}"
            reject("fields", f"run/{kind}/{label}", "client", frame(pack(header)), "bad_message", "", where, "3.2")

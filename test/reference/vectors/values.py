"""Wrong values that the tables of fields can't make."""

from vectors.fields import Bytes
from vectors.forms import f32, f64
from vectors.samples import MODEL, MODULE, REPORT, place, run_of
from vectors.wire import INF, NAN, PACKER, Form, Many, Text, frame, pack, reject


def make_value_rejections():
    """What the field tables can't make."""

    def client(id, message, path, about, code="bad_message", rule="2.1"):
        reject("values", id, "client", frame(pack(message)), code, about, path, rule)

    def server(id, message, path, about, code="bad_message", rule="2.2"):
        reject("values", id, "server", frame(pack(message)), code, about, path, rule)

    ack = {"type": "ack", "run": "r"}
    for label, seq in (
        ("nan", NAN),
        ("infinity", INF),
        ("minus-infinity", -INF),
        ("true", True),
        ("list", []),
        ("map", {}),
        ("2^53-as-float", f64(2.0**53)),
        ("1e300", 1e300),
        ("minus-1-as-float", f64(-1.0)),
        ("float32-fraction", f32(0.5)),
        ("smallest", 5e-324),
    ):
        client(f"count/{label}", {**ack, "seq": seq}, "seq", "where a count belongs")
    for label, run in (
        ("newline", "a\n"),
        ("accent", "é"),
        ("slash", "a/b"),
        ("colon", "a:b"),
        ("zero", "a\0"),
        ("mark", "\ufeffa"),
        ("plus", "a+b"),
        ("wide", "ａ"),
    ):
        client(f"id/{label}", {"type": "cancel", "run": run}, "run", "no character of an id")
    describe = {"type": "describe", "request": 1}
    client(
        "name/513-in-2-byte",
        {**describe, "model": Form("", PACKER.pack("é" * 256 + "x"))},
        "model",
        "513 bytes, 257 characters",
    )
    client("name/516-in-4-byte", {**describe, "model": Text("𝄞", 129)}, "model", "516 bytes, 129 characters")
    client("unknown-field/empty", {"type": "cancel", "run": "r", "": 0}, None, "a field whose name is empty")
    client("unknown-field/case", {"type": "cancel", "run": "r", "Run": "r"}, "Run", "names are exact")
    client("unknown-field/nil", {"type": "cancel", "run": "r", "x": None}, "x", "an unknown field, even nil")
    client("unknown-field/dotted", {"type": "cancel", "run": "r", "a.b": 1}, "a.b", "a dot in a name")
    for label, kind in (
        ("empty", ""),
        ("case", "Cancel"),
        ("space", "cancel "),
        ("of-the-server", "welcome"),
        ("toString", "toString"),
        ("long", Text("x", 10000)),
        ("zero", "cancel\0"),
    ):
        client(f"type/{label}", {"type": kind, "run": "r"}, None, "no message of that type", "unknown_message", "1.4")
    for kind in ("hello", "run", "ack"):
        server(f"type/{kind}", {"type": kind}, None, "a message of the client", "unknown_message", "1.4")
    client("input/both", run_of(input={"text": "a", "ids": [1]}), None, "two inputs in one", rule="3")
    client("input/text-integer", run_of(input={"text": 1}), "graph.invokes.0.input.text", "text is a string", rule="3")
    client(
        "input/text-long",
        run_of(input={"text": Text("x", 2**20 + 1)}),
        "graph.invokes.0.input.text",
        "1 MiB and a byte",
        rule="3",
    )
    client("input/string", run_of(input="a"), "graph.invokes.0.input", "a string alone", rule="3")
    client("node/integer", run_of(7), "graph.nodes.0", "a node is a map", rule="3.2")
    client("node/nil", run_of({"kind": "log"}, None), "graph.nodes.1", "a node is a map", rule="3.2")
    client("node/no-kind", run_of({"value": 0}), "graph.nodes.0.kind", "no kind", rule="3.2")
    client(
        "node/unknown-kind",
        run_of({"kind": "reed", "place": place()}),
        "graph.nodes.0.kind",
        "no such kind",
        rule="3.2",
    )
    client("node/kind-integer", run_of({"kind": 1}), "graph.nodes.0.kind", "a kind is a string", rule="3.2")
    client("node/kind-of-object", run_of({"kind": "toString"}), "graph.nodes.0.kind", "no such kind", rule="3.2")
    client(
        "node/other-fields",
        run_of({"kind": "save", "value": 0, "place": place()}),
        "graph.nodes.0.place",
        "a field of another kind",
        rule="3.2",
    )
    client(
        "node/third",
        run_of({"kind": "log"}, {"kind": "log"}, {"kind": "save", "value": -1}),
        "graph.nodes.2.value",
        "the path has the node's id",
        rule="3.2",
    )
    write = {"kind": "write", "place": place(), "value": 0}
    for label, entry, path in (
        ("string", "0", ""),
        ("fraction", 0.5, ""),
        ("true", True, ""),
        ("list", [], ""),
        ("nan", NAN, ""),
        ("2^53", f64(2.0**53), ""),
        ("start-string", {"start": "0"}, ".start"),
        ("stop", {"stop": 1}, ".stop"),
    ):
        client(
            f"selection/{label}",
            run_of({**write, "selection": [0, entry]}),
            f"graph.nodes.0.selection.1{path}",
            "an entry is an integer or a range",
            rule="3.2",
        )
    for label, value in (
        ("nil", None),
        ("true", True),
        ("nan", NAN),
        ("infinity", INF),
        ("map", {}),
        ("list-of-65", Many(0, 65)),
        ("string-of-513", Text("x", 513)),
        ("string-of-514-in-2-byte", Text("é", 257)),
        ("list-of-fractions", [0.5]),
        ("list-of-strings", ["a"]),
        ("list-of-lists", [[1]]),
        ("list-with-nil", [1, None]),
    ):
        node = {"kind": "operator", "operator": "Op", "inputs": [], "attributes": {"axis": value}}
        path = None if label.startswith("list-") and label != "list-of-65" else "graph.nodes.0.attributes.axis"
        client(f"attribute/{label}", run_of(node), path, "a number, a string, or a list of integers", rule="3.3")
    for label, name in (("empty", ""), ("long", "a" * 513)):
        node = {"kind": "operator", "operator": "Op", "inputs": [], "attributes": {name: 1}}
        client(f"attribute/name-{label}", run_of(node), None, "an attribute's name is a name", rule="3.3")

    value = {"type": "value", "run": "r", "seq": 1, "save": 0, "bytes": 0}
    empty = Bytes().sample
    for label, wrong, path in (
        ("empty-map", {}, None),
        ("both", {"tensor": empty, "tuple": [{"tensor": empty}]}, None),
        ("tuple-empty", {"tuple": []}, "value.tuple"),
        ("list", [], "value"),
        ("integer", 1, "value"),
        ("tuple-map", {"tuple": {}}, "value.tuple"),
        ("tuple-nil", {"tuple": None}, "value.tuple"),
        ("tuple-1025", {"tuple": Many({"tensor": empty}, 1025)}, "value.tuple"),
        ("tuple-of-integers", {"tuple": [1]}, "value.tuple.0"),
        ("tuple-unknown-field", {"tuple": [{"tensor": empty}], "x": 0}, "value.x"),
        ("tensor-bare", empty, None),
        (
            "deep",
            {"tuple": [{"tuple": [{"tensor": empty}]}, {"tuple": [{"tensor": {**empty, "dtype": "float"}}]}]},
            "value.tuple.1.tuple.0.tensor.dtype",
        ),
    ):
        server(f"value/{label}", {**value, "value": wrong}, path, "a tensor or a tuple", rule="1.3")
    access = {"type": "access_error", "run": "r", "seq": 1, "save": 0}
    for code in ("operation_failed", "host_lost", "deadline_exceeded", "bad_message", "NOT_REACHED"):
        server(
            f"access_error/{code}",
            {**access, "error": {"code": code, "message": ""}},
            "error.code",
            "no code of an access error",
        )
    status = {"type": "status", "run": "r", "seq": 1}
    error = {"code": "internal", "message": ""}
    for label, fields in (
        ("position-received", {"state": "received", "position": 0}),
        ("warnings-running", {"state": "running", "warnings": []}),
        ("errors-completed", {"state": "completed", "report": REPORT, "errors": [error]}),
        ("errors-cancelled", {"state": "cancelled", "errors": [error]}),
        ("report-running", {"state": "running", "report": REPORT}),
        ("completed-bare", {"state": "completed"}),
        ("failed-bare", {"state": "failed"}),
    ):
        server(f"status/{label}", {**status, **fields}, "", "a status has the fields of its state", rule="2.2")
    port = {"name": "h", "dtype": "float32"}
    for label, dim in (("minus-1", -1), ("fraction", 0.5), ("nil", None), ("empty", ""), ("list", [])):
        module = {**MODULE, "outputs": [{**port, "dims": [dim]}]}
        message = {"type": "description", "request": 1, "description": {**MODEL, "modules": [module]}}
        server(
            f"description/dim-{label}", message, "description.modules.0.outputs.0.dims.0", "a size or a name", rule="4"
        )

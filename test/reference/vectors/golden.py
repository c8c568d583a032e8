"""Every message, with each optional field there and absent."""

from vectors.samples import FULL_ERROR, LIMITS, MODEL, MODULE, PORT, REPORT, WELCOME, place, run_of, tensor, value_of
from vectors.wire import golden


def make_client():
    def client(id, message, about):
        golden("client", id, "client", message, about)

    peer = {"name": "c", "version": "1"}
    hello = {"type": "hello", "protocol": 1, "client": peer, "capabilities": []}
    client("hello", hello, "the first message of a connection")
    client("hello/capabilities", {**hello, "capabilities": ["resume", "detach", "later"]}, "also names nobody knows")
    client("hello/other-version", {**hello, "protocol": 2}, "decodes; the answer is unsupported_version")
    client("hello/version-0", {**hello, "protocol": 0}, "the least uint")
    client("describe", {"type": "describe", "request": 1, "model": "m"}, "")
    client("describe/request-0", {"type": "describe", "request": 0, "model": "m"}, "a request may be 0")
    client("tokenize", {"type": "tokenize", "request": 1, "model": "m", "text": "The Eiffel Tower"}, "")
    client("tokenize/empty", {"type": "tokenize", "request": 2, "model": "m", "text": ""}, "text may be empty")
    client("detokenize", {"type": "detokenize", "request": 1, "model": "m", "ids": [0, 127, 128, 50256]}, "")
    client("detokenize/empty", {"type": "detokenize", "request": 1, "model": "m", "ids": []}, "ids may be empty here")
    client("cancel", {"type": "cancel", "run": "r1"}, "")
    client("ack", {"type": "ack", "run": "r1", "seq": 5}, "")
    client("ack/0", {"type": "ack", "run": "r1", "seq": 0}, "nothing yet")
    client("resume", {"type": "resume", "run": "r1", "after": 0}, "with the capability resume")
    client("run", run_of({"kind": "read", "place": place()}, {"kind": "save", "value": 0}), "reads and saves")
    client("run/text", run_of({"kind": "stop", "place": place()}, input={"text": "a b"}), "a prompt as text")
    client("run/no-nodes", run_of(), "decodes; the answer is nothing_saved")
    client("run/options-empty", run_of(options={}), "every option left out")
    client("run/deadline", run_of(options={"deadlineMs": 1}), "the least deadline")
    client("run/detach", run_of(options={"detach": True}), "with the capability detach")
    for batching in ("exact", "shared"):
        client(f"run/{batching}", run_of(options={"batching": batching}), "with the capability batching")
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    client("run/traceparent", run_of(options={"traceparent": trace}), "W3C trace context")
    options = {"deadlineMs": 60000, "detach": True, "batching": "shared", "traceparent": trace}
    client("run/options", run_of(options=options), "all options")
    for port in ("input", "output"):
        client(f"run/read-{port}", run_of({"kind": "read", "place": place(port=port)}), f"reads an {port}")
    client("run/read-member", run_of({"kind": "read", "place": place(member=0)}), "the first member")
    client("run/read-model", run_of({"kind": "read", "place": place("")}), "the empty path is the whole model")
    two = [{"text": "a b"}, {"ids": [1, 2]}]
    client("run/invokes", run_of({"kind": "read", "place": place()}, inputs=two), "two prompts, with the capability invokes")
    write = {"kind": "write", "place": place(member=0, invoke=1), "value": 0}
    client("run/invoke", run_of({"kind": "read", "place": place(invoke=0)}, write, inputs=two), "places of each")
    client("run/parameter", run_of({"kind": "parameter", "name": "lm_head.weight"}), "")
    write = {"kind": "write", "place": place(), "value": 0}
    client("run/write", run_of(write), "replaces all of it")
    client("run/write-selection-empty", run_of({**write, "selection": []}), "an empty selection takes every axis")
    entries = [0, -1, {}, {"start": 1}, {"end": -1}, {"step": -2}, {"start": 0, "end": 4, "step": 2}, 7]
    client("run/write-selection", run_of({**write, "selection": entries}), "8 entries of every shape")
    at = {"module": "h.0.attn", "port": "source", "source": "/h.0/attn/Softmax_output_0"}
    client("run/read-source", run_of({"kind": "read", "place": at}), "an inner value")
    client("run/read-input-member", run_of({"kind": "read", "place": place(port="input", member=1)}), "another input")
    client("run/write-mask", run_of({**write, "mask": 0}), "only where the mask is true")
    listed = [{"indices": [0, -1, 5]}, {"indices": []}, 0, {}]
    client("run/write-indices", run_of({**write, "selection": listed, "mask": 1}), "lists of indices")
    client("run/skip", run_of({"kind": "skip", "module": "h.0", "value": 0}), "a value stands for a module")
    skip = {"kind": "skip", "module": "h.0", "value": 0, "invoke": 1}
    client("run/skip-invoke", run_of(skip), "for one prompt of several")
    client("run/operator", run_of({"kind": "operator", "operator": "Add", "inputs": [0, 0]}), "no attributes")
    operator = {"kind": "operator", "operator": "Op", "inputs": []}
    client("run/operator-attributes-empty", run_of({**operator, "attributes": {}}), "an empty map of attributes")
    attributes = {"axis": -1, "alpha": 0.5, "mode": "linear", "perm": [0, 2, 1], "none": [], "empty": ""}
    client("run/operator-attributes", run_of({**operator, "attributes": attributes}), "attributes of every type")
    client("run/member", run_of({"kind": "member", "of": 0, "index": 1}), "")
    client("run/apply", run_of({"kind": "apply", "module": "lm_head", "input": 0}), "")
    client("run/log", run_of({"kind": "log"}), "neither text nor value")
    client("run/log-text", run_of({"kind": "log", "text": ""}), "text alone, and it may be empty")
    client("run/log-value", run_of({"kind": "log", "value": 0}), "value alone")
    client("run/log-both", run_of({"kind": "log", "text": "norm", "value": 0}), "both")
    client("run/later-reference", run_of({"kind": "save", "value": 9}), "decodes; the answer is bad_reference")


def make_server():
    def server(id, message, about, payload=None):
        golden("server", id, "server", message, about, payload)

    server("welcome", WELCOME, "")
    more = {**LIMITS, "resumeMs": 0, "retainMs": 3600000, "invokes": 64, "batchTokens": 4096,
            "intermediateBytes": 2**30, "runMs": 600000, "queuedRuns": 256, "keyRuns": 256, "connections": 256,
            "requestsPerSecond": 1000}  # fmt: skip
    names = ["resume", "detach", "invokes"]
    for batching in ("exact", "shared"):
        server(f"welcome/{batching}", {**WELCOME, "capabilities": ["batching"], "batching": batching}, "for runs that don't say")
    server("welcome/full", {**WELCOME, "capabilities": names, "limits": more}, "every optional limit")
    server("welcome/other-limit", {**WELCOME, "limits": {**LIMITS, "x": 0}}, "a limit that a client may not know")
    server("welcome/models", {**WELCOME, "models": ["m", "n"]}, "the first is the default")
    server("description", {"type": "description", "request": 1, "description": MODEL}, "")
    flat = {"name": "f", "dtype": "float32", "dims": ["batch * sequence", 4], "mixed": True}
    source = {**PORT, "name": "/h/Softmax_output_0", "operator": "Softmax", "order": 3}
    bare_source = {"name": "n", "operator": "Shape", "dtype": "int64", "dims": [], "mixed": True, "order": 4}
    outputs = [PORT, {"name": "k", "dtype": "int64", "dims": []}, flat]
    ports = {"inputs": [PORT, PORT], "sources": [source, bare_source], "outputs": outputs}
    full = {**MODULE, "class": "Block", "order": {"input": 0, "output": 1}, **ports, "missing": ""}
    missing = {"path": "", "order": {}, "inputs": [], "outputs": [], "missing": "Dropout is not in the exported model."}
    parameter = {"name": "w", "dtype": "float16", "dims": [2, 3]}
    scalar = {"name": "s", "dtype": "bool", "dims": []}
    model = {**MODEL, "contextLength": 1024, "vocabularySize": 50257, "modules": [full, missing]}
    model["parameters"] = [parameter, scalar]
    model["attention"] = {"heads": 4, "keyValueHeads": 2, "headSize": 32}
    server("description/full", {"type": "description", "request": 1, "description": model}, "every optional field")
    bare = {**MODEL, "blocks": [], "modules": []}
    server("description/empty-lists", {"type": "description", "request": 0, "description": bare}, "nothing in it")
    for exporter in ("torchscript", "dynamo", "other"):
        message = {"type": "description", "request": 1, "description": {**bare, "exporter": exporter}}
        server(f"description/{exporter}", message, f"made by {exporter}")
    server("tokens", {"type": "tokens", "request": 1, "ids": [464, 412], "tokens": ["The", "ĠE"]}, "")
    server("tokens/empty", {"type": "tokens", "request": 1, "ids": [], "tokens": []}, "of an empty text")
    server("tokens/empty-token", {"type": "tokens", "request": 1, "ids": [0], "tokens": [""]}, "a token may be empty")
    server("text", {"type": "text", "request": 1, "text": "The E"}, "")
    server("text/empty", {"type": "text", "request": 1, "text": ""}, "")
    plain = {"code": "bad_frame", "message": "No."}
    server("error", {"type": "error", "errors": [plain]}, "of nothing that could be told")
    later = {"type": "error", "errors": [{"code": "of_a_later_table", "message": "No."}]}
    server("error/unknown-code", later, "a client takes in a code that it doesn't know")
    server("error/request", {"type": "error", "request": 3, "errors": [plain]}, "of a request")
    server("error/run", {"type": "error", "run": "r1", "errors": [plain, FULL_ERROR]}, "of a run; two, one in full")
    nested = plain
    for _ in range(12):
        nested = {"code": "failed", "message": "", "cause": nested}
    server("error/causes", {"type": "error", "errors": [nested]}, "13 errors within each other: 16 maps and lists")
    status = {"type": "status", "run": "r1", "seq": 1, "state": "received"}
    for state in ("received", "queued", "running", "cancelled"):
        server(f"status/{state}", {**status, "state": state}, "no optional field")
    server("status/position", {**status, "state": "queued", "position": 0}, "next in line")
    warning = {"code": "behind_stop", "message": "", "node": 0, "path": "h.1"}
    server("status/wait", {**status, "state": "queued", "position": 2, "waitMs": 350}, "about how long it waits")
    server("status/warnings", {**status, "warnings": [warning]}, "a hook behind a stop")
    server("status/no-warnings", {**status, "warnings": []}, "an empty list of warnings")
    server("status/errors", {**status, "state": "failed", "errors": [FULL_ERROR]}, "why it failed")
    server("status/report", {**status, "state": "completed", "report": REPORT}, "ran to the end")
    for state, more in (("failed", {"errors": [FULL_ERROR]}), ("cancelled", {})):
        message = {**status, "state": state, **more, "report": REPORT}
        server(f"status/report-{state}", message, "after a pass had begun")
    message = {**status, "state": "completed", "report": {**REPORT, "shared": 2}}
    server("status/report-shared", message, "in one pass with another run")
    early = {**REPORT, "milliseconds": 0, "stoppedAfter": "h.0"}
    server("status/report-early", {**status, "state": "completed", "report": early}, "stopped early")
    server("value", value_of(tensor("float32", [2, 2], [1, -2, 0.5, 3])), "whole: `bytes` is the payload's length")
    first = value_of(tensor("uint8", [20], range(20)))
    server("value/first-part", first, "the first 16 of 20 bytes, from a server with chunkBytes 16", bytes(range(16)))
    server(
        "chunk", {"type": "chunk", "run": "r1", "seq": 4, "save": 1, "offset": 16}, "the rest", bytes([16, 17, 18, 19])
    )
    access = {"type": "access_error", "run": "r1", "seq": 3, "save": 1}
    for code in ("not_reached", "unset", "failed", "too_large", "cancelled"):
        server(f"access_error/{code}", {**access, "error": {"code": code, "message": "No."}}, "")
    cause = {"code": "failed", "message": "", "cause": {"code": "operation_failed", "message": "", "node": 3}}
    server("access_error/cause", {**access, "error": cause}, "the cause may have any code")
    log = {"type": "log", "run": "r1", "seq": 3, "node": 2}
    server("log", log, "neither text nor value")
    server("log/text", {**log, "text": "norm"}, "text alone")
    server("log/value", {**log, "value": tensor("float64", [], [1.5])}, "value alone, never in chunks")
    server("log/both", {**log, "text": "", "value": tensor("int8", [1], [-1])}, "both")
    server("progress", {"type": "progress", "run": "r1", "done": 0, "total": 13}, "")
    loading = {"type": "progress", "run": "r1", "done": 3, "total": 8, "phase": "loading"}
    server("progress/loading", loading, "the model that it waits for is being loaded")

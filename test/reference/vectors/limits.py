"""Fields at their limits."""

from vectors.samples import LIMITS, MORE_LIMITS, REPORT, WELCOME, place, run_of
from vectors.wire import SAFE, Many, Text, golden


def make_limits():
    def client(id, message, about):
        golden("limits", id, "client", message, about)

    def server(id, message, about):
        golden("limits", id, "server", message, about)

    describe = {"type": "describe", "request": 1}
    client("name/1", {**describe, "model": "m"}, "the shortest name")
    client("name/512", {**describe, "model": Text("m", 512)}, "512 bytes")
    client("name/512-in-2-byte", {**describe, "model": Text("é", 256)}, "512 bytes, 256 characters")
    client("name/512-in-4-byte", {**describe, "model": Text("𝄞", 128)}, "512 bytes, 128 characters")
    client("path/512", run_of({"kind": "read", "place": place(Text("p", 512))}), "a path of 512 bytes")
    for run in ("a", "0", "~", "-", ".", "_", "AZaz09._~-"):
        client(f"id/{run}", {"type": "cancel", "run": run}, "an id")
    client("id/64", {"type": "cancel", "run": Text("z", 64)}, "64 characters")
    for request in (0, 1, 2**32, SAFE):
        client(f"request/{request}", {**describe, "model": "m", "request": request}, "a uint")
    client("member/largest", run_of({"kind": "read", "place": place(member=SAFE)}), "decodes; the check refuses it")
    client("invoke/largest", run_of({"kind": "read", "place": place(invoke=SAFE)}), "decodes; the check refuses it")
    graph = {"invokes": Many({"input": {"ids": []}}, 1024), "nodes": [{"kind": "log"}]}
    client("run/1024-invokes", run_of() | {"graph": graph}, "with the capability invokes, and more than most servers take")
    client("deadline/largest", run_of(options={"deadlineMs": SAFE}), "2^53 − 1")
    hello = {"type": "hello", "protocol": SAFE, "client": {"name": Text("n", 512), "version": Text("v", 512)}}
    client("hello", {**hello, "capabilities": [f"c{index}" for index in range(64)]}, "64 capabilities")
    tokenize = {"type": "tokenize", "request": 1, "model": "m"}
    client("text/1-MiB", {**tokenize, "text": Text("x", 2**20)}, "1 MiB")
    client("text/1-MiB-in-4-byte", {**tokenize, "text": Text("𝄞", 2**18)}, "1 MiB, 262 144 characters")
    client("run/text-1-MiB", run_of(input={"text": Text("é", 2**19)}), "1 MiB, 524 288 characters")
    client("run/ids-65536", run_of(input={"ids": Many(0, 65536)}), "65 536 ids")
    client("run/log-10000", run_of({"kind": "log", "text": Text("x", 10000)}), "10 000 bytes")
    operator = {"kind": "operator", "operator": Text("O", 512), "inputs": Many(0, 64)}
    client("run/operator", run_of(operator), "64 inputs, and a name of 512 bytes")
    most = {"s": Text("é", 256), "l": Many(-SAFE, 64), **{f"a{index}": 0 for index in range(62)}}
    client(
        "run/attributes", run_of({**operator, "attributes": most}), "64 attributes; a string of 512 bytes; a list of 64"
    )
    client(
        "run/10000-nodes",
        run_of() | {"graph": {"invokes": [{"input": {"ids": [1]}}], "nodes": Many({"kind": "log"}, 10000)}},
        "many nodes",
    )
    welcome = {**WELCOME, "protocol": SAFE, "opset": SAFE, "epoch": Text("e", 64)}
    server(
        "welcome", {**welcome, "limits": {k: SAFE for k in (*LIMITS, *MORE_LIMITS)}}, "the largest numbers"
    )
    server(
        "welcome/least", {**WELCOME, "protocol": 0, "opset": 0, "limits": {k: 1 for k in LIMITS}}, "the least numbers"
    )
    server("error/100", {"type": "error", "errors": Many({"code": "internal", "message": ""}, 100)}, "100 errors")
    long = {"code": "internal", "message": Text("é", 5000), "path": Text("p", 10000), "wanted": Text("w", 10000),
            "got": Text("g", 10000), "nearest": Text("n", 512), "retryAfterMs": SAFE, "node": SAFE}  # fmt: skip
    server("error/long", {"type": "error", "errors": [long]}, "every string at its limit")
    ofrun = {"run": "r1", "seq": SAFE}
    server("seq/largest", {"type": "chunk", **ofrun, "save": SAFE, "offset": SAFE}, "2^53 − 1; no payload here")
    server("progress/largest", {"type": "progress", "run": "r1", "done": SAFE, "total": SAFE}, "2^53 − 1")
    largest = {k: SAFE for k in REPORT} | {"milliseconds": 1.7976931348623157e308, "stoppedAfter": Text("s", 512)}
    server(
        "report/largest", {"type": "status", **ofrun, "state": "completed", "report": largest}, "the largest numbers"
    )
    negative = {**REPORT, "milliseconds": -0.5}
    server(
        "report/negative-time",
        {"type": "status", "run": "r1", "seq": 1, "state": "completed", "report": negative},
        "a number may be negative: clocks are set back",
    )
    many = {**WELCOME, "capabilities": Many("c", 64), "models": Many("m", 1000)}
    server("welcome/lists", many, "64 capabilities, 1000 models")
    server("log/20000", {"type": "log", "run": "r1", "seq": 1, "node": 0, "text": Text("x", 20000)}, "20 000 bytes")
    server(
        "values/200000",
        {"type": "tokens", "request": 1, "ids": [], "tokens": Many("", 199995)},
        "200 000 values: the map, its 4 fields, and 199 995 tokens",
    )
    server("header/16-MiB", {"type": "text", "request": 1, "text": Text("x", 2**24 - 30)}, "a header of 16 MiB")

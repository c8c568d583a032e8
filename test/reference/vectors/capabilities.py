"""What the capabilities of section 6 add: messages of a peer that announced them, and wrong ones."""

from vectors.samples import REPORT, place, run_of, tensor, value_of
from vectors.wire import CAPABILITIES, INF, NAN, frame, golden_case, in_hex, pack

HASH = "0123456789abcdef" * 4
READ, SAVE = {"kind": "read", "place": place()}, {"kind": "save", "value": 0}
GRAPH = {"invokes": [{"input": {"ids": [1]}}], "nodes": [READ, SAVE]}
PORT = {"name": "x", "dtype": "float32", "dims": ["n"]}


def make_capabilities():
    make_golden()
    make_rejections()


def make_golden():
    def good(capability, id, direction, message, about=""):
        case = golden_case(id, direction, message, about)
        CAPABILITIES.setdefault("golden", []).append({"capability": capability, **case})

    def generate(id, about="", **options):
        message = run_of(READ, SAVE, options={"generate": {"maxNewTokens": 1, **options}})
        good("generation", f"run/generate{id}", "client", message, about)

    generate("", "greedy")
    generate("/temperature-0", "greedy too", temperature=0)
    generate("/all", "every option", temperature=0.5, topK=40, topP=0.875, repetitionPenalty=1.25, seed=7,
             stopTokens=[0, 50256], stopStrings=[".", "\n\n"])  # fmt: skip
    generate("/no-end", "goes on through the end of text", stopTokens=[])
    generate("/edges", "fields at their limits", topK=1, topP=1, seed=2**53 - 1, stopStrings=["é" * 256])
    for id, steps in {"0": 0, "3": 3, "list": [0, 2, 5], "all": {}, "from": {"start": 2}, "to": {"end": 4},
                      "range": {"start": 1, "end": 9, "step": 2}}.items():  # fmt: skip
        nodes = {"kind": "read", "place": place(steps=steps)}, SAVE
        good("generation", f"run/steps-{id}", "client", run_of(*nodes, options={"generate": {"maxNewTokens": 9}}))
    token = {"type": "token", "run": "r1", "seq": 4, "step": 0, "id": 50256, "text": " Paris"}
    good("generation", "token", "server", token)
    good("batch_generation", "token/invoke", "server", {**token, "invoke": 1}, "of the second prompt")
    nodes = {"kind": "read", "place": place(invoke=1, steps={})}, SAVE
    message = run_of(*nodes, inputs=[{"ids": [1]}, {"text": "a"}], options={"generate": {"maxNewTokens": 2}})
    good("batch_generation", "run/generate-invokes", "client", message)
    ends = [{"tokens": 1, "end": "stop", "steps": 2}, {"tokens": 3, "end": "token", "steps": 3}]
    report = {**REPORT, "steps": 3, "generated": ends}
    ended = {"type": "status", "run": "r1", "seq": 9, "state": "completed", "report": report}
    good("batch_generation", "status/generated", "server", ended, "each prompt by itself")
    good("generation", "token/no-text", "server", {**token, "text": ""}, "a character isn't whole yet")
    good("generation", "value/step", "server", value_of(tensor("float32", [1], [2]), step=3))
    chunk = {"type": "chunk", "run": "r1", "seq": 4, "save": 1, "offset": 16}
    good("generation", "chunk/step", "server", {**chunk, "step": 3})
    error = {"code": "not_reached", "message": "", "wanted": "5", "got": "2"}
    access = {"type": "access_error", "run": "r1", "seq": 4, "save": 1, "error": error}
    good("generation", "access_error/step", "server", {**access, "step": 5}, "a step that never came")
    good("generation", "log/step", "server", {"type": "log", "run": "r1", "seq": 4, "node": 2, "text": "", "step": 0})

    run = {"type": "run", "run": "r1", "model": "m"}
    good("sessions", "run/traces", "client", {**run, "traces": [{"graph": GRAPH}, {"graph": GRAPH}]})
    generating = {"graph": GRAPH, "generate": {"maxNewTokens": 2}}
    good("sessions", "run/traces-generate", "client", {**run, "traces": [generating]}, "with generation too")
    for id, more in {"": {}, "-step": {"step": 2}}.items():
        nodes = [{"kind": "earlier", "trace": 0, "node": 0, **more}, SAVE]
        traces = [{"graph": GRAPH}, {"graph": {**GRAPH, "nodes": nodes}}]
        good("sessions", f"run/earlier{id}", "client", {**run, "traces": traces})
    good("sessions", "value/trace", "server", value_of(tensor("float32", [1], [2]), trace=1))
    good("sessions", "chunk/trace", "server", {**chunk, "trace": 1})
    good("sessions", "access_error/trace", "server", {**access, "trace": 1})
    good("sessions", "token/trace", "server", {**token, "trace": 1}, "a trace that generates")
    good("sessions", "log/trace", "server", {"type": "log", "run": "r1", "seq": 4, "node": 2, "text": "", "trace": 0})
    cause = {"code": "not_reached", "message": "", "trace": 0, "node": 2}
    later = {"code": "failed", "message": "", "node": 1, "cause": cause}
    good("sessions", "access_error/cause", "server", {**access, "trace": 1, "error": later}, "of an earlier trace")
    refusal = {"type": "error", "run": "r1", "errors": [{"code": "bad_reference", "message": "", "trace": 1, "node": 0}]}
    good("sessions", "error/trace", "server", refusal)
    wrong = {"code": "operation_failed", "message": "", "trace": 0}
    reports = [{"state": "failed", "errors": [wrong]}, {"state": "completed", "report": REPORT}, {"state": "cancelled"}]
    status = {"type": "status", "run": "r1", "seq": 9}
    good("sessions", "status/reports", "server", {**status, "state": "completed", "reports": reports}, "one a trace")
    failed = {**status, "state": "failed", "errors": [wrong], "reports": reports[:1]}
    good("sessions", "status/reports-failed", "server", failed, "every trace failed")
    good("sessions", "status/reports-cancelled", "server", {**status, "state": "cancelled", "reports": reports})

    good("blobs", "blob", "client", {"type": "blob", "sha256": HASH, "size": 0})
    good("blobs", "blob_chunk", "client", {"type": "blob_chunk", "sha256": HASH, "offset": 1048576})
    for state in ("wanted", "known", "refused"):
        message = {"type": "blob_state", "sha256": HASH, "state": state, "received": 0}
        good("blobs", f"blob_state/{state}", "server", message)
    refused = {**message, "error": {"code": "blob_mismatch", "message": ""}}
    good("blobs", "blob_state/error", "server", refused, "why it is refused")
    blob = {"kind": "constant", "blob": {"sha256": HASH, "dtype": "float32", "dims": [3]}}
    good("blobs", "run/blob", "client", run_of(blob, SAVE))

    good("functions", "function", "client", {"type": "function", "request": 1, "sha256": HASH})
    described = {"type": "function_description", "request": 1, "inputs": [PORT], "outputs": [PORT, PORT]}
    good("functions", "function_description", "server", described)
    good("functions", "run/call", "client", run_of(READ, {"kind": "call", "function": HASH, "inputs": [0]}, SAVE))

    graph = {"invokes": [{"input": {"text": "a b"}}], "nodes": [READ, SAVE]}
    ask = {"type": "explain", "request": 1, "model": "m", "graph": graph}
    good("explain", "explain", "client", ask)
    sums = {"tokens": 2, "modulesRun": 5, "modulesTotal": 12, "segmentsRun": 2, "segmentsTotal": 4}
    parts = [{"modules": 3, "last": "h.0", "end": "block"}, {"modules": 2, "end": "write", "at": "h.1.attn"}]
    full = {**sums, "stoppedAfter": "h.1", "segments": parts, "idle": ["h.1.mlp"], "saves": [{"save": 1, "bytes": 32}],
            "warnings": [{"code": "behind_stop", "message": "", "node": 0, "path": "h.2"}]}  # fmt: skip
    answer = {"type": "explanation", "request": 1}
    good("explain", "explanation", "server", {**answer, "explanation": full})
    bare = {**sums, "segments": [], "idle": [], "saves": [{"save": 1}, {"save": 4, "error": error}], "warnings": []}
    good("explain", "explanation/bare", "server", {**answer, "explanation": bare}, "a save of unknown size, and one without a value")
    for end in ("stop", "end"):
        ended = {**bare, "segments": [{"modules": 0, "end": end}]}
        good("explain", f"explanation/{end}", "server", {**answer, "explanation": ended}, "why a segment ends")


def make_rejections():
    def bad(capability, id, direction, message, path):
        hex = in_hex(frame(pack(message)))
        case = {"capability": capability, "id": id, "direction": direction, "code": "bad_message", "path": path}
        CAPABILITIES.setdefault("rejections", []).append({**case, "hex": hex})

    wrong = {
        "maxNewTokens": [0, -1, 1.5, None, "1"], "temperature": [-0.5, NAN, INF], "topK": [0, 0.5], "topP": [0, 1.5, -1, NAN],
        "repetitionPenalty": [0, -1, INF], "seed": [-1, 0.5], "stopTokens": [1, [-1], [0] * 65], "stopStrings": ["a", [""], ["a"] * 65],
        "topq": [1],
    }  # fmt: skip
    for field, values in wrong.items():
        for index, value in enumerate(values):
            message = run_of(READ, SAVE, options={"generate": {"maxNewTokens": 1, field: value}})
            bad("generation", f"generate/{field}-{index}", "client", message, "options.generate")
    for index, steps in enumerate([-1, 0.5, "0", None, [-1], [0] * 4097, {"start": -1}, {"end": -1}, {"step": 0}, {"by": 1}]):
        nodes = {"kind": "read", "place": place(steps=steps)}, SAVE
        bad("generation", f"steps-{index}", "client", run_of(*nodes), "graph.nodes.0.place.steps")
    run = {"type": "run", "run": "r1", "model": "m"}
    for index, traces in enumerate([[], {}, [GRAPH], [{"graph": GRAPH, "options": {}}]]):
        bad("sessions", f"traces-{index}", "client", {**run, "traces": traces}, "traces")
    for index, node in enumerate([{}, {"trace": 0}, {"trace": -1, "node": 0}, {"trace": 0, "node": 0, "step": -1}]):
        bad("sessions", f"earlier-{index}", "client", run_of({"kind": "earlier", **node}), "graph.nodes.0")
    bad("sessions", "traces-and-graph", "client", {**run, "graph": GRAPH, "traces": [{"graph": GRAPH}]}, "traces")
    neither = {**run, "traces": [{"graph": GRAPH}], "options": {"generate": {"maxNewTokens": 1}}}
    bad("sessions", "traces-and-generate", "client", neither, "options.generate")
    status = {"type": "status", "run": "r1", "seq": 9, "state": "completed"}
    wrong = [[], {}, [{}], [{"state": "completed"}], [{"state": "failed", "report": REPORT}], [{"state": "running"}],
             [{"state": "cancelled", "errors": [{"code": "cancelled", "message": ""}]}]]  # fmt: skip
    for index, reports in enumerate(wrong):
        bad("sessions", f"reports-{index}", "server", {**status, "reports": reports}, "reports")
    bad("sessions", "reports-and-report", "server", {**status, "report": REPORT, "reports": [{"state": "completed", "report": REPORT}]}, "")
    bad("sessions", "reports-early", "server", {**status, "state": "running", "reports": [{"state": "cancelled"}]}, "")
    for index, sha256 in enumerate(["", HASH.upper(), HASH[1:], HASH + "\n", 1]):
        bad("blobs", f"blob/sha256-{index}", "client", {"type": "blob", "sha256": sha256, "size": 1}, "sha256")
        bad("functions", f"function/sha256-{index}", "client", {"type": "function", "request": 1, "sha256": sha256}, "sha256")
    bad("blobs", "blob/size", "client", {"type": "blob", "sha256": HASH, "size": -1}, "size")
    bad("blobs", "blob_chunk/offset", "client", {"type": "blob_chunk", "sha256": HASH, "offset": 0.5}, "offset")
    place_of = {"sha256": HASH, "dtype": "float32", "dims": [3]}
    constant = {"kind": "constant", "blob": place_of}
    for index, node in enumerate([{**constant, "tensor": {"dtype": "float32", "dims": [], "offset": 0, "length": 4}}, {"kind": "constant"}]):
        bad("blobs", f"constant-{index}", "client", run_of(node, SAVE), "graph.nodes.0")
    for index, fields in enumerate([{"sha256": HASH[1:]}, {"dtype": "string"}, {"dims": [-1]}, {"offset": 0}]):
        node = {**constant, "blob": {**place_of, **fields}}
        bad("blobs", f"constant/blob-{index}", "client", run_of(node, SAVE), "graph.nodes.0.blob")
    state = {"type": "blob_state", "sha256": HASH, "state": "lost", "received": 0}
    bad("blobs", "blob_state/state", "server", state, "state")
    bad("functions", "call/inputs", "client", run_of({"kind": "call", "function": HASH, "inputs": [0] * 65}), "graph.nodes.0")
    ask = {"type": "explain", "request": 1, "model": "m", "graph": GRAPH}
    for field, value in {"request": -1, "model": "", "graph": {}, "options": {}}.items():
        bad("explain", f"explain/{field}", "client", {**ask, field: value}, field)
    sums = {"tokens": 2, "modulesRun": 5, "modulesTotal": 12, "segmentsRun": 2, "segmentsTotal": 4}
    full = {**sums, "segments": [], "idle": [], "saves": [], "warnings": []}
    wrong = {
        "tokens": -1, "stoppedAfter": "", "segments": [{"modules": 1, "end": "cut"}], "idle": [1], "saves": [{"bytes": 1}],
        "warnings": [{"code": "behind_stop", "message": ""}] * 101, "milliseconds": 1,
    }  # fmt: skip
    for field, value in wrong.items():
        answer = {"type": "explanation", "request": 1, "explanation": {**full, field: value}}
        bad("explain", f"explanation/{field}", "server", answer, f"explanation.{field}")
    bad("generation", "token/step", "server", {"type": "token", "run": "r1", "seq": 1, "id": 0, "text": ""}, "step")

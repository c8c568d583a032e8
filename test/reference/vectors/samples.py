"""Messages and parts of messages that several files build on."""

from vectors.wire import Tensor, lay_out


def place(module="h.0", port="output", **more):
    return {"module": module, "port": port, **more}


def run_of(*nodes, input=None, inputs=None, **more):
    invokes = [{"input": one} for one in inputs or [input or {"ids": [1]}]]
    graph = {"invokes": invokes, "nodes": list(nodes)}
    return {"type": "run", "run": "r1", "model": "m", "graph": graph, **more}


def value_of(value, size=None, **more):
    fields = {"type": "value", "run": "r1", "seq": 3, "save": 1, "value": value, **more}
    _, payload, _ = lay_out(fields)
    return {**fields, "bytes": len(payload) if size is None else size}


def tensor(dtype, dims, values=(), **more):
    return {"tensor": Tensor(dtype, tuple(dims), tuple(values), **more)}


LIMITS = {"messageBytes": 67108864, "nodes": 10000, "savedBytes": 1073741824, "windowBytes": 8388608,
          "chunkBytes": 1048576, "runs": 16}  # fmt: skip
#: Optional ones.
MORE_LIMITS = ("resumeMs", "retainMs", "invokes", "batchTokens", "intermediateBytes", "runMs", "queuedRuns", "keyRuns",
               "connections", "requestsPerSecond", "blobBytes", "blobMs")  # fmt: skip
WELCOME = {"type": "welcome", "protocol": 1, "server": {"name": "s", "version": "1"}, "epoch": "e-1",
           "capabilities": [], "opset": 21, "models": ["m"], "limits": LIMITS}  # fmt: skip
REPORT = {"modulesRun": 1, "modulesTotal": 2, "segmentsRun": 3, "segmentsTotal": 4, "tokens": 5, "milliseconds": 1.5}
PORT = {"name": "h", "dtype": "float32", "dims": ["batch", "sequence", 4]}
MODULE = {"path": "h.0", "order": {"output": 0}, "inputs": [], "outputs": [PORT]}
MODEL = {"name": "m", "id": "sha256:0", "architecture": "A", "exporter": "other", "opset": 21, "blocks": ["h.0"],
         "modules": [MODULE], "parameters": []}  # fmt: skip
FULL_ERROR = {
    "code": "bad_attribute", "message": "No.", "retryAfterMs": 0, "run": "r1", "node": 0, "path": "", "wanted": "",
    "got": "", "nearest": "n", "cause": {"code": "internal", "message": ""},
}  # fmt: skip

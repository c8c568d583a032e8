"""A client of the Tracewire protocol, written from docs/PROTOCOL.md alone; `(1.2)` names the section a line follows.

async with Client(url) as client:
    graph = Graph("The Eiffel Tower is in the city of")
    block = graph.save(graph.read("transformer.h.1", member=0))
    run = await client.run(graph)
    print(run[block].shape)
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import os
import re
import secrets
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgpack  # type: ignore[import-untyped]
import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

SUBPROTOCOL, PROTOCOL, OPSET, MIB, MAX_INT = "tracewire.v1", 1, 21, 1 << 20, 2**53 - 1
TERMINAL = ("completed", "failed", "cancelled")
BEFORE_RUNNING = ("queued", "running", "failed", "cancelled")
AFTER = {None: ("received",), "received": BEFORE_RUNNING, "queued": BEFORE_RUNNING, "running": TERMINAL}  # (2.3)
# The fields of a status that belong to its state; a `!` marks one that must be there (2.2).
OF_STATE = {"received": ["warnings"], "queued": ["position", "waitMs"], "running": [], "completed": ["report!"],
            "failed": ["errors!", "report"], "cancelled": ["report"]}
DTYPES = "bool int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 float32 float64".split()  # NumPy's names too
Json = dict[str, Any]
Check = Callable[[Any], Any]
Value = np.ndarray | tuple["Value", ...]


class Violation(Exception):
    """The server broke the protocol; the connection is closed with 4400 (1.4)."""


class TracewireError(Exception):
    """One or more errors of section 5."""

    def __init__(self, errors: list[Json]) -> None:
        super().__init__("; ".join(f"{e['code']}: {e['message']}" for e in errors))
        self.errors, self.code = errors, errors[0]["code"]


class Refused(TracewireError):
    """The server cannot be talked to; the connection is closed with 4400 (1.4)."""


def own_error(code: str, message: str) -> TracewireError:
    return TracewireError([{"code": code, "message": message}])


def need(holds: bool, what: str) -> None:
    if not holds:
        raise Violation(what)


# Frames (1.1, 1.2)


def encode(header: Json, payload: bytes = b"") -> bytes:
    packed: bytes = msgpack.packb(header)
    return struct.pack("<I", len(packed)) + packed + bytes(-(4 + len(packed)) % 8) + payload


def decode(frame: str | bytes) -> tuple[Json, bytes]:
    if isinstance(frame, str) or len(frame) < 8:
        raise Violation("no binary frame")
    (size,) = struct.unpack_from("<I", frame)
    start = 4 + size + -(4 + size) % 8
    need(1 <= size <= 16 * MIB and start <= len(frame), "the header's length")
    need(not any(frame[4 + size : start]), "padding that is not zero")
    try:
        header = msgpack.unpackb(frame[4 : 4 + size], object_pairs_hook=_fields)
    except (ValueError, msgpack.UnpackException) as e:
        raise Violation(f"msgpack: {e}") from e
    todo, count = [(header, 0)], 0
    while todo:
        x, depth = todo.pop()
        count += 1
        need(depth <= 16 and count <= 200_000, "too deep, or too many values")
        need(x is None or type(x) in (dict, list, str, bool, int, float), "a type that may not be")
        need(type(x) is not int or abs(x) <= MAX_INT, "an integer out of range")
        todo.extend((y, depth + 1) for y in (x.values() if type(x) is dict else x if type(x) is list else ()))
    need(isinstance(header, dict) and isinstance(header.get("type"), str), "a header without type")
    return header, frame[start:]


def _fields(pairs: list[tuple[Any, Any]]) -> Json:
    fields = dict(pairs)
    need(len(fields) == len(pairs) <= 64, "a map with a key twice, or more than 64 fields")
    need(all(isinstance(key, str) for key in fields), "a key that is no string")
    need(not fields.keys() & {"__proto__", "constructor", "prototype"}, "a key that may not be")
    return fields


# What the server may send: the tables of 2.2, 4 and 5. A check returns what it was given, or raises Violation.


def number(x: Any) -> Any:
    need(type(x) in (int, float) and math.isfinite(x), f"{x!r:.80} is no number")
    return x


def uint(x: Any, limit: int = MAX_INT, least: int = 0) -> int:
    need(number(x) == int(x) and least <= x <= limit, f"{x!r:.80} is no such uint")
    return int(x)  # `float 64 7.0` is 7


def string(least: int = 0, most: int = 16 * MIB, pattern: str = ".*") -> Check:
    def check(x: Any) -> Any:
        fits = isinstance(x, str) and least <= len(x.encode()) <= most and re.fullmatch(pattern, x, re.DOTALL)
        need(bool(fits), f"{x!r:.80} is no such string")
        return x

    return check


def true(x: Any) -> bool:
    need(x is True, f"{x!r:.80} is not true")
    return True


def many(item: Check, least: int = 0, most: int = 200_000) -> Check:
    def check(x: Any) -> list[Any]:
        need(isinstance(x, list) and least <= len(x) <= most, f"{x!r:.80} is no such list")
        return [item(y) for y in x]

    return check


def record(fields: dict[str, Check], others: Check | None = None) -> Check:
    """A map with these fields; a `?` after a name marks one that may be absent. Other fields need a check to be let in."""

    def check(x: Any) -> Json:
        need(isinstance(x, dict), f"{x!r:.80} is no map")
        checks = {key: fields.get(key) or fields.get(key + "?") or others for key in x}
        need(all(checks.values()), f"an unknown field among {list(x)}")
        need(all(key in x or key[-1] == "?" for key in fields), f"a missing field beside {list(x)}")
        return {key: checks[key](x[key]) for key in x}  # type: ignore[misc]

    return check


name, path, text, ident = string(1, 512), string(0, 512), string(0, 10_000), string(1, 64, "[A-Za-z0-9._~-]*")
dtype, dims = string(pattern="|".join(DTYPES)), many(lambda x: uint(x, 2**31 - 1), most=8)
error: Check = record({
    "code": name, "message": text, "retryAfterMs?": uint, "run?": ident, "node?": uint, "path?": text, "wanted?": text,
    "got?": text, "nearest?": name, "cause?": lambda x: error(x)})
tensor = record({"dtype": dtype, "dims": dims, "offset": uint, "length": uint})
value: Check = record({"tensor?": tensor, "tuple?": many(lambda x: value(x), 1, 1024)})
report = record({**dict.fromkeys(["modulesRun", "modulesTotal", "segmentsRun", "segmentsTotal", "tokens"], uint),
                 "milliseconds": number, "stoppedAfter?": name})
typed = {"name": name, "dtype": dtype, "mixed?": true,
         "dims": many(lambda x: name(x) if isinstance(x, str) else uint(x), most=16)}
port, source = record(typed), record({**typed, "operator": name, "order": uint})
module = record({"path": path, "class?": name, "order": record({"input?": uint, "output?": uint}),
                 "inputs": many(port), "outputs": many(port), "missing?": text, "sources?": many(source)})
description = record({
    "name": name, "id": name, "architecture": name, "exporter": string(pattern="torchscript|dynamo|other"),
    "opset": uint, "contextLength?": uint, "vocabularySize?": uint, "blocks": many(name), "modules": many(module),
    "endOfText?": many(uint, most=64), "unsupported?": record({}, others=many(dtype)),
    "feeds?": many(record({key: typed[key] for key in ("name", "dtype", "dims")} | {"optional?": true})),
    "attention?": record({"heads": uint, "keyValueHeads": uint, "headSize": uint}),
    "parameters": many(record({"name": name, "dtype": dtype, "dims": dims}))})
limits = record({
    **dict.fromkeys("messageBytes nodes savedBytes windowBytes chunkBytes runs".split(), lambda x: uint(x, least=1)),
    **dict.fromkeys(["resumeMs?", "retainMs?"], uint)}, others=lambda x: x)
of_run: dict[str, Check] = {"run": ident, "seq": uint}
MESSAGES: dict[str, Check] = {kind: record({"type": name, **fields}) for kind, fields in {
    "welcome": {"protocol": uint, "server": record({"name": name, "version": name}), "epoch": ident,
                "capabilities": many(name, most=64), "opset": uint, "models": many(name, 1, 1000), "limits": limits},
    "description": {"request": uint, "description": description},
    "tokens": {"request": uint, "ids": many(uint), "tokens": many(string())},
    "text": {"request": uint, "text": string()},
    "error": {"errors": many(error, 1, 100), "request?": uint, "run?": ident},
    "status": {**of_run, "state": string(pattern="|".join(["received|queued|running", *TERMINAL])), "position?": uint, "waitMs?": uint,
               "warnings?": many(error, most=100), "errors?": many(error, 1, 100), "report?": report},
    "value": {**of_run, "save": uint, "value": value, "bytes": uint},
    "chunk": {**of_run, "save": uint, "offset": uint},
    "access_error": {**of_run, "save": uint, "error": error},
    "log": {**of_run, "node": uint, "text?": string(most=20_000), "value?": value},
    "progress": {"run": ident, "done": uint, "total": uint, "phase?": string(pattern="loading")},
}.items()}
ANSWERS = {"describe": ("description", "description"), "tokenize": ("tokens", "ids"), "detokenize": ("text", "text")}


def parse(frame: str | bytes) -> tuple[Json, bytes]:
    header, payload = decode(frame)
    need(header["type"] in MESSAGES, f"no message of type {header['type']:.80}")
    m = MESSAGES[header["type"]](header)
    need(not payload or m["type"] in ("value", "chunk") or (m["type"] == "log" and "value" in m), "a stray payload")
    if m["type"] == "status":
        own = OF_STATE[m["state"]]
        told = {"position", "waitMs", "warnings", "errors", "report"} & m.keys()
        need(told <= {field.rstrip("!") for field in own}, f"a field of another state than {m['state']}")
        need({field[:-1] for field in own if field[-1] == "!"} <= told, f"{m['state']} without its field")
    return m, payload


# Tensors (1.3)


def tensors(v: Json, depth: int = 0) -> Iterator[Json]:
    need(len(v) == 1 and depth <= 6, "a value that is neither a tensor nor a tuple, or too deep")
    yield from [v["tensor"]] if "tensor" in v else []
    for member in v.get("tuple", ()):
        yield from tensors(member, depth + 1)


def span(v: Json) -> int:
    """The length of the value's payload, after its tensors have been found to lie where they must."""
    end = 0
    for t in tensors(v):
        need(t["offset"] == end + -end % 8, "a tensor that lies elsewhere")
        need(t["length"] == math.prod(t["dims"]) * np.dtype(t["dtype"]).itemsize, "a tensor's length")
        end = t["offset"] + t["length"]
    return end


def unpack(v: Json, payload: bytes) -> Value:
    end = 0
    for t in tensors(v):
        need(not any(payload[end : t["offset"]]), "bytes between tensors that are not zero")
        end = t["offset"] + t["length"]
        need(t["dtype"] != "bool" or max(payload[t["offset"] : end], default=0) <= 1, "a bool above 1")

    def build(v: Json) -> Value:
        if "tuple" in v:
            return tuple(build(member) for member in v["tuple"])
        t, kind = v["tensor"], np.dtype(v["tensor"]["dtype"]).newbyteorder("<")
        return np.frombuffer(payload, kind, math.prod(t["dims"]), t["offset"]).reshape(t["dims"])

    return build(v)


# The graph (3)


class Graph:
    """Builds a graph. A node is the number that its method returns."""

    def __init__(self, prompt: str | Sequence[int]) -> None:
        self.nodes: list[Json] = []
        self.payload = b""
        source = {"text": prompt} if isinstance(prompt, str) else {"ids": list(prompt)}
        self.plan = {"invokes": [{"input": source}], "nodes": self.nodes}

    def node(self, kind: str, **fields: Any) -> int:
        self.nodes.append({"kind": kind, **{key: x for key, x in fields.items() if x is not None}})
        return len(self.nodes) - 1

    @staticmethod
    def place(path: str, port: str, member: int | None = None) -> Json:
        return {"module": path, "port": port, **({} if member is None else {"member": member})}

    def constant(self, x: Any, dtype: str | None = None) -> int:
        array = np.asarray(x, dtype)
        raw = array.astype(array.dtype.newbyteorder("<")).tobytes()
        self.payload += bytes(-len(self.payload) % 8)
        t = {"dtype": array.dtype.name, "dims": list(array.shape), "offset": len(self.payload), "length": len(raw)}
        self.payload += raw
        return self.node("constant", tensor=t)

    def parameter(self, name: str) -> int:
        return self.node("parameter", name=name)

    def read(self, path: str, port: str = "output", member: int | None = None) -> int:
        return self.node("read", place=self.place(path, port, member))

    def write(self, path: str, value: int, port: str = "output", member: int | None = None,
              selection: Sequence[int | slice] | None = None) -> int:
        def entry(x: int | slice) -> Any:
            parts = {} if isinstance(x, int) else {"start": x.start, "end": x.stop, "step": x.step}
            return x if isinstance(x, int) else {key: n for key, n in parts.items() if n is not None}

        entries = None if selection is None else [entry(x) for x in selection]
        return self.node("write", place=self.place(path, port, member), value=value, selection=entries)

    def stop(self, path: str, port: str = "output") -> int:
        return self.node("stop", place=self.place(path, port))

    def operator(self, operator: str, *inputs: int, **attributes: Any) -> int:
        return self.node("operator", operator=operator, inputs=list(inputs), attributes=attributes or None)

    def member(self, of: int, index: int) -> int:
        return self.node("member", of=of, index=index)

    def apply(self, module: str, input: int) -> int:
        return self.node("apply", module=module, input=input)

    def save(self, value: int) -> int:
        return self.node("save", value=value)

    def log(self, text: str | None = None, value: int | None = None) -> int:
        return self.node("log", text=text, value=value)


# A run (2.3)


class Run:
    """One trace on the server. `await run.wait()`, then `run[save]` is a value, or raises its access error."""

    def __init__(self, client: Client, graph: Graph, model: str, options: Json) -> None:
        self.client, self.id = client, secrets.token_urlsafe(16)  # 128 bits (2.4)
        header = {"type": "run", "run": self.id, "model": model, "graph": graph.plan}
        self.frame = encode({**header, **({"options": options} if options else {})}, graph.payload)
        self.kinds = dict(enumerate(node["kind"] for node in graph.nodes))
        self.last = self.acked = self.unacked = 0  # seq, seq, bytes of payload
        self.statuses: list[Json] = []
        self.outcomes: dict[int, Value | TracewireError] = {}  # of the saves, in the order in which they came
        self.logs: list[tuple[int, str | None, Value | None]] = []
        self.part: tuple[Json, bytearray] | None = None  # a value whose chunks are not all here
        self.done: asyncio.Future[Run] = asyncio.get_running_loop().create_future()

    @property
    def state(self) -> str | None:
        return self.statuses[-1]["state"] if self.statuses else None

    async def wait(self) -> Run:
        """Until the terminal status; raises TracewireError where the run was refused or lost."""
        return await asyncio.shield(self.done)

    async def cancel(self) -> None:
        await self.client.send({"type": "cancel", "run": self.id})

    def __getitem__(self, save: int) -> Value:
        if isinstance(outcome := self.outcomes[save], TracewireError):
            raise outcome
        return outcome

    def take(self, m: Json, payload: bytes) -> None:
        need(m["seq"] == self.last + 1 and not self.done.done(), f"seq {m['seq']} after {self.last}")
        state, kind = m.get("state"), m["type"]
        need(state in AFTER[self.state] if kind == "status" else self.state is not None, f"{kind} after {self.state}")
        need(kind not in ("value", "log") or self.state == "running", f"a {kind} while {self.state}")
        need((m["type"] == "chunk") == (self.part is not None), "chunks follow their value, and nothing else does")
        self.last, self.unacked = m["seq"], self.unacked + len(payload)
        if m["type"] == "status":
            self.statuses.append(m)
            if m["state"] in TERMINAL:
                saves = {i for i, kind in self.kinds.items() if kind == "save"}
                need(saves == self.outcomes.keys(), "a save without an outcome")
                self.done.set_result(self)
        elif m["type"] == "log":
            need(self.kinds.get(m["node"]) == "log" and len(payload) <= 65_536, "a log of no log node, or too large")
            need(len(payload) == (span(m["value"]) if "value" in m else 0), "the payload's length")
            self.logs.append((m["node"], m.get("text"), unpack(m["value"], payload) if "value" in m else None))
        elif self.part:
            head, parts = self.part
            need(m["save"] == head["save"] and m["offset"] == len(parts), "a chunk of something else")
            self.fill(head, parts, payload)
        else:
            need(self.kinds.get(m["save"]) == "save" and m["save"] not in self.outcomes, f"an outcome for {m['save']}")
            if m["type"] == "value":
                need(span(m["value"]) == m["bytes"], "`bytes` is not the value's length")
                need(m["bytes"] <= self.client.limits["savedBytes"] + MIB // 4, "more than may be saved")  # and its gaps
                self.fill(m, bytearray(), payload)
            else:
                codes = ("not_reached", "unset", "failed", "too_large", "cancelled")
                need(m["error"]["code"] in codes, "the code of an access error")
                self.outcomes[m["save"]] = TracewireError([m["error"]])

    def fill(self, m: Json, parts: bytearray, payload: bytes) -> None:
        need(len(payload) == min(m["bytes"] - len(parts), self.client.limits["chunkBytes"]), "a part's length")
        parts += payload
        self.part = (m, parts) if len(parts) < m["bytes"] else None
        if not self.part:
            self.outcomes[m["save"]] = unpack(m["value"], bytes(parts))


# A connection (1.4, 2.4)


class Client:
    def __init__(self, url: str, key: str | None = None, capabilities: Sequence[str] = ("resume",)) -> None:
        self.url, self.key, self.offered = url, key, list(capabilities)
        self.runs: dict[str, Run] = {}  # that have not ended
        self.pending: dict[int, tuple[str, asyncio.Future[Any]]] = {}
        self.requests, self.up, self.closing = 0, asyncio.Event(), False
        self.failure: Exception | None = None

    async def __aenter__(self) -> Client:
        await self.greet()
        self.up.set()
        self.reader, self.acker = asyncio.create_task(self.read()), asyncio.create_task(self.acknowledge())
        return self

    async def __aexit__(self, *_: object) -> None:
        for run in list(self.runs.values()) if self.up.is_set() and not self.failure else ():
            await run.cancel()  # with `resume`, it would go on without a client
        self.closing = True
        self.acker.cancel()
        await self.ws.close(1000)
        await self.reader

    async def greet(self) -> None:
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        try:
            self.ws: ClientConnection = await connect(
                self.url, subprotocols=[Subprotocol(SUBPROTOCOL)], compression=None, max_size=None, proxy=None,
                additional_headers=headers)
        except InvalidStatus as e:
            raise own_error("refused_upgrade", f"HTTP {e.response.status_code}") from e
        except (OSError, InvalidHandshake, TimeoutError) as e:
            raise own_error("unreachable", str(e)) from e
        me = {"name": "tracewire-python-example", "version": "1.0"}
        hello = {"type": "hello", "protocol": PROTOCOL, "client": me, "capabilities": self.offered}
        try:
            need(self.ws.subprotocol == SUBPROTOCOL, "another subprotocol")
            await self.ws.send(encode(hello))
            m, _ = parse(await asyncio.wait_for(self.ws.recv(), 10))
            if m["type"] == "error":
                await self.ws.close()
                raise TracewireError(m["errors"])
            need(m["type"] == "welcome", "no welcome")
            if (m["protocol"], m["opset"]) != (PROTOCOL, OPSET):
                message = f"the server speaks {m['protocol']} with operator set {m['opset']}"
                raise Refused([{"code": "unsupported_version", "message": message}])
        except (Violation, Refused) as e:
            await self.ws.close(4400, str(e)[:100])
            raise
        except TimeoutError as e:
            await self.ws.close()
            raise own_error("unreachable", "no welcome within 10 s") from e
        except ConnectionClosed as e:
            raise own_error("connection_lost", str(e)) from e
        self.welcome, self.limits, self.capabilities = m, m["limits"], set(self.offered) & set(m["capabilities"])

    async def send(self, header: Json) -> None:
        await self.transmit(encode(header))

    async def transmit(self, frame: bytes) -> None:
        if self.failure:
            raise self.failure
        with suppress(ConnectionClosed):  # `read` finds it out too, and sees to it
            await self.ws.send(frame)

    async def read(self) -> None:
        try:
            while True:
                try:
                    async for frame in self.ws:
                        await self.take(*parse(frame))
                except ConnectionClosed:
                    pass
                except Violation as e:
                    await self.ws.close(4400, str(e)[:100])
                    raise
                self.up.clear()
                code = self.ws.close_code
                lost = own_error("closed" if self.closing else "connection_lost", f"the connection ended with {code}")
                self.drop_requests(lost)
                if self.closing or code not in (1001, 1006, 1008) or "resume" not in self.capabilities:
                    raise lost
                await self.resume()
        except (Violation, TracewireError) as e:
            self.failure = e
            self.up.set()  # those who wait to send get the failure
            self.drop_requests(e)
            for run in list(self.runs.values()):
                self.end(run, e)

    async def resume(self) -> None:
        loop, epoch = asyncio.get_running_loop(), self.welcome["epoch"]  # of all runs that are open
        until = loop.time() + self.limits.get("resumeMs", 0) / 1000
        while True:
            try:
                await self.greet()
                break
            except TracewireError as e:
                if loop.time() > until or e.code not in ("unreachable", "connection_lost", "refused_upgrade"):
                    raise
                await asyncio.sleep(0.2)
        for run in list(self.runs.values()):
            if epoch != self.welcome["epoch"]:
                self.end(run, own_error("run_lost", "the server has been started again"))
                continue
            run.acked, run.unacked = run.last, 0  # `after` counts as acked
            resume = {"type": "resume", "run": run.id, "after": run.last}
            await self.transmit(encode(resume) if run.last else run.frame)
        self.up.set()

    async def take(self, m: Json, payload: bytes) -> None:
        kind, run = m["type"], self.runs.get(m.get("run", ""))
        need(len(payload) <= self.limits["chunkBytes"], "more payload than `chunkBytes`")
        if "request" in m and kind != "error":
            need(self.pending.get(m["request"], ("",))[0] == kind, "an answer to no request")
            self.pending.pop(m["request"])[1].set_result(m)
        elif kind == "error":
            failure = TracewireError(m["errors"])
            if "request" in m:
                need(m["request"] in self.pending, "an error for no request")
                self.pending.pop(m["request"])[1].set_exception(failure)
            elif "run" in m:
                need(run is not None, "an error of a run that is not there")
                assert run
                self.end(run, failure)
            else:  # whose it is can't be told, so nothing here may go on waiting
                await self.ws.close()
                raise failure
        elif kind != "progress":
            need(run is not None and kind != "welcome", "a message of a run that is not there, or a second welcome")
            assert run
            run.take(m, payload)
            if run.done.done():
                del self.runs[run.id]
            if run.done.done() or run.unacked >= MIB // 2:
                await self.ack(run)

    async def ack(self, run: Run) -> None:
        run.acked, run.unacked = run.last, 0
        await self.send({"type": "ack", "run": run.id, "seq": run.last})

    async def acknowledge(self) -> None:
        while not self.failure:
            await asyncio.sleep(0.5)
            for run in list(self.runs.values()) if self.up.is_set() else ():
                if run.last > run.acked and not self.failure:
                    await self.ack(run)

    def end(self, run: Run, failure: Exception) -> None:
        self.runs.pop(run.id, None)
        run.done.set_exception(failure)

    def drop_requests(self, failure: Exception) -> None:
        for _, future in self.pending.values():
            future.set_exception(failure)
        self.pending.clear()

    async def request(self, kind: str, model: str | None, **fields: Any) -> Any:
        await self.up.wait()
        self.requests += 1
        answer, field = ANSWERS[kind]
        _, future = self.pending[self.requests] = (answer, asyncio.get_running_loop().create_future())
        header = {"type": kind, "request": self.requests, "model": model or self.welcome["models"][0]}
        await self.send({**header, **fields})
        return (await future)[field]

    async def describe(self, model: str | None = None) -> Json:
        return dict(await self.request("describe", model))

    async def tokenize(self, text: str, model: str | None = None) -> list[int]:
        return list(await self.request("tokenize", model, text=text))

    async def detokenize(self, ids: Sequence[int], model: str | None = None) -> str:
        return str(await self.request("detokenize", model, ids=list(ids)))

    async def start(self, graph: Graph, model: str | None = None, deadline_ms: int | None = None) -> Run:
        await self.up.wait()
        options = {} if deadline_ms is None else {"deadlineMs": deadline_ms}
        run = Run(self, graph, model or self.welcome["models"][0], options)
        if not self.failure:
            self.runs[run.id] = run
        await self.transmit(run.frame)
        return run

    async def run(self, graph: Graph, model: str | None = None, deadline_ms: int | None = None) -> Run:
        return await (await self.start(graph, model, deadline_ms)).wait()


# A program for `tracewire conformance --client` (docs/CONFORMANCE.md)


def scenario(trace: str) -> tuple[Graph, dict[str, int]]:
    graph, saves = Graph([0, 1]), {}
    for path in {"one": ["h.0"], "tutorial": ["h.1", "h.0"], "tuple": ["mix"], "constants": [], "log": []}[trace]:
        saves[path] = graph.save(graph.read(path))
    if trace == "tutorial":
        graph.stop("h.0")
    if trace == "log":
        graph.log("seen", graph.read("h.0"))
    if trace == "constants":
        for label, x, kind in (("a", [1, 2, 3], "uint8"), ("b", 0.5, "float64"), ("c", [], "float32")):
            saves[label] = graph.save(graph.constant(x, kind))
    return graph, saves


def shown(x: Value) -> Json:
    if isinstance(x, tuple):
        return {"tuple": [shown(member) for member in x]}
    return {"dtype": x.dtype.name, "dims": list(x.shape), "sha256": hashlib.sha256(x.tobytes()).hexdigest()}


async def main(url: str, trace: str) -> None:
    if trace in ("function", "session"):  # of capabilities that aren't here: the server sees that, and the case is skipped
        async with Client(url) as client:
            await client.up.wait()
        return
    graph, saves = scenario(trace)
    try:
        async with Client(url) as client:
            run = await client.run(graph, "demo")
        if run.state == "failed":
            raise TracewireError(run.statuses[-1]["errors"])
        outcomes = {label: run.outcomes[save] for label, save in saves.items()}
        lines = [{"save": label, **({"error": x.code} if isinstance(x, TracewireError) else shown(x))}
                 for label, x in outcomes.items()]
        lines += [{"log": text, **({} if x is None else shown(x))} for _, text, x in run.logs]
    except TracewireError as e:
        lines = [{"error": e.code}]
    except Violation as e:
        lines = [{"error": "protocol_violation"}]
        print(e, file=sys.stderr)
    print(*map(json.dumps, lines), sep="\n")


if __name__ == "__main__":
    asyncio.run(main(os.environ["TRACEWIRE_URL"], os.environ["TRACEWIRE_SCENARIO"]))

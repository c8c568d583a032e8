"""The tutorial's trace over the wire: save two blocks, stop after the first. See ../../PROTOCOL.md."""

import struct
import sys

import msgpack
import numpy as np
from websockets.sync.client import connect

URL = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:7331"
SUBPROTOCOL = "tracewire.v1"
MAX_HEADER = 16 * 1024 * 1024
TERMINAL = {"completed", "failed", "cancelled"}


def encode(header, payload=b""):
    """Section 1.1: length, header, zeros up to a multiple of 8, payload."""
    packed = msgpack.packb(header)
    padding = bytes(-(4 + len(packed)) % 8)
    return struct.pack("<I", len(packed)) + packed + padding + payload


def decode(message):
    (length,) = struct.unpack_from("<I", message)
    end = 4 + length
    return msgpack.unpackb(message[4:end]), message[end + -end % 8 :]


def read_value(value, payload):
    """Section 1.3: a tensor is an array, a tuple a tuple of values."""
    if "tuple" in value:
        return tuple(read_value(member, payload) for member in value["tuple"])
    tensor = value["tensor"]
    data = payload[tensor["offset"] : tensor["offset"] + tensor["length"]]
    return np.frombuffer(data, np.dtype(tensor["dtype"]).newbyteorder("<")).reshape(tensor["dims"])


def explain(errors):
    return "\n".join(f"{error['code']}: {error['message']}" for error in errors)


def greet(socket):
    client = {"name": "trace.py", "version": "1"}
    socket.send(encode({"type": "hello", "protocol": 1, "client": client, "capabilities": []}))
    answer, _ = decode(socket.recv())
    if answer["type"] != "welcome":
        sys.exit(explain(answer["errors"]))
    return answer


def run(socket, model, graph):
    """Yields the run's messages of section 2.2, each acknowledged, each value whole."""
    socket.send(encode({"type": "run", "run": "run-1", "model": model, "graph": graph}))
    header = None  # of the value that is coming in
    while True:
        message, payload = decode(socket.recv())
        if message["type"] == "error":
            sys.exit(explain(message["errors"]))
        if "seq" in message:  # progress has none
            socket.send(encode({"type": "ack", "run": message["run"], "seq": message["seq"]}))
        if message["type"] == "value":
            header, whole = message, bytearray(message["bytes"])
        if message["type"] in ("value", "chunk"):
            start = message.get("offset", 0)
            end = start + len(payload)
            whole[start:end] = payload
            if end < header["bytes"]:
                continue
            message, payload = header, bytes(whole)
        yield message, payload
        if message["type"] == "status" and message["state"] in TERMINAL:
            return


def main():
    h0 = {"module": "transformer.h.0", "port": "output"}
    h1 = {"module": "transformer.h.1", "port": "output"}
    nodes = [
        {"kind": "read", "place": h1},
        {"kind": "save", "value": 0},
        {"kind": "read", "place": h0},
        {"kind": "save", "value": 2},
        {"kind": "stop", "place": h0},
    ]
    graph = {"invokes": [{"input": {"text": "The Eiffel Tower is in the city of"}}], "nodes": nodes}
    names = {1: "h.1", 3: "h.0"}

    options = {"subprotocols": [SUBPROTOCOL], "compression": None}
    with connect(URL, **options, max_size=MAX_HEADER + 2 * 1024 * 1024) as socket:
        welcome = greet(socket)
        for message, payload in run(socket, welcome["models"][0], graph):
            if message["type"] == "status":
                for warning in message.get("warnings", []):
                    print("warning:", warning["message"])
                print("status:", message["state"], message.get("report", ""))
                for error in message.get("errors", []):
                    print("error:", explain([error]))
            elif message["type"] == "value":
                value = read_value(message["value"], payload)
                for index, array in enumerate(value if isinstance(value, tuple) else [value]):
                    name = f"{names[message['save']]}.output[{index}]"
                    print(f"{name}: {array.dtype} {array.shape} {array.ravel()[:4]}")
            elif message["type"] == "access_error":
                print(f"{names[message['save']]}.output:", explain([message["error"]]))


if __name__ == "__main__":
    main()

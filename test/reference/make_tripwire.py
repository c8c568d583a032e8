"""Make the tripwire fixture: two blocks, of which the second fails when it runs on a token id of 8 or more.

    python test/reference/make_tripwire.py [--out test/fixtures/tripwire]

`h.1` picks a row for each token out of a table of 8 rows, while the vocabulary has 16: ONNX's Gather is out of range
there. With the ids 0 to 7 the model runs to its end, so a server can prepare it. Needs onnx and NumPy.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

VOCABULARY, WIDTH, SAFE = 16, 4, 8


def make_model():
    weights = np.random.default_rng(1)

    def initializer(name, *dims):
        return numpy_helper.from_array(weights.standard_normal(dims).astype(np.float32), name)

    nodes = [
        ("/wte/Gather", "Gather", ["wte.weight", "input_ids"], "embedded"),
        ("/h.0/MatMul", "MatMul", ["embedded", "h.0.weight"], "turned"),
        ("/h.0/Add", "Add", ["turned", "embedded"], "hidden.0"),
        ("/h.1/Gather", "Gather", ["h.1.weight", "input_ids"], "picked"),
        ("/h.1/Add", "Add", ["picked", "hidden.0"], "hidden.1"),
        ("/lm_head/MatMul", "MatMul", ["hidden.1", "lm_head.weight"], "logits"),
    ]
    graph = helper.make_graph(
        [helper.make_node(op, inputs, [output], name=name) for name, op, inputs, output in nodes],
        "tripwire",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "sequence"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "sequence", VOCABULARY])],
        [
            initializer("wte.weight", VOCABULARY, WIDTH),
            initializer("h.0.weight", WIDTH, WIDTH),
            initializer("h.1.weight", SAFE, WIDTH),
            initializer("lm_head.weight", WIDTH, VOCABULARY),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


CONFIG = {
    "architectures": ["Tripwire"],
    "model_type": "tripwire",
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 32,
    "num_hidden_layers": 2,
    "hidden_size": WIDTH,
}
TOKENIZER = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [],
    "normalizer": None,
    "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": None,
    "decoder": None,
    "model": {"type": "WordLevel", "vocab": {f"t{id}": id for id in range(VOCABULARY)}, "unk_token": "t0"},
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path("test/fixtures/tripwire"))
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    (out / "model.onnx").write_bytes(make_model().SerializeToString())
    for name, data in (("config", CONFIG), ("tokenizer", TOKENIZER)):
        (out / f"{name}.json").write_text(json.dumps(data, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()

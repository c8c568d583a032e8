"""Exports a PyTorch module as a function for `model.fn`: one ONNX file of operator set 21, without external data.

    pip install torch==2.9.1 onnx==1.23.2 onnxscript==0.7.2
    python export_function.py encoder.onnx

writes the example below, a sparse autoencoder. For a module of your own, call `export_function`.
"""

import sys

import onnx
import torch

OPSET = 21
#: Axes of activations whose size only the prompt tells.
AXES = {0: "batch", 1: "position"}


def export_function(module, inputs, path, input_names, output_names):
    """Writes `module` as a function of `inputs`, example tensors `[batch, position, …]`, whose first two axes may have any size."""
    program = torch.onnx.export(
        module.eval(),
        tuple(inputs),
        input_names=input_names,
        output_names=output_names,
        dynamic_shapes=[{axis: torch.export.Dim(name) for axis, name in AXES.items()} for _ in inputs],
        opset_version=OPSET,
        dynamo=True,
        optimize=True,
        verbose=False,
    )
    model = program.model_proto
    if any(node.op_type == "Cast" and node.domain == "" for node in model.graph.node):
        print("note: the module casts; what it gives may have another dtype than you expect")
    # Notes of the exporter: where each operator stood in Python. A function needs none of them.
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del model.graph.value_info[:]
    onnx.checker.check_model(model)
    onnx.save(model, path)  # within one file: external data is not taken


class SparseAutoencoder(torch.nn.Module):
    """Features of which at most `active` are other than 0, and what they make of the activation."""

    def __init__(self, width, features, active):
        super().__init__()
        self.active = active
        self.bias = torch.nn.Parameter(torch.zeros(width))
        self.encoder = torch.nn.Linear(width, features)
        self.decoder = torch.nn.Linear(features, width, bias=False)

    def forward(self, h):
        positive = torch.relu(self.encoder(h - self.bias))
        least = positive.topk(self.active, dim=-1).values.amin(dim=-1, keepdim=True)
        features = torch.where(positive >= least, positive, 0.0)
        return self.decoder(features) + self.bias, features


if __name__ == "__main__":
    torch.manual_seed(0)
    export_function(
        SparseAutoencoder(width=128, features=256, active=16),
        [torch.randn(2, 3, 128)],
        sys.argv[1] if len(sys.argv) > 1 else "sae.onnx",
        input_names=["h"],
        output_names=["reconstruction", "features"],
    )

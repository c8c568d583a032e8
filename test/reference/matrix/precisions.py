"""Other precisions of an exported model, by the tools that users have: ONNX Runtime's quantizers and its float16 converter."""
from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer
from onnxruntime.transformers.float16 import convert_float_to_float16

from .architectures import Architecture, inputs


def float16(architecture: Architecture, source: Path, target: Path) -> None:
    onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=False), target)


def int8(architecture: Architecture, source: Path, target: Path) -> None:
    """Weights in 8 bits, activations quantized as the model runs: DynamicQuantizeLinear and MatMulInteger."""
    quantize_dynamic(source, target, weight_type=QuantType.QInt8)


def int8_qdq(architecture: Architecture, source: Path, target: Path) -> None:
    """Weights and activations in 8 bits, by QuantizeLinear and DequantizeLinear with scales from a calibration."""
    names = [i.name for i in onnx.load(source).graph.input]
    quantize_static(source, target, Calibration(architecture, names), quant_format=QuantFormat.QDQ)


def int4(architecture: Architecture, source: Path, target: Path) -> None:
    """Weights in 4 bits: MatMulNBits."""
    quantize_bits(source, target, QuantFormat.QOperator)


def int4_qdq(architecture: Architecture, source: Path, target: Path) -> None:
    """Weights in 4 bits, an initializer of int4 behind a DequantizeLinear."""
    quantize_bits(source, target, QuantFormat.QDQ)


def quantize_bits(source: Path, target: Path, form: QuantFormat) -> None:
    config = DefaultWeightOnlyQuantConfig(block_size=16, is_symmetric=True, quant_format=form, op_types_to_quantize=("MatMul",))
    quantizer = MatMulNBitsQuantizer(onnx.load(source), algo_config=config)
    quantizer.process()
    quantizer.model.save_model_to_file(str(target))


class Calibration(CalibrationDataReader):
    """The reference's own inputs."""

    def __init__(self, architecture: Architecture, names: list[str]) -> None:
        self.rows = iter([feeds(row, names) for row in inputs(architecture)])

    def get_next(self) -> dict | None:
        return next(self.rows, None)


def feeds(row: dict, names: list[str]) -> dict[str, np.ndarray]:
    given = {name: tensor.numpy() for name, tensor in row.items()}
    if "input_ids" in given:
        ids = given["input_ids"]
        given.setdefault("attention_mask", np.ones_like(ids))
        given.setdefault("position_ids", np.arange(ids.shape[1])[None])
        given.setdefault("token_type_ids", np.zeros_like(ids))
    return {name: given[name] for name in names}


PRECISIONS = {
    # variant: (how, precision as the report calls it, the architectures and the export that it is made of)
    "float16": (float16, "float16", {"bert": "torchscript", "vit": "torchscript"}),
    "int8": (int8, "int8", {"gpt2": "torchscript-cache", "llama": "torchscript-cache", "bert": "torchscript", "qwen3": "dynamo-cache"}),
    "int8-qdq": (int8_qdq, "int8", {"bert": "torchscript", "vit": "torchscript"}),
    "int4": (int4, "int4", {"gpt2": "torchscript-cache", "llama": "torchscript-cache", "gemma": "dynamo-cache"}),
    "int4-qdq": (int4_qdq, "int4", {"llama": "torchscript-cache"}),
}


def derive(architecture: Architecture, folder: Path, variant: str) -> tuple[str, str, str]:
    """Makes a variant; gives its name, the export that it is made of, and its precision."""
    how, precision, exports = PRECISIONS[variant]
    export = exports[architecture.name]
    target = folder / f"{export}-{variant}"
    target.mkdir(exist_ok=True)
    how(architecture, folder / export / "model.onnx", target / "model.onnx")
    shutil.copyfile(folder / export / "config.json", target / "config.json")
    return target.name, export, precision

"""What each operator gives, by NumPy and PyTorch, on odd shapes: scalars, axes of 0, broadcasting, negative axes.

Writes data/operators.json (cases for our engine) and ../../server/conformance/operators.json (one plain example an
operator, for any server). Run it with the environment of requirements.txt: python operators.py
"""

import functools
import itertools
import json
import math
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).parent
f32, f64, f16, i64, i32 = np.float32, np.float64, np.float16, np.int64, np.int32


def by_torch(function):
    """Over float64, rounded to the operand's dtype."""

    def reference(inputs, attributes):
        x = inputs[0]
        return [function(torch.from_numpy(x.astype(f64)), **attributes).numpy().astype(x.dtype).reshape(x.shape)]

    return reference


def by_numpy(function):
    def reference(inputs, attributes):
        with np.errstate(all="ignore"):
            return [np.asarray(function(*inputs, **attributes))]

    return reference


def fold(function):
    return by_numpy(lambda *inputs: np.asarray(functools.reduce(function, inputs)))


def floating(function):
    """Over float64, rounded to the operands' dtype; of integers cut towards 0, as a cast does."""

    def reference(inputs, attributes):
        with np.errstate(all="ignore"):
            wide = [x.astype(f64) if x.dtype.kind == "f" else x for x in inputs]
            return [np.asarray(function(*wide, **attributes)).astype(inputs[0].dtype)]

    return reference


# Element by element. Parameters have ONNX's names and defaults.
UNARY = {
    "Abs": np.abs, "Acos": np.arccos, "Acosh": np.arccosh, "Asin": np.arcsin, "Asinh": np.arcsinh,
    "Atan": np.arctan, "Atanh": np.arctanh, "Ceil": np.ceil, "Cos": np.cos, "Cosh": np.cosh, "Exp": np.exp,
    "Floor": np.floor, "Identity": lambda x: x, "Log": np.log, "Neg": np.negative, "Reciprocal": lambda x: 1 / x,
    "Round": np.round, "Sign": np.sign, "Sin": np.sin, "Sinh": np.sinh, "Sqrt": np.sqrt, "Tan": np.tan, "Tanh": np.tanh,
}
TORCH = {
    "Celu": lambda x, alpha=1.0: F.celu(x, alpha),
    "Elu": lambda x, alpha=1.0: torch.where(x < 0, alpha * torch.expm1(x), x),
    "Erf": torch.erf,
    "Gelu": lambda x, approximate="none": F.gelu(x, approximate=approximate),
    "HardSigmoid": lambda x, alpha=0.2, beta=0.5: torch.clamp(alpha * x + beta, 0, 1),
    "HardSwish": F.hardswish,
    "LeakyRelu": lambda x, alpha=0.01: F.leaky_relu(x, alpha),
    "Mish": F.mish,
    "Relu": F.relu,
    "Selu": lambda x, alpha=1.67326319217681884765625, gamma=1.05070102214813232421875: gamma
    * torch.where(x > 0, x, alpha * torch.expm1(x)),
    "Shrink": lambda x, bias=0.0, lambd=0.5: torch.where(x < -lambd, x + bias, torch.where(x > lambd, x - bias, torch.zeros_like(x))),
    "Sigmoid": torch.sigmoid,
    "Softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    "Softsign": F.softsign,
    "ThresholdedRelu": lambda x, alpha=1.0: torch.where(x > alpha, x, torch.zeros_like(x)),
}


def divide(a, b):
    return a / b if a.dtype.kind == "f" else np.trunc(a / b).astype(a.dtype)


def clip(x, low=None, high=None):
    return x if low is None else np.clip(x, low, high)


REF = {
    **{name: floating(function) for name, function in UNARY.items()},
    **{name: by_torch(function) for name, function in TORCH.items()},
    "Add": by_numpy(np.add), "Sub": by_numpy(np.subtract), "Mul": by_numpy(np.multiply), "Div": by_numpy(divide),
    "Mod": by_numpy(lambda a, b, fmod=0: np.fmod(a, b) if fmod else np.mod(a, b)),
    "Pow": floating(np.power), "PRelu": floating(lambda x, slope: np.where(x < 0, slope * x, x)),
    "Max": fold(np.maximum), "Min": fold(np.minimum), "Sum": fold(np.add),
    "Mean": by_numpy(lambda *xs: (functools.reduce(np.add, xs) / len(xs)).astype(xs[0].dtype)),
    "Clip": by_numpy(clip),
    "And": by_numpy(np.logical_and), "Or": by_numpy(np.logical_or), "Xor": by_numpy(np.logical_xor), "Not": by_numpy(np.logical_not),
    "Equal": by_numpy(np.equal), "Greater": by_numpy(np.greater), "GreaterOrEqual": by_numpy(np.greater_equal),
    "Less": by_numpy(np.less), "LessOrEqual": by_numpy(np.less_equal),
    "BitwiseAnd": by_numpy(np.bitwise_and), "BitwiseOr": by_numpy(np.bitwise_or), "BitwiseXor": by_numpy(np.bitwise_xor),
    "BitwiseNot": by_numpy(np.invert),
    "BitShift": by_numpy(lambda a, b, direction: np.left_shift(a, b) if direction == "LEFT" else np.right_shift(a, b)),
    "IsNaN": by_numpy(np.isnan),
    "IsInf": by_numpy(lambda x, detect_negative=1, detect_positive=1: (np.isposinf(x) & bool(detect_positive)) | (np.isneginf(x) & bool(detect_negative))),
    "Where": by_numpy(np.where),
}


def reduction(function):
    def reference(inputs, attributes):
        x, *rest = inputs
        axes = tuple(int(axis) for axis in rest[0]) if rest else ()
        wide = x.astype(f64) if x.dtype.kind == "f" else x
        with np.errstate(all="ignore"):
            result = function(wide, axis=axes or None, keepdims=bool(attributes.get("keepdims", 1)))
        return [np.asarray(result).astype(x.dtype)]

    return reference


def log_sum_exp(x, axis, keepdims):
    axes = tuple(range(x.ndim)) if axis is None else axis
    return torch.logsumexp(torch.from_numpy(x), dim=axes, keepdim=keepdims).numpy() if axes else x


REF |= {
    "ReduceL1": reduction(lambda x, **k: np.sum(np.abs(x), **k)),
    "ReduceL2": reduction(lambda x, **k: np.sqrt(np.sum(x * x, **k))),
    "ReduceLogSum": reduction(lambda x, **k: np.log(np.sum(x, **k))),
    "ReduceLogSumExp": reduction(log_sum_exp),
    "ReduceMax": reduction(np.max), "ReduceMin": reduction(np.min), "ReduceMean": reduction(np.mean),
    "ReduceProd": reduction(np.prod), "ReduceSum": reduction(np.sum),
    "ReduceSumSquare": reduction(lambda x, **k: np.sum(x * x, **k)),
}


def argument(function):
    def reference(inputs, attributes):
        x, axis = inputs[0], attributes.get("axis", 0)
        if attributes.get("select_last_index"):
            found = x.shape[axis] - 1 - function(np.flip(x, axis), axis=axis)
        else:
            found = function(x, axis=axis)
        return [np.expand_dims(found, axis) if attributes.get("keepdims", 1) else np.asarray(found)]

    return reference


def along(function):
    def reference(inputs, attributes):
        x = inputs[0]
        attributes = {"axis": -1, **attributes}
        return [np.asarray(function(torch.from_numpy(x.astype(f64)), **attributes)).astype(x.dtype)]

    return reference


def hardmax(x, axis):
    result = torch.zeros_like(x)
    return result.scatter_(axis, x.argmax(axis, keepdim=True), 1.0) if x.numel() else result


def lp(x, axis, p=2):
    return x / torch.linalg.vector_norm(x, ord=p, dim=axis, keepdim=True)


def cumsum(inputs, attributes):
    x, axis = inputs[0], int(inputs[1])
    if attributes.get("reverse"):
        x = np.flip(x, axis)
    result = np.cumsum(x, axis, dtype=x.dtype)
    if attributes.get("exclusive"):
        result = result - x
    return [np.flip(result, axis) if attributes.get("reverse") else result]


def topk(inputs, attributes):
    x, k = torch.from_numpy(inputs[0]), int(inputs[1][0])
    values, indices = torch.topk(x, k, dim=attributes.get("axis", -1), largest=bool(attributes.get("largest", 1)), sorted=True)
    return [values.numpy(), indices.numpy()]


def layer_norm(inputs, attributes):
    x, scale, *bias = [torch.from_numpy(tensor.astype(f64)) for tensor in inputs]
    shape = x.shape[attributes.get("axis", -1) :]
    result = F.layer_norm(x, shape, eps=attributes.get("epsilon", 1e-5)) * scale + (bias[0] if bias else 0)
    return [result.numpy().astype(inputs[0].dtype)]


def group_norm(inputs, attributes):
    x, scale, bias = [torch.from_numpy(tensor.astype(f64)) for tensor in inputs]
    result = F.group_norm(x, attributes["num_groups"], scale, bias, eps=attributes.get("epsilon", 1e-5))
    return [result.numpy().astype(inputs[0].dtype)]


REF |= {
    "ArgMax": argument(np.argmax), "ArgMin": argument(np.argmin), "CumSum": cumsum, "TopK": topk,
    "Softmax": along(lambda x, axis: torch.softmax(x, axis)),
    "LogSoftmax": along(lambda x, axis: torch.log_softmax(x, axis)),
    "Hardmax": along(hardmax), "LpNormalization": along(lp),
    "LayerNormalization": layer_norm, "GroupNormalization": group_norm,
}


def gemm(a, b, c=0, alpha=1.0, beta=1.0, transA=0, transB=0):
    return (alpha * (a.T if transA else a) @ (b.T if transB else b) + beta * c).astype(a.dtype)


def trilu(x, k=0, upper=1):
    return (np.triu if upper else np.tril)(x, int(np.ravel(k)[0]) if np.size(k) else 0)


def split(inputs, attributes):
    x, axis, parts = inputs[0], attributes.get("axis", 0), attributes["num_outputs"]
    each = math.ceil(x.shape[axis] / parts)
    return np.split(x, [each * part for part in range(1, parts)], axis)


def slices(x, starts, ends, axes=None, steps=None):
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    index = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps):
        end = None if step < 0 and end < -x.shape[axis] else int(end)
        index[axis] = slice(int(start), end, int(step))
    return x[tuple(index)]


def pad(x, pads, value=0, axes=None, mode="constant"):
    axes = list(range(x.ndim)) if axes is None else [int(axis) for axis in axes]
    widths, count = [[0, 0] for _ in range(x.ndim)], len(axes)
    for at, axis in enumerate(axes):
        before, after = int(pads[at]), int(pads[at + count])
        x = x[(slice(None),) * (axis % x.ndim) + (slice(max(0, -before), x.shape[axis] - max(0, -after)),)]
        widths[axis] = [max(0, before), max(0, after)]
    if mode == "constant":
        return np.pad(x, widths, constant_values=np.ravel(value)[0])
    return np.pad(x, widths, mode=mode)


def reshape(x, dims, allowzero=0):
    dims = [int(dim) if dim or allowzero else x.shape[axis] for axis, dim in enumerate(dims)]
    return x.reshape(dims)


REF |= {
    "MatMul": by_numpy(np.matmul), "Gemm": by_numpy(gemm),
    "Einsum": by_numpy(lambda *xs, equation: np.einsum(equation, *xs)),
    "Cast": by_numpy(lambda x, to: x.astype({1: f32, 6: i32, 7: i64, 9: np.bool_, 10: f16, 11: f64, 2: np.uint8}[to])),
    "CastLike": by_numpy(lambda x, y: x.astype(y.dtype)),
    "Concat": lambda inputs, attributes: [np.concatenate(inputs, attributes["axis"])],
    "Expand": by_numpy(lambda x, dims: x * np.ones([int(d) for d in dims], x.dtype) if x.dtype != np.bool_ else np.broadcast_to(x, dims)),
    "EyeLike": by_numpy(lambda x, k=0: np.eye(*x.shape, k=k, dtype=x.dtype)),
    "Flatten": by_numpy(lambda x, axis=1: x.reshape(int(np.prod(x.shape[: axis if axis >= 0 else x.ndim + axis])), -1) if x.size else x.reshape(int(np.prod(x.shape[:axis])), int(np.prod(x.shape[axis:])))),
    "Pad": by_numpy(pad),
    "Range": by_numpy(lambda start, limit, delta: np.arange(start, limit, delta, dtype=start.dtype)),
    "Reshape": by_numpy(reshape),
    "Shape": by_numpy(lambda x, start=0, end=None: np.array(x.shape[start:end], i64)),
    "Size": by_numpy(lambda x: np.array(x.size, i64)),
    "Slice": by_numpy(slices), "Split": split,
    "Squeeze": by_numpy(lambda x, axes=None: np.squeeze(x, None if axes is None else tuple(int(a) for a in axes))),
    "Tile": by_numpy(lambda x, times: np.tile(x, times) if x.ndim else x),
    "Transpose": by_numpy(lambda x, perm=None: np.transpose(x, perm)),
    "Trilu": by_numpy(trilu),
    "Unsqueeze": by_numpy(lambda x, axes: np.expand_dims(x, tuple(int(a) for a in axes))),
}


def gather_nd(inputs, attributes):
    x, indices = inputs
    batch = attributes.get("batch_dims", 0)
    if batch:
        return [np.stack([gather_nd([a, b], {"batch_dims": batch - 1})[0] for a, b in zip(x, indices)])]
    return [x[tuple(np.moveaxis(indices, -1, 0))]]


COMBINE = {"none": lambda a, b: b, "add": lambda a, b: a + b, "mul": lambda a, b: a * b, "min": min, "max": max}


def scatter_elements(inputs, attributes):
    x, indices, updates = inputs
    result, axis = x.copy(), attributes.get("axis", 0)
    for at in np.ndindex(*indices.shape):
        to = list(at)
        to[axis] = indices[at]
        result[tuple(to)] = COMBINE[attributes.get("reduction", "none")](result[tuple(to)], updates[at])
    return [result]


def scatter_nd(inputs, attributes):
    x, indices, updates = inputs
    result = x.copy()
    for at in np.ndindex(*indices.shape[:-1]):
        to = tuple(indices[at])
        if attributes.get("reduction", "none") in ("min", "max"):
            result[to] = getattr(np, attributes["reduction"] + "imum")(result[to], updates[at])
        else:
            result[to] = COMBINE[attributes.get("reduction", "none")](result[to], updates[at])
    return [result]


def one_hot(indices, depth, values, axis=-1):
    depth = int(np.ravel(depth)[0])
    rows = np.arange(depth) == np.mod(indices, depth)[..., None]
    rows &= ((indices >= -depth) & (indices < depth))[..., None]
    return np.moveaxis(np.where(rows, values[1], values[0]), -1, axis)


def unique(inputs, attributes):
    x, axis, keep = inputs[0], attributes.get("axis"), attributes.get("sorted", 1)
    values, first, inverse, counts = np.unique(x, True, True, True, axis=axis)
    inverse = np.ravel(inverse)
    if not keep:
        order = np.argsort(first)
        values, first, counts = np.take(values, order, axis or 0), first[order], counts[order]
        inverse = np.argsort(order)[inverse]
    return [values, first.astype(i64), inverse.astype(i64), counts.astype(i64)]


REF |= {
    "Compress": by_numpy(lambda x, condition, axis=None: np.compress(condition, x, axis)),
    "Gather": by_numpy(lambda x, indices, axis=0: np.take(x, indices, axis)),
    "GatherElements": by_numpy(lambda x, indices, axis=0: np.take_along_axis(x, np.mod(indices, max(1, x.shape[axis])), axis) if x.shape == indices.shape else torch.gather(torch.from_numpy(x), axis, torch.from_numpy(np.mod(indices, x.shape[axis]))).numpy()),
    "GatherND": gather_nd,
    "NonZero": by_numpy(lambda x: np.array(np.nonzero(x), i64)),
    "OneHot": by_numpy(one_hot), "ScatterElements": scatter_elements, "ScatterND": scatter_nd, "Unique": unique,
}

CASES: dict[str, list] = {name: [] for name in REF}
EXAMPLES: dict[str, dict] = {}


def array(value, dtype=f32):
    return value if isinstance(value, np.ndarray) else np.array(value, dtype)


def ints(*values):
    return np.array(values, i64)


def case(operator, *inputs, **attributes):
    """One use. Inputs that are no arrays become float32."""
    CASES[operator].append((tuple(array(x) for x in inputs), attributes))


def example(operator, *inputs, **attributes):
    """The plain use, in numbers that all dtypes of the operator hold; arrays of a dtype keep it, others have T."""
    EXAMPLES[operator] = {"inputs": inputs, "attributes": attributes}
    case(operator, *[example_array(operator, x) for x in inputs], **attributes)


def example_array(operator, x):
    return array(x, np.uint8 if operator.startswith("Bit") else f32)


def normal(*dims, seed=0, dtype=f32):
    return np.random.default_rng([seed, *dims]).normal(size=dims).round(3).astype(dtype)


SHAPES = [(), (0,), (1,), (2, 0, 3), (3, 4), (2, 1, 3)]
ODD = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0], f32)

# Domains: what a function of the elements takes.
DOMAIN = {
    "Acos": np.tanh, "Asin": np.tanh, "Atanh": np.tanh, "Acosh": lambda x: np.abs(x) + 1, "Log": np.abs, "Sqrt": np.abs,
    "Reciprocal": lambda x: x + 3,
}
UNARY_EXAMPLES = {
    "Abs": [1, 0, 3], "Acos": [0, 1], "Acosh": [1, 2], "Asin": [0, 1], "Asinh": [0, 1], "Atan": [0, 1], "Atanh": [0, 0.5],
    "Ceil": [0.5, -0.5, 2], "Celu": [-1, 0, 2], "Cos": [0, 1], "Cosh": [0, 1], "Elu": [-1, 0, 2], "Erf": [0, 1],
    "Exp": [0, 1], "Floor": [0.5, -0.5, 2], "Gelu": [-1, 0, 1], "HardSigmoid": [-5, 0, 1], "HardSwish": [-4, 0, 3],
    "Identity": [1, 0, 1], "LeakyRelu": [-1, 0, 2], "Log": [1, math.e], "Mish": [-1, 0, 1], "Neg": [1, -2, 0],
    "Reciprocal": [1, 2, 4], "Relu": [-1, 0, 2], "Round": [0.5, 1.5, -0.25], "Selu": [-1, 0, 1], "Shrink": [0, 1, 2],
    "Sigmoid": [0, 1], "Sign": [0, 1, 3], "Sin": [0, 1], "Sinh": [0, 1], "Softplus": [0, 1], "Softsign": [-1, 0, 3],
    "Sqrt": [4, 9], "Tan": [0, 1], "Tanh": [0, 1], "ThresholdedRelu": [0, 1, 2],
}
for name, numbers in UNARY_EXAMPLES.items():
    example(name, numbers)
    for shape in SHAPES:
        case(name, DOMAIN.get(name, lambda x: x)(normal(*shape)).astype(f32))
    if name not in ("Acos", "Acosh", "Asin", "Atanh", "Tan", "Sin", "Cos"):
        case(name, ODD)
case("Round", [0.5, 1.5, 2.5, -0.5, -1.5])
case("Celu", normal(3, 4), alpha=2.0)
case("Elu", normal(3, 4), alpha=0.5)
case("Gelu", normal(3, 4), approximate="tanh")
case("HardSigmoid", normal(3, 4), alpha=0.5, beta=0.25)
case("LeakyRelu", normal(3, 4), alpha=0.3)
case("Selu", normal(3, 4), alpha=1.5, gamma=2.0)
case("Shrink", normal(3, 4), bias=0.25, lambd=0.5)
case("ThresholdedRelu", normal(3, 4), alpha=0.25)
case("Abs", np.array([-128, 127, 0], np.int8))
case("Neg", np.array([2**62, -5], i64))
case("Sign", np.array([-7, 0, 9], i32))
case("Exp", normal(3, dtype=f16))
case("Sqrt", np.array([2.0, 3.0], f64))
case("Identity", np.array([True, False]))

PAIRS = [((), ()), ((2, 3), ()), ((2, 3), (3,)), ((2, 1), (1, 3)), ((0,), (1,)), ((2, 0), (1, 1)), ((2, 1, 3), (4, 1)), ((3,), (2, 3))]
BINARY_EXAMPLES = {
    "Add": [[4, 6], [8, 2]], "Div": [[4, 6], [8, 3]], "Mod": [[4, 7], [8, 3]], "Mul": [[4, 6], [8, 2]],
    "Sub": [[5, 7], [8, 9]], "Equal": [[1, 0], [0, 1]], "Greater": [[4, 6], [8, 2]], "GreaterOrEqual": [[4, 6], [8, 2]],
    "Less": [[4, 6], [8, 2]], "LessOrEqual": [[4, 6], [8, 2]],
}
for name, numbers in BINARY_EXAMPLES.items():
    example(name, numbers, [1, 1] if name == "Equal" else [2, 3], **({"fmod": 1} if name == "Mod" else {}))
for name in ("Add", "Div", "Mul", "Sub", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min", "Mean", "Sum"):
    for left, right in PAIRS:
        case(name, normal(*left, seed=1), normal(*right, seed=2))
    case(name, ODD[:, None], ODD)
for name in ("Max", "Min", "Mean", "Sum"):
    example(name, [1, 5], [3, 2], [2])
    case(name, normal(2, 3))
for left, right in PAIRS:
    case("Mod", normal(*left, seed=1), normal(*right, seed=2), fmod=1)
case("Mod", np.array([7, -7, 7, -7], i32), np.array([3, 3, -3, -3], i32))
case("Mod", np.array([7, -7, 7, -7], i64), np.array([3, 3, -3, -3], i64), fmod=1)
case("Div", np.array([7, -7, 7, -7], i64), np.array([2, 2, -2, -2], i64))
case("Add", np.array([2**31 - 1], i32), np.array([1], i32))
case("Mul", np.array([300.0], f16), np.array([300.0], f16))
example("Pow", [1, 2, 3], [2])
for left, right in PAIRS:
    case("Pow", np.abs(normal(*left, seed=1)), normal(*right, seed=2))
case("Pow", np.array([-2, 3], i64), np.array([3], i64))
example("PRelu", [4, 0, 3], [2])
for slope in ((), (3,), (2, 1, 1), (1, 3)):
    case("PRelu", normal(2, 1, 3), normal(*slope, seed=3))
case("PRelu", normal(0, 3), normal(3))
example("Clip", [0, 2, 5], np.float32(1).reshape(()) , np.float32(3).reshape(()))
case("Clip", normal(2, 3))
case("Clip", normal(2, 3), np.array(0.1, f32))
case("Clip", normal(0, 3), np.array(-1, f32), np.array(1, f32))
case("Clip", normal(), np.array(-0.1, f32), np.array(0.1, f32))
case("Clip", ODD, np.array(-1, f32), np.array(1, f32))
case("Clip", np.array([1, 9], np.uint8), np.array(2, np.uint8), np.array(5, np.uint8))

truth = lambda *values: np.array(values, np.bool_)
for name in ("And", "Or", "Xor"):
    example(name, truth(False, False, True, True), truth(False, True, False, True))
    case(name, truth(True, False)[:, None], truth(True, False))
    case(name, np.array(True), truth(True, False))
    case(name, np.zeros((0, 2), np.bool_), truth(True))
example("Not", truth(False, True))
case("Not", np.array(False))
case("Not", np.zeros((2, 0), np.bool_))
for name in ("BitwiseAnd", "BitwiseOr", "BitwiseXor"):
    example(name, [[4, 6], [8, 2]], [2, 3])
    case(name, np.array([[4, 6], [8, -2]], i32), np.array([2, 3], i32))
    case(name, np.array(12, i64), np.array([10, -1], i64))
    case(name, np.zeros((0, 1), i64), np.array([1, 2], i64))
example("BitwiseNot", np.array([0, 5, -3], i32))
case("BitwiseNot", np.array([0, 255], np.uint8))
case("BitwiseNot", np.array(7, i64))
case("BitwiseNot", np.zeros((0,), i64))
example("BitShift", [1, 2, 4], [3, 1, 0], direction="LEFT")
case("BitShift", np.array([[16, 255]], np.uint8), np.array([2], np.uint8), direction="RIGHT")
case("BitShift", np.array(2**40, np.uint64), np.array([1, 2], np.uint64), direction="LEFT")
case("BitShift", np.zeros((0,), np.uint32), np.array(1, np.uint32), direction="LEFT")
example("IsNaN", [1, 0])
example("IsInf", [1, 0])
for name in ("IsNaN", "IsInf"):
    case(name, ODD)
    case(name, np.array(np.inf, f32))
    case(name, np.zeros((2, 0), f32))
case("IsInf", ODD, detect_negative=0)
case("IsInf", ODD, detect_positive=0)
example("Where", truth(True, False), [1, 1], [0])
case("Where", truth(True, False)[:, None], normal(3), normal(2, 1))
case("Where", np.array(True), normal(), normal(0))
case("Where", truth(True, False, True, False, True), ODD, normal(5))

x3 = normal(2, 3, 4)
for name in [name for name in REF if name.startswith("Reduce")]:
    numbers = {"ReduceL2": [[3, 4], [0, 5]], "ReduceMean": [[1, 3], [3, 5]], "ReduceLogSum": [[1, 0], [0, 1]], "ReduceLogSumExp": [[0], [1]]}
    example(name, numbers.get(name, [[1, 2], [3, 4]]), ints(-1), keepdims=0)
    data = np.abs(x3) if name == "ReduceLogSum" else x3
    for axes in (None, [0], [-1], [0, 2], [1, -1]):
        for keepdims in (0, 1):
            case(name, data, *([] if axes is None else [ints(*axes)]), keepdims=keepdims)
    case(name, data, np.zeros((0,), i64))
    case(name, data[0, 0, 0])
    case(name, np.zeros((0, 3), f32), ints(-1))
    case(name, np.abs(normal(2, 3, dtype=f64)), ints(0))
    if name in ("ReduceSum", "ReduceProd", "ReduceL1", "ReduceSumSquare"):
        case(name, np.zeros((2, 0), f32), ints(1))
    case(name, np.array([[np.nan, 1], [np.inf, 2]], f32), ints(1))
for name in ("ArgMax", "ArgMin"):
    example(name, [[1, 3, 2], [6, 5, 4]], axis=1)
    for axis, keepdims in itertools.product((0, 1, -1), (0, 1)):
        case(name, x3, axis=axis, keepdims=keepdims)
    case(name, [2.0, 2.0, 1.0, 1.0], select_last_index=1)
    case(name, np.zeros((0, 3), f32), axis=-1)
    case(name, np.array([3, 1, 2], i64), keepdims=0)
for name in ("Softmax", "LogSoftmax", "Hardmax", "LpNormalization"):
    example(name, [[0, math.log(3)], [1, 1]] if name != "LpNormalization" else [[3, 4], [0, 5]])
    for axis in (0, 1, 2, -1, -3):
        case(name, x3, axis=axis)
    case(name, np.zeros((0, 3), f32))
    case(name, [7.0])
case("Softmax", [[1000.0, 1000.0, -np.inf]])
case("LogSoftmax", [[1000.0, 999.0]])
case("Softmax", normal(2, 3, dtype=f64))
case("LpNormalization", x3, axis=1, p=1)
example("CumSum", [1, 2, 3], np.array(0, i64))
for axis, exclusive, reverse in itertools.product((0, -1), (0, 1), (0, 1)):
    case("CumSum", x3, np.array(axis, i64), exclusive=exclusive, reverse=reverse)
case("CumSum", np.zeros((0, 2), f32), np.array(1, i32))
case("CumSum", np.array([1, 2, 3], i64), np.array(-1, i64))
example("TopK", [1, 4, 2, 3], ints(2))
for axis, largest in itertools.product((0, 1, -1), (0, 1)):
    case("TopK", x3, ints(2), axis=axis, largest=largest)
case("TopK", x3, ints(0))
case("TopK", np.zeros((0, 3), f32), ints(2))
case("TopK", np.array([3, 1, 2], i64), ints(3))
example("LayerNormalization", [[1, 3], [2, 6]], [1, 2], [0, 1])
for axis in (-1, 1, 0):
    case("LayerNormalization", x3, normal(*x3.shape[axis:], seed=1), normal(*x3.shape[axis:], seed=2), axis=axis)
case("LayerNormalization", x3, normal(4), epsilon=0.1)
case("LayerNormalization", np.zeros((0, 3), f32), normal(3))
example("GroupNormalization", [[[1, 3], [2, 6]]], [1, 2], [0, 1], num_groups=1)
for groups in (1, 2, 4):
    case("GroupNormalization", normal(2, 4, 3, 2), normal(4), normal(4, seed=1), num_groups=groups)

example("MatMul", [[1, 2], [3, 4]], [[1], [1]])
for left, right in (((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((4, 2, 3), (3, 2)), ((4, 1, 2, 3), (5, 3, 2)), ((2, 0), (0, 3)), ((0, 3), (3, 2))):
    case("MatMul", normal(*left), normal(*right, seed=1))
case("MatMul", np.array([[1, 2]], i32), np.array([[3], [4]], i32))
case("MatMul", normal(2, 3, dtype=f16), normal(3, 2, dtype=f16))
example("Gemm", [[1, 2], [3, 4]], [[1], [1]])
case("Gemm", normal(2, 3), normal(3, 4), normal(4))
case("Gemm", normal(3, 2), normal(4, 3), normal(2, 1), transA=1, transB=1, alpha=0.5, beta=2.0)
case("Gemm", normal(2, 3), normal(3, 4), np.array(1, f32))
case("Gemm", normal(0, 3), normal(3, 4))
example("Einsum", [[1, 2], [3, 4]], [[1], [1]], equation="ij,jk->ik")
for equation, *dims in (("bqd,bkd->bqk", (2, 3, 4), (2, 5, 4)), ("i,j->ij", (2,), (3,)), ("ij->ji", (2, 3)), ("ii->i", (3, 3)), ("ij->", (2, 3)), ("...ij,...jk->...ik", (5, 2, 3), (1, 3, 4)), ("...ij,jk->...ik", (5, 1, 2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 2)), ("bhqk,bkhd->bqhd", (1, 2, 3, 4), (1, 4, 2, 5)), ("ij , j -> i", (2, 3), (3,)), ("i,i->", (4,), (4,))):
    case("Einsum", *[normal(*shape, seed=at) for at, shape in enumerate(dims)], equation=equation)

example("Cast", [0, 1, 1], to=7)
case("Cast", np.array([1.7, -1.7, 0.2], f32), to=7)
case("Cast", np.array([0, 1, 2], i64), to=9)
case("Cast", np.array(3, i32), to=11)
case("Cast", np.zeros((0, 2), f32), to=10)
case("Cast", np.array([1e6, -np.inf, np.nan], f32), to=10)
case("Cast", np.array([0.5, 0.0, np.nan], f32), to=9)
example("CastLike", [0, 1, 1], np.array([1], i64))
case("CastLike", np.array([1.7, -1.7], f64), np.zeros((0,), f32))
case("CastLike", np.array(True), np.array([1.0], f16))
example("Concat", [[1, 0]], [[0, 1]], axis=0)
case("Concat", normal(2, 3), normal(2, 1), normal(2, 0), axis=-1)
case("Concat", normal(0), normal(0), axis=0)
case("Concat", np.array([1], i64), np.array([2, 3], i64), axis=-1)
case("Concat", normal(2, 3), axis=1)
example("Expand", [[1], [0]], ints(2, 2))
for shape, dims in (((), (2, 3)), ((3,), (2, 1)), ((2, 1), (4, 1, 3)), ((1,), (0,)), ((2, 3), ()), ((2, 0), (2, 1))):
    case("Expand", normal(*shape), ints(*dims))
example("EyeLike", [[1, 0], [1, 1]])
case("EyeLike", normal(2, 4), k=1)
case("EyeLike", normal(4, 2), k=-1)
case("EyeLike", np.zeros((0, 3), f32))
example("Flatten", [[[1, 0], [1, 1]]], axis=2)
for axis in (0, 1, -1, 3):
    case("Flatten", x3, axis=axis)
case("Flatten", np.zeros((2, 0, 3), f32), axis=1)
example("Pad", [1, 0], ints(1, 2))
case("Pad", normal(2, 3), ints(0, 1, 1, 0), np.array(7, f32))
case("Pad", normal(2, 3), ints(1, 2), np.array(0, f32), ints(-1))
case("Pad", normal(4, 3), ints(-1, 0, 0, -1))
for mode in ("reflect", "edge", "wrap"):
    case("Pad", normal(3, 4), ints(1, 1, 0, 2), mode=mode)
case("Pad", np.zeros((0, 2), f32), ints(1, 0, 1, 0), np.array(5, f32))
scalar = lambda value, dtype=f32: np.array(value, dtype)
EXAMPLES["Range"] = {"inputs": (scalar(0), scalar(6), scalar(2)), "attributes": {}}
for numbers, dtype in (((0, 6, 2), f32), ((5, 0, -2), i64), ((0, 0, 1), i32), ((1, 0, 1), i64), ((0.0, 1.0, 0.25), f64), ((3, -4, -3), np.int16)):
    case("Range", *[scalar(number, dtype) for number in numbers])
example("Reshape", [[1, 0], [0, 1]], ints(1, -1))
for dims in ((4, 6), (-1,), (0, -1), (2, 3, 4, 1), (1, -1, 1)):
    case("Reshape", x3, ints(*dims))
case("Reshape", [5.0], np.zeros((0,), i64))
case("Reshape", scalar(5), ints(1, 1))
case("Reshape", np.zeros((0, 3), f32), ints(3, 0), allowzero=1)
case("Reshape", np.zeros((0, 3), f32), ints(-1, 3))
example("Shape", [[1, 0, 1]])
case("Shape", scalar(1))
case("Shape", np.zeros((2, 0, 3), f32))
case("Shape", x3, start=-2)
case("Shape", x3, start=1, end=2)
example("Size", [[1, 0, 1]])
case("Size", scalar(1))
case("Size", np.zeros((2, 0, 3), f32))
example("Slice", [0, 1, 1, 0, 1], ints(1), ints(4))
case("Slice", x3, ints(-1), ints(-5), ints(-1), ints(-2))
case("Slice", x3, ints(0, 1), ints(2**31 - 1, -1), ints(1, 2))
case("Slice", x3, ints(5), ints(9), ints(0))
case("Slice", x3, ints(0, 0, 0), ints(1, 2, 3))
case("Slice", np.zeros((2, 0), f32), ints(0), ints(1))
case("Slice", x3, ints(-1), ints(-(2**31) + 1), ints(2), ints(-1))
example("Split", [1, 0, 1], num_outputs=2)
case("Split", x3, axis=-1, num_outputs=2)
case("Split", x3, axis=1, num_outputs=3)
case("Split", np.zeros((0, 4), f32), axis=1, num_outputs=4)
case("Split", normal(3), num_outputs=1)
example("Squeeze", [[[1], [0]]], ints(0))
case("Squeeze", normal(1, 2, 1), ints(-1))
case("Squeeze", normal(1, 1))
case("Squeeze", normal(1, 0), ints(0))
example("Tile", [[1, 0]], ints(2, 1))
case("Tile", normal(2, 3), ints(1, 2))
case("Tile", normal(2), ints(0))
case("Tile", scalar(1), np.zeros((0,), i64))
case("Tile", normal(2, 0), ints(2, 3))
example("Transpose", [[1, 0, 1], [0, 0, 1]], perm=[1, 0])
case("Transpose", x3)
case("Transpose", x3, perm=[2, 0, 1])
case("Transpose", scalar(1))
case("Transpose", normal(0, 2))
example("Trilu", [[1, 1], [1, 1]])
for k, upper in itertools.product((-1, 0, 2), (0, 1)):
    case("Trilu", x3, np.array(k, i64), upper=upper)
case("Trilu", np.zeros((0, 3), f32))
example("Unsqueeze", [1, 0], ints(0))
case("Unsqueeze", scalar(3), ints(0, 1))
case("Unsqueeze", normal(2, 3), ints(-1, 0))
case("Unsqueeze", normal(0), ints(1))

example("Compress", [1, 0, 1], truth(True, False, True))
case("Compress", x3, truth(False, True, True), axis=1)
case("Compress", x3, truth(True), axis=-1)
case("Compress", x3, truth(True, False, True))
case("Compress", normal(2, 0), truth(True, False), axis=0)
case("Compress", normal(3), truth(False, False, False))
example("Gather", [[1, 0, 1], [0, 1, 0]], ints(2, 0), axis=1)
for indices, axis in (([[0, 1], [2, -1]], 2), (1, 0), ([], 1), ([-1], -1)):
    case("Gather", x3, np.array(indices, i64), axis=axis)
case("Gather", x3, np.array([1, 0], i32))
case("Gather", np.zeros((0, 3), f32), ints(2), axis=1)
example("GatherElements", [[1, 0], [0, 1]], np.array([[0, 0], [1, 0]], i64), axis=1)
case("GatherElements", x3, np.array([[[0, 1, -1, 0]]], i64), axis=1)
case("GatherElements", x3, np.argsort(x3, -1), axis=-1)
case("GatherElements", normal(3), np.zeros((0,), i64))
example("GatherND", [[1, 0], [0, 1]], np.array([[0, 0], [1, 1]], i64))
case("GatherND", x3, np.array([[1], [0]], i64))
case("GatherND", x3, np.array([[0, 1, -1]], i64))
case("GatherND", x3, np.array([[1], [0]], i64), batch_dims=1)
case("GatherND", x3, np.zeros((0, 2), i64))
example("NonZero", [[1, 0], [1, 1]])
case("NonZero", truth(False, False))
case("NonZero", np.zeros((0, 3), f32))
case("NonZero", np.array([[0, 3], [4, 0]], i64))
example("OneHot", ints(0, 2), np.array(3, i64), [0, 1])
case("OneHot", np.array([[1], [-1]], i64), ints(2), normal(2), axis=0)
case("OneHot", ints(5, -9), np.array(3, i64), [0, 1])
case("OneHot", np.zeros((0,), i64), np.array(2, i64), [0, 1])
example("ScatterElements", [1, 0, 1], ints(2, 0), [0, 0])
for reduction in ("none", "add", "mul", "min", "max"):
    case("ScatterElements", x3, np.array([[[1, 0, 2, -1]]], i64), normal(1, 1, 4), axis=1, reduction=reduction)
    case("ScatterND", x3, np.array([[1, 2], [0, 0]], i64), normal(2, 4), reduction=reduction)
case("ScatterElements", normal(3), np.zeros((0,), i64), normal(0))
example("ScatterND", [1, 0, 1], np.array([[2], [0]], i64), [0, 0])
case("ScatterND", x3, np.array([[0, 1, -1]], i64), normal(1))
case("ScatterND", x3, np.array([0, 1, 2], i64), normal())
case("ScatterND", x3, np.zeros((0, 1), i64), np.zeros((0, 3, 4), f32))
example("Unique", [1, 0, 1])
case("Unique", [2.0, 1.0, 2.0, 3.0, 1.0], sorted=0)
case("Unique", np.array([[1, 0], [1, 0], [2, 3]], f32), axis=0)
case("Unique", np.array([[1, 1, 2], [0, 0, 2]], f32), axis=-1)
case("Unique", np.array([[3, 1], [1, 3]], i64))


def numbers(x):
    """Row-major; what JSON has no number for as text."""
    flat = [value.item() for value in np.ravel(x)]
    return [
        int(value) if isinstance(value, bool) or x.dtype.kind in "iu" else value if math.isfinite(value) else str(value)
        for value in (round_trip(value, x.dtype) for value in flat)
    ]


def round_trip(value, dtype):
    """Short: as many digits as float32 has."""
    if dtype in (f32, f16) and math.isfinite(value):
        value = float(f"{value:.7g}")
    return int(value) if isinstance(value, float) and math.isfinite(value) and value == int(value) and math.copysign(1, value) > 0 else value


def tensor(x):
    return [str(x.dtype), list(x.shape), numbers(x)]


def reference(operator, inputs, attributes):
    return [np.asarray(output) for output in REF[operator](list(inputs), attributes)]


def write(path, entries):
    lines = ",\n".join(f"{json.dumps(name)}: [\n" + ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in group) + "\n]" for name, group in sorted(entries.items()))
    path.parent.mkdir(exist_ok=True)
    path.write_text("{\n" + lines + "\n}\n")


def main():
    cases = {
        operator: [
            {
                "inputs": [tensor(x) for x in inputs],
                **({"attributes": attributes} if attributes else {}),
                "outputs": [tensor(x) for x in reference(operator, inputs, attributes)],
            }
            for inputs, attributes in uses
        ]
        for operator, uses in CASES.items()
    }
    write(HERE / "data/operators.json", cases)
    examples = {}
    for operator, use in EXAMPLES.items():
        of_t = [not isinstance(x, np.ndarray) or operator in ("Clip", "Range") for x in use["inputs"]]
        inputs = [example_array(operator, x) for x in use["inputs"]]
        outputs = reference(operator, inputs, use["attributes"])
        t = next((x.dtype for x, yes in zip(inputs, of_t) if yes), None)
        shown = lambda x, yes: ["T" if yes else str(x.dtype), list(x.shape), numbers(x)]
        fixed = {"Cast", "CastLike", "ArgMax", "ArgMin", "Shape", "Size", "NonZero"}
        examples[operator] = [
            {
                "inputs": [shown(x, yes) for x, yes in zip(inputs, of_t)],
                **({"attributes": use["attributes"]} if use["attributes"] else {}),
                "outputs": [shown(x, x.dtype == t and operator not in fixed) for x in outputs],
            }
        ]
    write(HERE / "../../server/conformance/operators.json", examples)
    print(len(cases), "operators,", sum(map(len, cases.values())), "cases")


main()

"""An ONNX graph in the making, and the two ways to write a linear map into it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Weights = Mapping[str, NDArray[np.float32]]

_OPSET = 23
_MICROSOFT = "com.microsoft"
# The file format version that onnxruntime reads since it knows this set of operators.
_IR_VERSION = 10


class GraphWriter:
    """Nodes and initializers in the order they are added; a node is named after its output."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        """An initializer; returns its name."""
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def scalar(self, name: str, value: np.generic) -> str:
        """An initializer without dimensions; returns its name."""
        self._constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(
        self,
        operator: str,
        inputs: Sequence[str],
        output: str,
        domain: str = "",
        **attributes: object,
    ) -> str:
        """A node with one output; returns the output's name."""
        self.add(operator, inputs, [output], domain, **attributes)
        return output

    def add(
        self,
        operator: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        domain: str = "",
        **attributes: object,
    ) -> None:
        """A node; an empty input name is an optional input left out."""
        made = helper.make_node(operator, inputs, outputs, name=outputs[0], domain=domain)
        made.attribute.extend(
            helper.make_attribute(name, value) for name, value in attributes.items()
        )
        self._nodes.append(made)

    def model(self, inputs: Sequence[str], output: str, width: int) -> onnx.ModelProto:
        """The checked model: int64 (batch, tokens) inputs, one float32 (batch, width) output."""
        graph = helper.make_graph(
            self._nodes,
            "sentence_encoder",
            [
                helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
                for name in inputs
            ],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", width])],
            self._constants,
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_MICROSOFT, 1)]
        model = helper.make_model(
            graph, producer_name="mnema", opset_imports=opsets, ir_version=_IR_VERSION
        )
        onnx.checker.check_model(model)
        return model


class Linear(Protocol):
    """How a linear map is written into the graph."""

    def __call__(
        self, value: str, weight: NDArray[np.float32], output: str, *, lowest: float | None = None
    ) -> str:
        """`value` times `weight` (in, out); `lowest`: what no number of `value` is below."""
        ...


class FloatLinear:
    """A linear map in float32: one MatMul."""

    def __init__(self, writer: GraphWriter) -> None:
        self._writer = writer

    def __call__(
        self,
        value: str,
        weight: NDArray[np.float32],
        output: str,
        *,
        lowest: float | None = None,  # noqa: ARG002 - integers alone need it
    ) -> str:
        """See Linear."""
        return self._writer.node(
            "MatMul", [value, self._writer.constant(f"{output}.weight", weight)], output
        )


class Int8Linear:
    """A linear map in int8: weights with a scale per output column, activations per token.

    onnxruntime's own dynamic quantisation takes one activation scale per tensor, that is per
    batch: a text's vector then depends on the texts it happens to be batched with (cosine
    0.991 on average between alone and batched, 0.967 at worst). One scale per token makes it
    depend on the text alone, and lies closer to float32 (0.996 against 0.992), for about a
    tenth of the speed.

    Weights use 64 of the 127 steps: x86 without VNNI adds pairs of products in 16 bits, and
    255 * 64 * 2 still fits, so every CPU gives the same integers.
    """

    _WEIGHT_STEPS = 64
    _TOKEN_STEPS = 127
    _ZERO = np.uint8(128)

    def __init__(self, writer: GraphWriter, mask: str) -> None:
        """`mask` is the input of shape (batch, tokens)."""
        self._writer = writer
        self._quantised: dict[str, tuple[str, str]] = {}
        self._one = writer.scalar("int8.one", np.float32(1))
        self._zero = writer.scalar("int8.zero", self._ZERO)
        self._steps = writer.scalar("int8.steps", np.float32(1 / self._TOKEN_STEPS))
        self._axis = writer.constant("int8.axis", np.array([-1]))
        # Blocks that have a scale each want a zero each, though all are the same.
        tokens = writer.node("Unsqueeze", [mask, self._axis], "int8.tokens")
        shape = writer.node("Shape", [tokens], "int8.shape")
        zero = writer.constant("int8.zero_of_all", np.full((1, 1, 1), self._ZERO))
        self._zeros = writer.node("Expand", [zero, shape], "int8.zeros")

    def __call__(
        self, value: str, weight: NDArray[np.float32], output: str, *, lowest: float | None = None
    ) -> str:
        """See Linear."""
        integers, step = self._activation(value, weight.shape[0], lowest)
        scales = np.abs(weight).max(axis=0) / self._WEIGHT_STEPS
        product = self._writer.node(
            "MatMulIntegerToFloat",
            [
                integers,
                self._writer.constant(f"{output}.weight", np.rint(weight / scales).astype(np.int8)),
                self._one,
                self._writer.constant(f"{output}.scales", scales.astype(np.float32)),
                self._zero,
            ],
            f"{output}.unscaled",
            domain=_MICROSOFT,
        )
        return self._writer.node("Mul", [product, step], output)

    def _activation(self, value: str, width: int, lowest: float | None) -> tuple[str, str]:
        """Each token in steps of a 127th of its largest magnitude, around 128; and the step.

        Query, key and value read the same tensor, which is quantised once.
        """
        if value not in self._quantised:
            step = self._writer.node(
                "Mul", [self._peak(value, lowest), self._steps], f"{value}.step"
            )
            # One pass: a block is all of a token.
            integers = self._writer.node(
                "QuantizeLinear",
                [value, step, self._zeros],
                f"{value}.integers",
                axis=-1,
                block_size=width,
            )
            self._quantised[value] = (integers, step)
        return self._quantised[value]

    def _peak(self, value: str, lowest: float | None) -> str:
        """The largest magnitude of each token, or `lowest` where that is larger."""
        if lowest is None:
            size = self._writer.node("Abs", [value], f"{value}.size")
            return self._writer.node("ReduceMax", [size, self._axis], f"{value}.peak")
        largest = self._writer.node("ReduceMax", [value, self._axis], f"{value}.largest")
        floor = self._writer.scalar(f"{value}.floor", np.float32(-lowest))
        return self._writer.node("Max", [largest, floor], f"{value}.peak")

"""The ONNX graph of a BERT sentence encoder, written node by node from its weights.

onnxruntime's fused operators (`com.microsoft`) stand for whole blocks, so the graph needs
no optimiser pass:

    input_ids, attention_mask   int64 (batch, tokens)
      -> EmbedLayerNormalization
      -> layers x [Attention, MatMul, SkipLayerNormalization,
                   MatMul, BiasGelu, MatMul, SkipLayerNormalization]
      -> mean over the unmasked tokens -> L2 norm
    sentence_embedding          float32 (batch, hidden), unit length

Imports `onnx`, so only the process that assembles a model loads this module.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Weights = Mapping[str, NDArray[np.float32]]

_OPSET = 17
_MICROSOFT = "com.microsoft"
# The file format version that every onnxruntime since 1.18 reads.
_IR_VERSION = 10


@dataclass(frozen=True, slots=True)
class BertShape:
    """What the weights do not say about themselves: counts, and the epsilon of the layer norms."""

    layers: int
    heads: int
    hidden: int
    epsilon: float


def bert_graph(weights: Weights, shape: BertShape) -> onnx.ModelProto:
    """The whole encoder in float32; `weights` carries the names of Hugging Face's BertModel."""
    graph = _Graph(weights, shape)
    mask = graph.node("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
    hidden = _embeddings(graph)
    for index in range(shape.layers):
        hidden = _layer(graph, f"encoder.layer.{index}", hidden, mask)
    _pooling(graph, hidden)
    return graph.model()


class _Graph:
    """Nodes and initializers as they are added."""

    def __init__(self, weights: Weights, shape: BertShape) -> None:
        self.weights = weights
        self.shape = shape
        self.nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        """An initializer; returns its name."""
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def weight(self, name: str) -> str:
        """A weight as it is stored."""
        return self.constant(name, self.weights[name])

    def transposed(self, name: str) -> str:
        """A torch Linear's (out, in) weight as MatMul wants it: (in, out)."""
        return self.constant(name, self.weights[name].T)

    def node(
        self, operator: str, inputs: list[str], output: str, domain: str = "", **attributes: object
    ) -> str:
        """A node named after its one output; returns that name."""
        self.nodes.append(
            helper.make_node(operator, inputs, [output], name=output, domain=domain, **attributes)
        )
        return output

    def model(self) -> onnx.ModelProto:
        """The model around all nodes added so far, checked."""
        tokens = ["batch", "tokens"]
        graph = helper.make_graph(
            self.nodes,
            "sentence_encoder",
            [
                helper.make_tensor_value_info("input_ids", TensorProto.INT64, tokens),
                helper.make_tensor_value_info("attention_mask", TensorProto.INT64, tokens),
            ],
            [
                helper.make_tensor_value_info(
                    "sentence_embedding", TensorProto.FLOAT, ["batch", self.shape.hidden]
                )
            ],
            self._constants,
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_MICROSOFT, 1)]
        model = helper.make_model(
            graph, producer_name="mnema", opset_imports=opsets, ir_version=_IR_VERSION
        )
        onnx.checker.check_model(model)
        return model


def _embeddings(graph: _Graph) -> str:
    """Word + position + token type, normalised.

    A sentence is one segment, so the row of token type 0 is added into the positions here.
    """
    words = graph.weight("embeddings.word_embeddings.weight")
    positions = graph.constant(
        "embeddings.positions",
        graph.weights["embeddings.position_embeddings.weight"]
        + graph.weights["embeddings.token_type_embeddings.weight"][0],
    )
    gamma = graph.weight("embeddings.LayerNorm.weight")
    beta = graph.weight("embeddings.LayerNorm.bias")
    ids = graph.node("Cast", ["input_ids"], "ids", to=TensorProto.INT32)
    graph.nodes.append(
        helper.make_node(
            "EmbedLayerNormalization",
            [ids, "", words, positions, "", gamma, beta],
            # The second output is not optional, though nothing reads it.
            ["embeddings", "embeddings.mask_index"],
            name="embeddings",
            domain=_MICROSOFT,
            epsilon=graph.shape.epsilon,
        )
    )
    return "embeddings"


def _layer(graph: _Graph, name: str, hidden: str, mask: str) -> str:
    attended = _attention(graph, f"{name}.attention", hidden, mask)
    projected = graph.node(
        "MatMul",
        [attended, graph.transposed(f"{name}.attention.output.dense.weight")],
        f"{name}.projected",
    )
    settled = _residual(graph, f"{name}.attention.output", projected, hidden)
    widened = graph.node(
        "MatMul",
        [settled, graph.transposed(f"{name}.intermediate.dense.weight")],
        f"{name}.widened",
    )
    activated = graph.node(
        "BiasGelu",
        [widened, graph.weight(f"{name}.intermediate.dense.bias")],
        f"{name}.activated",
        domain=_MICROSOFT,
    )
    narrowed = graph.node(
        "MatMul",
        [activated, graph.transposed(f"{name}.output.dense.weight")],
        f"{name}.narrowed",
    )
    return _residual(graph, f"{name}.output", narrowed, settled)


def _attention(graph: _Graph, name: str, hidden: str, mask: str) -> str:
    """Self-attention; the operator wants query, key and value side by side in one matrix."""
    parts = [f"{name}.self.{part}" for part in ("query", "key", "value")]
    weight = np.concatenate([graph.weights[f"{part}.weight"].T for part in parts], axis=1)
    bias = np.concatenate([graph.weights[f"{part}.bias"] for part in parts])
    return graph.node(
        "Attention",
        [
            hidden,
            graph.constant(f"{name}.qkv.weight", weight),
            graph.constant(f"{name}.qkv.bias", bias),
            mask,
        ],
        f"{name}.attended",
        domain=_MICROSOFT,
        num_heads=graph.shape.heads,
    )


def _residual(graph: _Graph, name: str, value: str, skip: str) -> str:
    """LayerNorm(value + bias + skip)."""
    return graph.node(
        "SkipLayerNormalization",
        [
            value,
            skip,
            graph.weight(f"{name}.LayerNorm.weight"),
            graph.weight(f"{name}.LayerNorm.bias"),
            graph.weight(f"{name}.dense.bias"),
        ],
        f"{name}.settled",
        domain=_MICROSOFT,
        epsilon=graph.shape.epsilon,
    )


def _pooling(graph: _Graph, hidden: str) -> None:
    """The masked sum over tokens, scaled to unit length.

    The mean differs from the sum by a positive factor per text, which the norm removes.
    """
    mask = graph.node("Cast", ["attention_mask"], "weights", to=TensorProto.FLOAT)
    row = graph.node("Unsqueeze", [mask, graph.constant("axis_1", np.array([1]))], "weights_row")
    # (batch, 1, tokens) x (batch, tokens, hidden): one batched product instead of three nodes.
    pooled = graph.node("MatMul", [row, hidden], "pooled")
    vector = graph.node("Squeeze", [pooled, "axis_1"], "vector")
    graph.node("LpNormalization", [vector], "sentence_embedding", axis=1, p=2)

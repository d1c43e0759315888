"""The ONNX graph of a BERT sentence encoder, written node by node from its weights.

onnxruntime's fused operators (`com.microsoft`) stand for whole blocks, so the graph needs
no optimiser pass:

    input_ids, attention_mask   int64 (batch, tokens)
      -> EmbedLayerNormalization
      -> layers x [3 linear, MultiHeadAttention, linear, SkipLayerNormalization,
                   linear, BiasGelu, linear, SkipLayerNormalization]
      -> mean over the unmasked tokens -> L2 norm
    sentence_embedding          float32 (batch, hidden), unit length

A linear map is a MatMul, or in the int8 graph `graph_writer.Int8Linear`.
Imports `onnx`, so only the process that assembles a model loads this module.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto

from services.providers.embeddings.graph_writer import FloatLinear, GraphWriter, Int8Linear, Weights

_MICROSOFT = "com.microsoft"


@dataclass(frozen=True, slots=True)
class BertShape:
    """What the weights do not say about themselves."""

    layers: int
    heads: int
    hidden: int
    epsilon: float
    """Added to the variance in every layer norm."""


def bert_graph(weights: Weights, shape: BertShape, *, int8: bool) -> onnx.ModelProto:
    """The whole encoder; `weights` carries the names of Hugging Face's BertModel."""
    writer = GraphWriter()
    linear = Int8Linear(writer) if int8 else FloatLinear(writer)
    encoder = _Encoder(writer, linear, weights, shape)
    mask = writer.node("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
    hidden = encoder.embeddings()
    for index in range(shape.layers):
        hidden = encoder.layer(f"encoder.layer.{index}", hidden, mask)
    encoder.pooling(hidden)
    return writer.model(["input_ids", "attention_mask"], "sentence_embedding", shape.hidden)


@dataclass(frozen=True, slots=True)
class _Encoder:
    """Each method adds one block and returns the name of its output."""

    writer: GraphWriter
    linear: FloatLinear | Int8Linear
    weights: Weights
    shape: BertShape

    def embeddings(self) -> str:
        """Word + position + token type, normalised.

        A sentence is one segment, so the row of token type 0 is added into the positions.
        """
        positions = (
            self.weights["embeddings.position_embeddings.weight"]
            + self.weights["embeddings.token_type_embeddings.weight"][0]
        )
        ids = self.writer.node("Cast", ["input_ids"], "ids", to=TensorProto.INT32)
        self.writer.add(
            "EmbedLayerNormalization",
            [
                ids,
                "",
                self._stored("embeddings.word_embeddings.weight"),
                self.writer.constant("embeddings.positions", positions),
                "",
                self._stored("embeddings.LayerNorm.weight"),
                self._stored("embeddings.LayerNorm.bias"),
            ],
            # The second output is not optional, though nothing reads it.
            ["embeddings", "embeddings.mask_index"],
            domain=_MICROSOFT,
            epsilon=self.shape.epsilon,
        )
        return "embeddings"

    def layer(self, name: str, hidden: str, mask: str) -> str:
        """One transformer layer: attention, then the feed-forward block."""
        attended = self._attention(f"{name}.attention.self", hidden, mask)
        projected = self._matmul(f"{name}.attention.output.dense", attended)
        settled = self._residual(f"{name}.attention.output", projected, hidden)
        widened = self._matmul(f"{name}.intermediate.dense", settled)
        activated = self.writer.node(
            "BiasGelu",
            [widened, self._stored(f"{name}.intermediate.dense.bias")],
            f"{name}.activated",
            domain=_MICROSOFT,
        )
        narrowed = self._matmul(f"{name}.output.dense", activated)
        return self._residual(f"{name}.output", narrowed, settled)

    def pooling(self, hidden: str) -> None:
        """The masked sum over tokens, scaled to unit length.

        The mean differs from the sum by a positive factor per text, which the norm removes.
        """
        mask = self.writer.node("Cast", ["attention_mask"], "weights", to=TensorProto.FLOAT)
        axis = self.writer.constant("axis_1", np.array([1]))
        row = self.writer.node("Unsqueeze", [mask, axis], "weights_row")
        # (batch, 1, tokens) x (batch, tokens, hidden): one batched product.
        pooled = self.writer.node("MatMul", [row, hidden], "pooled")
        vector = self.writer.node("Squeeze", [pooled, axis], "vector")
        self.writer.node("LpNormalization", [vector], "sentence_embedding", axis=1, p=2)

    def _attention(self, name: str, hidden: str, mask: str) -> str:
        parts = [f"{name}.{part}" for part in ("query", "key", "value")]
        bias = np.concatenate([self.weights[f"{part}.bias"] for part in parts])
        return self.writer.node(
            "MultiHeadAttention",
            [
                *(self._matmul(part, hidden) for part in parts),
                self.writer.constant(f"{name}.bias", bias),
                mask,
            ],
            f"{name}.attended",
            domain=_MICROSOFT,
            num_heads=self.shape.heads,
        )

    def _residual(self, name: str, value: str, skip: str) -> str:
        """LayerNorm(value + bias + skip)."""
        gamma, beta = f"{name}.LayerNorm.weight", f"{name}.LayerNorm.bias"
        bias = self._stored(f"{name}.dense.bias")
        return self.writer.node(
            "SkipLayerNormalization",
            [value, skip, self._stored(gamma), self._stored(beta), bias],
            f"{name}.settled",
            domain=_MICROSOFT,
            epsilon=self.shape.epsilon,
        )

    def _matmul(self, name: str, value: str) -> str:
        """`value` through torch's Linear of that name, whose weight is (out, in); no bias."""
        return self.linear(value, self.weights[f"{name}.weight"].T, f"{name}.product")

    def _stored(self, name: str) -> str:
        return self.writer.constant(name, self.weights[name])

"""The ONNX graph of a BERT sentence encoder, written node by node from its weights.

    input_ids, attention_mask   int64 (batch, tokens)
      -> words + positions -> LayerNormalization
      -> layers x [3 linear, Attention, linear, LayerNormalization,
                   linear, Gelu, linear, LayerNormalization]
      -> mean over the unmasked tokens -> L2 norm
    sentence_embedding          float32 (batch, hidden), unit length

A linear map is a MatMul, or in the int8 graph `graph_writer.Int8Linear`.

Of onnxruntime's operators the graph takes those that are vectorised. The fused ones are not:
SkipLayerNormalization takes six times as long as two Add and a LayerNormalization.
Imports `onnx`, so only the process that assembles a model loads this module.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto

from services.providers.embeddings.graph_writer import (
    FloatLinear,
    GraphWriter,
    Int8Linear,
    Linear,
    Weights,
)

# GELU is least at -0.7518, with a value of -0.16997.
_LOWEST_GELU = -0.17
# What a score of padding has added: its share of attention is then none.
_OUT = np.float32(-1e9)


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
    linear = Int8Linear(writer, "attention_mask") if int8 else FloatLinear(writer)
    encoder = _Encoder(writer, linear, weights, shape)
    hidden = encoder.embeddings()
    padding = encoder.padding()
    for index in range(shape.layers):
        hidden = encoder.layer(f"encoder.layer.{index}", hidden, padding)
    encoder.pooling(hidden)
    return writer.model(["input_ids", "attention_mask"], "sentence_embedding", shape.hidden)


@dataclass(frozen=True, slots=True)
class _Encoder:
    """Each method adds one block and returns the name of its output."""

    writer: GraphWriter
    linear: Linear
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
        words = self.writer.node(
            "Gather", [self._stored("embeddings.word_embeddings.weight"), "input_ids"], "words"
        )
        length = self.writer.node("Shape", ["input_ids"], "length", start=1)
        zero = self.writer.constant("zero", np.array([0]))
        placed = self.writer.node(
            "Slice",
            [self.writer.constant("embeddings.positions", positions), zero, length],
            "positions",
        )
        summed = self.writer.node("Add", [words, placed], "words_and_positions")
        return self._norm("embeddings.LayerNorm", summed, "embeddings")

    def padding(self) -> str:
        """What is added to the scores of attention: float32 (batch, 1, tokens, tokens)."""
        unmasked = self.writer.node("Cast", ["attention_mask"], "weights", to=TensorProto.FLOAT)
        one = self.writer.scalar("one", np.float32(1))
        masked = self.writer.node("Sub", [one, unmasked], "masked")
        scores = self.writer.node("Mul", [masked, self.writer.scalar("out", _OUT)], "scores")
        # The operator takes a row for each token that asks, though all are the same.
        given = self.writer.constant("given_axes", np.array([1, 2]))
        asking = self.writer.constant("asking_axes", np.array([1, 3]))
        row = self.writer.node("Unsqueeze", [scores, given], "scores_row")
        column = self.writer.node("Unsqueeze", [scores, asking], "scores_column")
        askers = self.writer.node("Shape", [column], "askers")
        return self.writer.node("Expand", [row, askers], "padding")

    def layer(self, name: str, hidden: str, padding: str) -> str:
        """One transformer layer: attention, then the feed-forward block."""
        attended = self._attention(f"{name}.attention.self", hidden, padding)
        projected = self._matmul(f"{name}.attention.output.dense", attended)
        settled = self._residual(f"{name}.attention.output", projected, hidden)
        widened = self._biased(f"{name}.intermediate.dense", settled)
        activated = self.writer.node("Gelu", [widened], f"{name}.activated")
        narrowed = self._matmul(f"{name}.output.dense", activated, lowest=_LOWEST_GELU)
        return self._residual(f"{name}.output", narrowed, settled)

    def pooling(self, hidden: str) -> None:
        """The masked sum over tokens, scaled to unit length.

        The mean differs from the sum by a positive factor per text, which the norm removes.
        """
        axis = self.writer.constant("axis_1", np.array([1]))
        row = self.writer.node("Unsqueeze", ["weights", axis], "weights_row")
        # (batch, 1, tokens) x (batch, tokens, hidden): one batched product.
        pooled = self.writer.node("MatMul", [row, hidden], "pooled")
        vector = self.writer.node("Squeeze", [pooled, axis], "vector")
        self.writer.node("LpNormalization", [vector], "sentence_embedding", axis=1, p=2)

    def _attention(self, name: str, hidden: str, padding: str) -> str:
        return self.writer.node(
            "Attention",
            [
                *(self._biased(f"{name}.{part}", hidden) for part in ("query", "key", "value")),
                padding,
            ],
            f"{name}.attended",
            q_num_heads=self.shape.heads,
            kv_num_heads=self.shape.heads,
        )

    def _residual(self, name: str, value: str, skip: str) -> str:
        """LayerNorm(value + bias + skip)."""
        bias = self._stored(f"{name}.dense.bias")
        biased = self.writer.node("Add", [value, bias], f"{name}.biased")
        summed = self.writer.node("Add", [biased, skip], f"{name}.sum")
        return self._norm(f"{name}.LayerNorm", summed, f"{name}.settled")

    def _norm(self, name: str, value: str, output: str) -> str:
        gamma, beta = self._stored(f"{name}.weight"), self._stored(f"{name}.bias")
        return self.writer.node(
            "LayerNormalization",
            [value, gamma, beta],
            output,
            axis=-1,
            epsilon=self.shape.epsilon,
        )

    def _biased(self, name: str, value: str) -> str:
        """`value` through torch's Linear of that name."""
        product = self._matmul(name, value)
        return self.writer.node("Add", [product, self._stored(f"{name}.bias")], f"{name}.sum")

    def _matmul(self, name: str, value: str, *, lowest: float | None = None) -> str:
        """The same without its bias; the weight is (out, in)."""
        weight = self.weights[f"{name}.weight"].T
        return self.linear(value, weight, f"{name}.product", lowest=lowest)

    def _stored(self, name: str) -> str:
        return self.writer.constant(name, self.weights[name])

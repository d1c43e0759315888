"""An ONNX sentence model in this process: texts in, unit vectors out, blocking."""

import os
from collections.abc import Iterator, Sequence

import numpy as np

# Memory stays on this machine: the library must send nothing anywhere, and reads this when loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from services.providers.embeddings.base import Vectors, unit_vectors
from services.providers.embeddings.model_folder import ModelFolder
from services.runtime.errors import FailedPrecondition

# Padding costs as much as reading. Up to this many padding tokens for one text more are cheaper
# than a run of its own, which costs about 0.3 ms before the first token.
_MAX_PADDING = 6
# Attention memory grows with rows * tokens^2; this keeps a run of 512-token texts below 100 MB.
_MAX_RUN_TOKENS = 2048
# These make one operator out of several that are vectorised, and is not itself: it takes
# six times as long as the additions and the norm apart, and as long as a bias and GELU.
_SLOWER = frozenset({"SkipLayerNormFusion", "BiasGeluFusion"})
# No tokenizer in use makes a token of more characters than this out of ordinary text; the
# rest of a megabyte-long message is not worth tokenizing to be thrown away.
_CHARACTERS_PER_TOKEN = 64


class OnnxSentenceModel:
    """Tokenizer and session of one model folder. Thread-safe, as both of them are."""

    def __init__(self, folder: ModelFolder, *, threads: int) -> None:
        """Loads the model and runs it once; `threads` >= 1 serve one run.

        Raises FailedPrecondition when the files are no sentence model.
        """
        folder.check()
        self._folder = folder
        self._tokenizer = Tokenizer.from_file(str(folder.path / "tokenizer.json"))
        padding = self._tokenizer.padding or {}
        self._pad_id = int(padding.get("pad_id", 0))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(folder.max_tokens)
        self._session = _session(folder, threads)
        self._inputs = {each.name for each in self._session.get_inputs()}
        self._output = self._choose_output()
        self.dims = int(self._run([self._tokenizer.encode("ready").ids]).shape[1])

    @property
    def name(self) -> str:
        """The model's name."""
        return self._folder.name

    def cost(self, text: str) -> int:
        """About how many tokens the model will read, without tokenizing."""
        tokens = len(text) // 4 if text.isascii() else len(text) // 2
        return min(tokens + 2, self._folder.max_tokens)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Float32 (n, dims), unit length, in the order of the texts.

        Texts beyond the model's `max_tokens` are cut. Runs texts of like length together.
        """
        longest = self._folder.max_tokens * _CHARACTERS_PER_TOKEN
        cut = [text[:longest].encode("utf-8", "replace").decode() for text in texts]
        ids = [each.ids for each in self._tokenizer.encode_batch_fast(cut)]
        vectors = np.empty((len(ids), self.dims), dtype=np.float32)
        for group in _groups([len(each) for each in ids]):
            vectors[group] = self._run([ids[index] for index in group])
        return vectors

    def _choose_output(self) -> str:
        names = [each.name for each in self._session.get_outputs()]
        return "sentence_embedding" if "sentence_embedding" in names else names[0]

    def _run(self, ids: Sequence[Sequence[int]]) -> Vectors:
        width = max(len(each) for each in ids)
        tokens = np.full((len(ids), width), self._pad_id, dtype=np.int64)
        mask = np.zeros((len(ids), width), dtype=np.int64)
        for row, each in enumerate(ids):
            tokens[row, : len(each)] = each
            mask[row, : len(each)] = 1
        known = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": tokens * 0}
        if not self._inputs <= known.keys():
            raise FailedPrecondition(
                f"{self.name} wants inputs {sorted(self._inputs - known.keys())}, "
                "which a sentence model does not have"
            )
        (answer,) = self._session.run([self._output], {name: known[name] for name in self._inputs})
        return self._pooled(answer, mask)

    def _pooled(self, answer: NDArray[np.float32], mask: NDArray[np.int64]) -> Vectors:
        """One unit vector per text, whether or not the graph pools and normalises itself."""
        if answer.ndim == 3 and self._folder.pooling == "first":
            answer = answer[:, 0]
        elif answer.ndim == 3:
            # The sum: making it a mean first would not change its direction.
            answer = (answer * mask[:, :, None]).sum(axis=1)
        if answer.ndim != 2:
            raise FailedPrecondition(f"{self.name} gives {answer.ndim}-dimensional output")
        return unit_vectors(answer, count=len(mask), dims=answer.shape[1], model=self.name)


def _session(folder: ModelFolder, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Idle threads sleep instead of spinning: the cores are shared with the database.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Memory of a long run goes back instead of being kept for the next one.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        str(folder.path / "model.onnx"),
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=_SLOWER,
    )


def _groups(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices of texts to run together, each group padded to its longest text."""
    group: list[int] = []
    width = 0
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        longer = lengths[index] - width  # all texts of the group would be padded by as much
        whole = (len(group) + 1) * lengths[index]
        if group and (len(group) * longer > _MAX_PADDING or whole > _MAX_RUN_TOKENS):
            yield group
            group = []
        group.append(index)
        width = lengths[index]
    if group:
        yield group

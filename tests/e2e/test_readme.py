"""The calls of the README, as they stand there, pasted into a shell."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from services.app.local_stack import LocalStack
from tests.e2e.waiting import until

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(
    r"^### First calls: (?P<title>.+?)$.*?^```bash\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)


def blocks() -> dict[str, str]:
    text = (ROOT / "README.md").read_text()
    found = {each["title"]: each["code"] for each in BLOCK.finditer(text)}
    assert set(found) == {"Python", "curl", "gRPC without a line of code"}
    return found


def paste(code: str, stack: LocalStack) -> str:
    """What a shell prints; the only change is the port, since 8080 may be somebody else's."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code.replace("127.0.0.1:8080", stack.address)],
        cwd=ROOT,
        env={**os.environ, "MNEMA_API_KEY": stack.api_key},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.feature("X02")
def test_the_python_calls(stack: LocalStack) -> None:
    printed = paste(blocks()["Python"], stack)
    best = printed.splitlines()[0]
    assert "Zurich" in best
    assert "vector" in best


def test_the_curl_calls(stack: LocalStack) -> None:
    printed = paste(blocks()["curl"], stack)
    assert '"message_id"' in printed
    assert "sailing" in printed.split('"merged"')[1]


def test_the_grpc_calls(stack: LocalStack) -> None:
    # grpcurl is no package of any registry used here; buf curl speaks the same reflection.
    code = blocks()["gRPC without a line of code"]
    assert code.count("grpcurl ") == 2
    buf = code[code.index("node_modules/.bin/buf curl") :]
    until(lambda: paste(buf, stack), lambda printed: "sailing" in printed)

"""Exports as lines: what is written is read again, and what is no line is named."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnema.client._convert.times import timestamp_of
from mnema.client._exports import Source, line_of, request_of, text_of
from mnema.v1 import lifecycle_service_pb2 as pb

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
HEADER = pb.ExportUserDataResponse(
    header=pb.ExportHeader(
        format="mnema.export",
        version=1,
        user_id="ada",
        exported_at=timestamp_of(datetime(2026, 5, 3, 10, 0, 0, 123456, UTC)),
        counts={"memories": 2, "users": 1},
    )
)
PIECE = pb.ExportUserDataResponse(file_piece=pb.ExportFilePiece(file_id="f", chunk=b"\0\xff\n"))
TRAILER = pb.ExportUserDataResponse(
    trailer=pb.ExportTrailer(counts={"memories": 2, "users": 1}, file_bytes=3)
)


@pytest.mark.parametrize("part", [HEADER, PIECE, TRAILER])
def test_parts_come_back_as_they_were(part: pb.ExportUserDataResponse) -> None:
    name = part.WhichOneof("part")
    assert name is not None
    request = request_of(json.loads(text_of(line_of(part))))
    assert request.WhichOneof("part") == name
    assert getattr(request, name) == getattr(part, name)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_records_come_back_as_they_were(fields: dict[str, Any]) -> None:
    record = pb.ExportRecord(kind="memories", json=json.dumps(fields))
    text = text_of(line_of(pb.ExportUserDataResponse(record=record)))
    assert text.count(b"\n") == 1
    assert json.loads(request_of(json.loads(text)).record.json) == fields


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("no JSON", "line 2 is no JSON"),
        ("[1]", "line 2 is no JSON object"),
        ('{"kind": "memories"}', "line 2 is no part of an export: it lacks 'record'"),
        ('{"kind": "file_piece", "file_id": "f", "chunk": "?"}', "line 2 is no part of an export"),
        ('{"kind": "header", "format": 1}', "line 2 is no part of an export"),
        ('{"kind": "trailer", "counts": [], "file_bytes": "x"}', "line 2 is no part"),
    ],
)
def test_a_line_that_is_none_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "export.jsonl"
    path.write_bytes(text_of(line_of(HEADER)) + line.encode() + b"\n")
    source = Source(path, None)
    parts = source.open()
    first = source.next(parts)
    assert first is not None
    assert first.WhichOneof("part") == "header"
    refused = source.next(parts)
    assert refused is not None
    assert refused.WhichOneof("part") is None  # what the server refuses, whatever came before
    assert str(source.failure).startswith(said)

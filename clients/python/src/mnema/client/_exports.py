"""Exports on this side: parts of the stream as lines of a file, and as the dict of a user's data.

A line is {"kind": "header", …}, {"kind": KIND, "record": {…}}, {"kind": "file_piece", …} or
{"kind": "trailer", …}: JSON Lines, as docs/export-format.md has it.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from mnema.client._convert.times import moment_of, timestamp_of
from mnema.client.lifecycle import UserData
from mnema.v1 import lifecycle_service_pb2 as pb

Progress = Callable[[int, int], None]
"""Told how much is done, and how much there is."""

Line = Mapping[str, Any]
_OWN_KINDS = ("header", "file_piece", "trailer")


def line_of(part: pb.ExportUserDataResponse) -> dict[str, Any]:
    """One part of an export, as it stands in a file."""
    match part.WhichOneof("part"):
        case "header":
            header = part.header
            return {
                "kind": "header",
                "format": header.format,
                "version": header.version,
                "user_id": header.user_id,
                "exported_at": moment_of(header.exported_at).isoformat(),
                "counts": dict(sorted(header.counts.items())),
            }
        case "record":
            return {"kind": part.record.kind, "record": json.loads(part.record.json)}
        case "file_piece":
            chunk = base64.b64encode(part.file_piece.chunk).decode()
            return {"kind": "file_piece", "file_id": part.file_piece.file_id, "chunk": chunk}
        case _:
            counts = dict(sorted(part.trailer.counts.items()))
            return {"kind": "trailer", "counts": counts, "file_bytes": part.trailer.file_bytes}


def text_of(line: Line) -> bytes:
    """A line as it is written."""
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def request_of(line: Line) -> pb.ImportUserDataRequest:
    """A line as a part of an import.

    Raises:
        ValueError: it is none.
    """
    kind = line.get("kind")
    try:
        if kind == "header":
            return pb.ImportUserDataRequest(header=_header_of(line))
        if kind == "file_piece":
            chunk = base64.b64decode(line["chunk"], validate=True)
            piece = pb.ExportFilePiece(file_id=line["file_id"], chunk=chunk)
            return pb.ImportUserDataRequest(file_piece=piece)
        if kind == "trailer":
            trailer = pb.ExportTrailer(counts=line["counts"], file_bytes=line["file_bytes"])
            return pb.ImportUserDataRequest(trailer=trailer)
        text = json.dumps(line["record"], ensure_ascii=False, separators=(",", ":"))
        return pb.ImportUserDataRequest(record=pb.ExportRecord(kind=str(kind), json=text))
    except KeyError as missing:
        raise ValueError(f"it lacks {missing}") from None
    except (TypeError, binascii.Error) as error:
        raise ValueError(str(error)) from None


def _header_of(line: Line) -> pb.ExportHeader:
    return pb.ExportHeader(
        format=line["format"],
        version=line["version"],
        user_id=line["user_id"],
        exported_at=timestamp_of(datetime.fromisoformat(line["exported_at"])),
        counts=line["counts"],
    )


class Source:
    """What is to be imported: the path of an export, or its lines."""

    def __init__(self, given: "str | Path | Iterable[Line]", progress: Progress | None) -> None:
        self._path = Path(given) if isinstance(given, (str, Path)) else None
        self._lines = () if isinstance(given, (str, Path)) else given
        self._progress = progress
        self.failure: Exception | None = None
        """What broke the last reading, if anything did."""

    @property
    def repeatable(self) -> bool:
        """Whether it can be read from its start again."""
        return self._path is not None or isinstance(self._lines, (list, tuple))

    def open(self) -> Iterator[pb.ImportUserDataRequest]:
        """The parts, from the start."""
        self.failure = None
        return self._parts()

    def next(self, parts: Iterator[pb.ImportUserDataRequest]) -> pb.ImportUserDataRequest | None:
        """The next part; None at the end. A part that is none is kept as the failure."""
        try:
            return next(parts, None)
        except Exception as failure:  # whatever the caller's lines may raise
            # Ending the stream is refused as well, but says less.
            self.failure = failure
            return pb.ImportUserDataRequest()

    def _parts(self) -> Iterator[pb.ImportUserDataRequest]:
        if self._path is None:
            for number, line in enumerate(self._lines, 1):
                yield _numbered(number, line)
            return
        total = self._path.stat().st_size
        with self._path.open("rb") as file:
            yield from self._read(file, total)

    def _read(self, file: BinaryIO, total: int) -> Iterator[pb.ImportUserDataRequest]:
        done = 0
        for number, text in enumerate(file, 1):
            try:
                line = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"line {number} is no JSON: {error}") from None
            if not isinstance(line, dict):
                raise ValueError(f"line {number} is no JSON object")  # noqa: TRY004 - of the file
            yield _numbered(number, line)
            done += len(text)
            if self._progress is not None:
                self._progress(done, total)


def _numbered(number: int, line: Line) -> pb.ImportUserDataRequest:
    try:
        return request_of(line)
    except ValueError as error:
        raise ValueError(f"line {number} is no part of an export: {error}") from None


class Collected:
    """Gathers what a user has now from the lines of an export."""

    def __init__(self) -> None:
        self.data = UserData(
            memories=[],
            conversations=[],
            graph={"nodes": [], "edges": []},
            kv=[],
            profile=None,
            documents=[],
        )

    def take(self, line: Line) -> None:
        """Adds a line, if it is something that stands now."""
        if line["kind"] in _OWN_KINDS:
            return
        record = line["record"]
        if record.get("retracted_at") is not None:
            return
        match line["kind"]:
            case "memories":
                self.data["memories"].append(_memory(record))
            case "messages":
                self.data["conversations"].append(_message(record))
            case "graph_nodes":
                self.data["graph"]["nodes"].append(_created(record))
            case "graph_edges":
                self.data["graph"]["edges"].append({"id": record["edge_id"], **_created(record)})
            case "key_values":
                self.data["kv"].append(_chosen(record, "namespace", "key", "value"))
            case "emotion_profiles":
                self.data["profile"] = _profile(record)
            case "documents":
                own = ("number", "source_text")
                kept = {name: value for name, value in _created(record).items() if name not in own}
                self.data["documents"].append({"id": record["file_id"], **kept})


def _memory(record: Line) -> dict[str, Any]:
    emotion = None
    if record["emotion_valence"] is not None:
        parts = ("valence", "arousal", "label")
        emotion = {name: record[f"emotion_{name}"] for name in parts}
    names = (
        *("content", "memory_type", "importance", "confidence", "category", "tags", "entities"),
        *("slot", "metadata", "source_message_ids", "source_memory_ids", "event_at"),
    )
    return {
        "id": record["memory_id"],
        **_chosen(record, *names),
        "emotion": emotion,
        "created_at": record["first_recorded_at"],
        "updated_at": record["recorded_at"],
    }


def _message(record: Line) -> dict[str, Any]:
    names = ("session_id", "role", "content", "speaker", "metadata", "said_at")
    return {
        "id": record["message_id"],
        **_chosen(record, *names),
        "created_at": record["recorded_at"],
    }


def _profile(record: Line) -> dict[str, Any]:
    sources = record["source_count"]
    names = ("latest_state", "latest_state_period", "latest_state_valence", "latest_state_arousal")
    return {
        **_chosen(record, *names, "latest_state_updated_at"),
        "valence_avg": record["valence_sum"] / sources if sources else 0.0,
        "arousal_avg": record["arousal_sum"] / sources if sources else 0.0,
        "dominant_emotions": record["label_counts"],
        "emotion_triggers": record["trigger_counts"],
        **_chosen(record, "source_count", "source_memory_ids", "last_reflected_at"),
    }


def _created(record: Line) -> dict[str, Any]:
    """All of it, with the names that calls have for record times."""
    of_storage = ("recorded_at", "first_recorded_at", "retracted_at", "revision", "name_id")
    kept = {name: value for name, value in record.items() if name not in of_storage}
    created = record.get("first_recorded_at", record["recorded_at"])
    return {**kept, "created_at": created, "updated_at": record["recorded_at"]}


def _chosen(record: Line, *names: str) -> dict[str, Any]:
    return {name: record[name] for name in names}

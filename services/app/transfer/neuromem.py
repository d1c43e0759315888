"""neuromem's export_user_data: memories, conversations, graph, kv, profile, documents."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from services.app.transfer.foreign import ForeignFile
from services.app.transfer.neuromem_graph import add_graph
from services.app.transfer.records import (
    MEMORY_TYPES,
    Fields,
    ForeignError,
    Records,
    add_memory,
    moment,
    number_in,
    objects,
    part,
    text_in,
)
from services.files.text.chunks import split_chunks
from services.files.text.document import ExtractedText, FileType, Page

KEYS = ("memories", "conversations", "graph", "kv", "profile", "documents")
_ROLES = frozenset({"user", "assistant", "system", "tool"})
_OWN_METADATA = ("importance", "emotion", "event_time", "event_at", "confidence")


def read_neuromem(file: ForeignFile, user_id: str | None) -> list[Records]:
    """What goes to the user: the one given, or the one that the export names.

    ForeignError names the part and the thing in it.
    """
    data = file.value
    if not isinstance(data, Mapping) or not any(name in data for name in KEYS):
        raise ForeignError(f"the file has none of {', '.join(KEYS)}: it is no neuromem export")
    owner = user_id or data.get("user_id")
    if not isinstance(owner, str) or not owner:
        raise ForeignError("the export names no user_id: say whose it is with --user")
    into = Records(owner, file.identity)
    _add_conversations(into, data.get("conversations") or [], bool(data.get("memories")))
    for where, item in objects("memories", data.get("memories") or []):
        _add_memory(into, where + file.line_of(item), item)
    add_graph(into, data.get("graph") or {})
    for where, item in objects("kv", data.get("kv") or []):
        _add_value(into, where, item)
    _add_profile(into, data.get("profile"))
    for number, (where, item) in enumerate(objects("documents", data.get("documents") or []), 1):
        _add_document(into, where, item, number)
    return [into]


def _messages(value: Any) -> Iterator[tuple[str, Fields]]:
    """Messages, whether they stand by themselves or in their sessions."""
    for where, item in objects("conversations", value):
        if isinstance(item.get("messages"), list):
            for inner, message in objects(f"{where}, messages", item["messages"]):
                yield inner, {"session_id": item.get("session_id") or item.get("id"), **message}
        else:
            yield where, item


def _add_conversations(into: Records, value: Any, extracted: bool) -> None:
    """What was extracted from them is among the memories, if there are any."""
    sessions: dict[str, list[tuple[str, Fields]]] = {}
    for where, item in _messages(value):
        sessions.setdefault(str(item.get("session_id") or "imported"), []).append((where, item))
    for number, (session_id, said) in enumerate(sessions.items(), 1):
        times = [each for where, item in said if (each := moment(where, item, "created_at"))]
        into.add(
            "sessions",
            session_id=session_id,
            number=number,
            message_count=len(said),
            recorded_at=min(times, default=None),
            updated_at=max(times, default=None),
            last_message_at=max(times, default=None),
        )
        for sequence, (where, item) in enumerate(said, 1):
            recorded = moment(where, item, "created_at")
            role = str(item.get("role") or "user")
            if role not in _ROLES:
                raise ForeignError(f"{where}: {role!r} is no role")
            into.add(
                "messages",
                message_id=str(into.id_of(item.get("id"))),
                session_id=session_id,
                sequence=sequence,
                role=role,
                content=text_in(where, item, "content"),
                metadata=dict(part(item, "metadata")),
                said_at=recorded or datetime.now(UTC).isoformat(),
                recorded_at=recorded,
                extraction_state="done" if extracted else "pending",
            )


def _add_memory(into: Records, where: str, item: Fields) -> None:
    metadata = part(item, "metadata") or part(item, "metadata_")
    known = {**metadata, **item}
    kind = item.get("memory_type")
    emotion = part(known, "emotion")
    importance = number_in(known, "importance", 1, 10)
    ended = moment(where, item, "valid_until")
    if ended and datetime.fromisoformat(ended) > datetime.now(UTC):
        ended = None  # it still stands
    memory_id = add_memory(
        into,
        where,
        item,
        text_in(where, item, "content"),
        memory_type=kind if kind in MEMORY_TYPES else "general",
        importance=None if importance is None else round(importance),
        confidence=number_in(known, "confidence", 0, 1),
        emotion_valence=number_in(emotion, "valence", -1, 1),
        emotion_arousal=number_in(emotion, "arousal", 0, 1),
        emotion_label=str(emotion["label"]) if emotion.get("label") else None,
        event_at=moment(where, known, "event_at") or moment(where, known, "event_time"),
        metadata={name: each for name, each in metadata.items() if name not in _OWN_METADATA},
        retracted_at=ended,
        retracted_reason="superseded" if ended else None,
    )
    accessed = moment(where, item, "last_accessed_at")
    if accessed and (count := number_in(item, "access_count", 0, 2**53)):
        into.add(
            "memory_accesses",
            memory_id=memory_id,
            access_count=int(count),
            last_accessed_at=accessed,
        )


def _add_value(into: Records, where: str, item: Fields) -> None:
    into.add(
        "key_values",
        namespace=str(item.get("namespace") or "default"),
        key=text_in(where, item, "key"),
        recorded_at=moment(where, item, "updated_at") or moment(where, item, "created_at"),
    )
    into.records[-1][1]["value"] = item.get("value")  # null is a value like any other


def _add_profile(into: Records, profile: Any) -> None:
    """An emotion profile; anything else is what is known of the user, key by key."""
    if not isinstance(profile, Mapping) or not profile:
        return
    if "latest_state" not in profile and "valence_avg" not in profile:
        for key, value in profile.items():
            _add_value(into, "profile", {"namespace": "profile", "key": key, "value": value})
        return
    count = int(number_in(profile, "source_count", 0, 2**53) or 1)
    now = datetime.now(UTC).isoformat()
    reflected = moment("profile", profile, "last_reflected_at") or now
    into.add(
        "emotion_profiles",
        revision=1,
        latest_state=str(profile.get("latest_state") or ""),
        latest_state_period=str(profile.get("latest_state_period") or ""),
        latest_state_valence=number_in(profile, "latest_state_valence", -1, 1) or 0,
        latest_state_arousal=number_in(profile, "latest_state_arousal", 0, 1) or 0,
        latest_state_updated_at=moment("profile", profile, "latest_state_updated_at") or reflected,
        valence_sum=(number_in(profile, "valence_avg", -1, 1) or 0) * count,
        arousal_sum=(number_in(profile, "arousal_avg", 0, 1) or 0) * count,
        source_count=count,
        label_counts=_counted(profile.get("dominant_emotions"), count),
        trigger_counts=_counted(profile.get("emotion_triggers"), count),
        last_reflected_at=reflected,
    )


def _counted(value: Any, sources: int) -> dict[str, int]:
    """Names with counts, whatever they come as: shares of all, counts, or names alone."""
    if isinstance(value, Mapping):
        shares = {str(k): v for k, v in value.items() if isinstance(v, (int, float))}
        return {k: max(1, round(v * sources if 0 < v < 1 else v)) for k, v in shares.items()}
    return {str(each): 1 for each in value} if isinstance(value, list) else {}


def _add_document(into: Records, where: str, item: Fields, number: int) -> None:
    """A document is carried by its text; neuromem's export has no bytes."""
    text = next(
        (
            item[name]
            for name in ("content", "extracted_text", "text")
            if isinstance(item.get(name), str) and item[name].strip()
        ),
        None,
    )
    if text is None:
        into.leave_out("documents without their text")
        return

    data = text.encode()
    chunks = split_chunks(ExtractedText(FileType.TXT, "text/plain", (Page(None, text),)))
    file_id = str(into.id_of(item.get("id")))
    recorded = moment(where, item, "created_at")
    into.add(
        "documents",
        file_id=file_id,
        number=number,
        filename=str(item.get("filename") or item.get("title") or "document")[:512],
        file_type="txt",
        mime_type="text/plain",
        size_bytes=len(data),
        sha256="\\x" + hashlib.sha256(data).hexdigest(),
        category=str(item.get("category") or "general")[:128],
        tags=[str(tag)[:64] for tag in item.get("tags") or []][:64],
        metadata=dict(part(item, "metadata")),
        source_type="text",
        source_text=text,
        chunk_count=len(chunks),
        recorded_at=recorded,
    )
    for chunk in chunks:
        into.add(
            "chunks",
            chunk_id=str(into.new_id()),
            file_id=file_id,
            position=chunk.position,
            content=chunk.text,
            start_offset=chunk.start,
            end_offset=chunk.end,
            recorded_at=recorded,
        )

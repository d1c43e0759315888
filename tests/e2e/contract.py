"""Every public RPC as the descriptors of mnema.v1 have it, and requests to it as REST calls."""

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast
from urllib.parse import quote

from google.api import annotations_pb2, field_behavior_pb2
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message

import mnema.v1

_PLACE = re.compile(r"\{([a-z_.]+)\}")
_VERBS = ("get", "put", "post", "delete", "patch")


@dataclass(frozen=True, slots=True)
class Binding:
    """One HTTP form of an RPC: `template` has the places of fields, "/v1/users/{user_id}"."""

    verb: str
    template: str
    has_body: bool

    @property
    def placed(self) -> tuple[str, ...]:
        """The fields that stand in the path."""
        return tuple(_PLACE.findall(self.template))


@dataclass(frozen=True, slots=True)
class RestCall:
    """What an HTTP client is told to send; `path` is percent-encoded."""

    verb: str
    path: str
    query: tuple[tuple[str, str], ...]
    body: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Rpc:
    """One method of one service."""

    service: str
    method: str
    request: type[Message]
    response: type[Message]
    client_streaming: bool
    server_streaming: bool
    bindings: tuple[Binding, ...]

    @property
    def name(self) -> str:
        """Short, as in tables: "IngestService.Ingest"."""
        return f"{self.service.rpartition('.')[2]}.{self.method}"

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> str:
        """As gRPC has it: "/mnema.v1.IngestService/Ingest"."""
        return f"/{self.service}/{self.method}"

    @property
    def names_a_user(self) -> bool:
        """Whether the request says whose memory it is about, outside of accounts."""
        return not (
            self.service.endswith("AccountService")
            or self.method in ("Embed", "DownloadByLink", "ClearEmbeddingCache")
            or "RankingProfile" in self.method  # the tenant's
        )

    @property
    def needs_key(self) -> bool:
        """Whether only those with an API key are served: what a link's token names needs none."""
        return self.method != "DownloadByLink"

    def request_of(self, fields: Mapping[str, Any]) -> Message:
        """A request from its JSON form."""
        return json_format.ParseDict(dict(fields), self.request())


@cache
def public_rpcs() -> tuple[Rpc, ...]:
    """Of every module in mnema.v1, so that a new contract cannot be forgotten."""
    modules = [
        importlib.import_module(f"mnema.v1.{each.name}")
        for each in pkgutil.iter_modules(mnema.v1.__path__)
        if each.name.endswith("_pb2")
    ]
    return tuple(
        _rpc(method)
        for module in modules
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    )


def rpc(name: str) -> Rpc:
    """By its short name; KeyError if there is none."""
    return {each.name: each for each in public_rpcs()}[name]


def json_of(message: Message) -> dict[str, Any]:
    """A message's JSON with the names that the contract has."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def answer_json(message: Message) -> dict[str, Any]:
    """An answer's JSON as REST gives it: fields that are empty are there."""
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def rest_call(binding: Binding, fields: Mapping[str, Any]) -> RestCall:
    """`fields` as path, query and body; a value that is no text yet goes in as JSON has it."""
    rest = {name: _copied(value) for name, value in fields.items()}
    path = _PLACE.sub(lambda place: _segment(_taken(rest, place[1])), binding.template)
    if binding.has_body:
        return RestCall(binding.verb, path, (), rest)
    return RestCall(binding.verb, path, tuple(_flat(rest, "")), None)


def is_required(field: FieldDescriptor) -> bool:
    """Whether the contract marks it so."""
    behaviors = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    return field_behavior_pb2.REQUIRED in behaviors


def _rpc(method: MethodDescriptor) -> Rpc:
    return Rpc(
        method.containing_service.full_name,
        method.name,
        message_factory.GetMessageClass(method.input_type),
        message_factory.GetMessageClass(method.output_type),
        method.client_streaming,
        method.server_streaming,
        tuple(_bindings(method.GetOptions().Extensions[annotations_pb2.http])),
    )


def _bindings(rule: Any) -> Iterator[Binding]:
    for verb in _VERBS:
        if template := getattr(rule, verb):
            yield Binding(verb.upper(), template, rule.body == "*")
    for further in rule.additional_bindings:
        yield from _bindings(further)


def _segment(value: Any) -> str:
    """Of a path; with dots encoded too, because clients tidy "/../" up before they send it."""
    return quote(str(value), safe="").replace(".", "%2E")


def _copied(value: Any) -> Any:
    return {**value} if isinstance(value, dict) else value


def _taken(fields: dict[str, Any], path: str) -> Any:
    first, _, further = path.partition(".")
    if further:
        return _taken(cast(dict[str, Any], fields[first]), further)
    return fields.pop(first)


def _flat(fields: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
            continue
        for each in value if isinstance(value, list) else [value]:
            yield f"{prefix}{name}", str(each).lower() if isinstance(each, bool) else str(each)

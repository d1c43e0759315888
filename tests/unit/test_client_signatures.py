"""The documented calls of neuromem: the same names, order and defaults, in both clients."""

import ast
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from mnema.client import AsyncMnema, Mnema

# As the documentation writes them. What the client adds to a call comes after, and is optional.
DOCUMENTED = """
ingest(user_id, role, content, session_id=None, metadata=None)
conversations.ingest(user_id, role, content, session_id=None, metadata=None)
recall(user_id, query, limit=20, decay_rate=None, include_conversations=False, memory_type=None, created_after=None, created_before=None, event_after=None, event_before=None, as_of=None)
digest(user_id, batch_size=50, background=False)
get_memories_by_time_range(user_id, start_time, end_time, memory_type=None, limit=50)
get_recent_memories(user_id, days=7, memory_types=None, limit=50)
retry_failed_extractions(user_id, max_retries=3)
kv.set(user_id, namespace, key, value)
kv.get(user_id, namespace, key)
kv.list(user_id, namespace, prefix='')
kv.delete(user_id, namespace, key)
kv.batch_set(user_id, namespace, values)
conversations.add_messages_batch(user_id, messages, session_id=None)
conversations.get_session_messages(user_id, session_id, limit=100, offset=0)
conversations.get_unextracted_messages(user_id, session_id=None, limit=100)
conversations.close_session(user_id, session_id)
conversations.list_sessions(user_id, limit=10)
files.upload(user_id, filename, file_data, category=None, tags=None, metadata=None)
files.create_from_text(user_id, title, content, category=None)
files.list(user_id, category=None, tags=None, file_types=None, limit=50)
files.get(user_id, file_id)
files.delete(user_id, file_id)
files.search(user_id, query, limit=5, file_types=None, category=None)
graph.create_node(node_type, node_id, properties=None)
graph.create_edge(source_type, source_id, edge_type, target_type, target_id, properties=None)
graph.get_node(user_id, node_type, node_id)
graph.get_neighbors(user_id, node_type, node_id, edge_types=None, direction='both', limit=10)
graph.find_path(source_type, source_id, target_type, target_id, max_depth=3)
graph.update_node(node_type, node_id, properties=None)
graph.delete_node(node_type, node_id)
"""  # noqa: E501
CALLS = DOCUMENTED.split("\n")[1:-1]


def _documented(call: str) -> list[tuple[str, Any]]:
    """Names and defaults; `empty` where there is none."""
    arguments = call[call.index("(") :]
    parsed = ast.parse(f"def f{arguments}: ...").body[0]
    assert isinstance(parsed, ast.FunctionDef)
    names = [each.arg for each in parsed.args.args]
    given = [ast.literal_eval(each) for each in parsed.args.defaults]
    empty = [inspect.Parameter.empty] * (len(names) - len(given))
    return list(zip(names, [*empty, *given], strict=True))


def _method(client: type[object], path: str) -> Callable[..., object]:
    owner: Any = client("127.0.0.1:1")  # type: ignore[call-arg]
    for part in path.split("."):
        owner = getattr(owner, part)
    found: Callable[..., object] = owner
    return found


@pytest.mark.parametrize("client", [AsyncMnema, Mnema])
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[: call.index("(")])
def test_a_call_has_the_documented_parameters(call: str, client: type[object]) -> None:
    method = _method(client, call[: call.index("(")])
    parameters = list(inspect.signature(method).parameters.values())
    documented = _documented(call)
    first = [(each.name, each.default) for each in parameters[: len(documented)]]
    assert first == documented
    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert {each.kind for each in parameters[: len(documented)]} == {positional}
    for further in parameters[len(documented) :]:
        assert further.default is not inspect.Parameter.empty, further
    is_async = inspect.iscoroutinefunction(method)
    assert is_async == (client is AsyncMnema)

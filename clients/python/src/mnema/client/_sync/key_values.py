# Written by tools/sync_client.py from _async/key_values.py: change that file, not this one.
"""Values under names."""

from collections.abc import Generator, Mapping
from datetime import datetime
from typing import Any

from mnema.client._convert.json_values import python_of, value_of
from mnema.client._convert.times import timestamp_of
from mnema.client._sync.calls import Caller, take
from mnema.client.errors import NotFound
from mnema.client.results import KeyValueItem
from mnema.v1 import key_value_service_pb2 as pb
from mnema.v1.key_value_service_pb2_grpc import KeyValueServiceStub

ItemList = list[KeyValueItem]  # inside the class `list` is a method


class KeyValues:
    """Any JSON value under a user, a namespace and a key: `nm.kv`.

    The namespace "profile" is what extraction learns of the user and what recall returns as
    `user_profile`. Numbers are doubles, as in JSON; whole ones come back as ints.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def set(self, user_id: str, namespace: str, key: str, value: Any) -> None:
        """Stores a value. The one before stays readable as of its time.

        Args:
            user_id: whose it is.
            namespace: 1 to 128 characters.
            key: 1 to 256 characters.
            value: None, bool, int (up to 2^53), float, str, list or dict; at most 256 KiB.

        Raises:
            TypeError: the value is not JSON.
            ValueError: a number in it is none that JSON can carry exactly.

        Example:
            with Mnema() as nm:
                nm.kv.set("alice", "settings", "theme", {"dark": True})
                print(nm.kv.get("alice", "settings", "theme"))
        """
        stub = self._caller.stub(KeyValueServiceStub)
        request = pb.SetValueRequest(
            user_id=user_id, namespace=namespace, key=key, value=value_of(value)
        )
        self._caller.write(stub.SetValue, request)

    def get(
        self,
        user_id: str,
        namespace: str,
        key: str,
        default: Any = None,
        *,
        as_of: datetime | None = None,
    ) -> Any:
        """Gets a value; `default` if there is none. A stored None is a value.

        Args:
            user_id: whose it is.
            namespace: the namespace.
            key: the key.
            default: what to answer if there is no value.
            as_of: reads it as it stood at that moment. Default: now.
        """
        stub = self._caller.stub(KeyValueServiceStub)
        request = pb.GetValueRequest(
            user_id=user_id, namespace=namespace, key=key, as_of=timestamp_of(as_of)
        )
        try:
            response = self._caller.read(stub.GetValue, request)
        except NotFound:
            return default
        return python_of(response.key_value.value)

    def list(
        self,
        user_id: str,
        namespace: str,
        prefix: str = "",
        limit: int | None = None,
        *,
        as_of: datetime | None = None,
    ) -> ItemList:
        """Lists the values of a namespace by key, as {"key": ..., "value": ...}.

        Args:
            user_id: whose they are.
            namespace: the namespace.
            prefix: only keys that begin with this.
            limit: how many at most. Default: all.
            as_of: reads them as they stood at that moment. Default: now.
        """
        return take(self._items(user_id, namespace, prefix, as_of, limit), limit)

    def _items(
        self,
        user_id: str,
        namespace: str,
        prefix: str,
        as_of: datetime | None,
        limit: int | None,
    ) -> Generator[KeyValueItem]:
        stub = self._caller.stub(KeyValueServiceStub)
        request = pb.ListValuesRequest(
            user_id=user_id, namespace=namespace, prefix=prefix, as_of=timestamp_of(as_of)
        )
        for page in self._caller.pages(stub.ListValues, request, limit):
            for item in page.key_values:
                yield KeyValueItem(key=item.key, value=python_of(item.value))

    def delete(self, user_id: str, namespace: str, key: str) -> bool:
        """Takes a value back; whether there was one."""
        stub = self._caller.stub(KeyValueServiceStub)
        request = pb.DeleteValueRequest(user_id=user_id, namespace=namespace, key=key)
        return (self._caller.once(stub.DeleteValue, request)).deleted

    def batch_set(self, user_id: str, namespace: str, values: Mapping[str, Any]) -> int:
        """Stores up to 1,000 values of one namespace, all or none; how many. Raises as `set`."""
        if not values:
            return 0
        stub = self._caller.stub(KeyValueServiceStub)
        request = pb.BatchSetValuesRequest(
            user_id=user_id,
            namespace=namespace,
            values={key: value_of(value) for key, value in values.items()},
        )
        return (self._caller.write(stub.BatchSetValues, request)).stored

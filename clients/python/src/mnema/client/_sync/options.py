# Written by tools/sync_client.py from _async/options.py: change that file, not this one.
"""Settings as attributes of the client."""

from mnema.client._convert.settings import Value
from mnema.client._sync.calls import Caller
from mnema.client.settings import ExtractionStrategy


class Options:
    """The part of the client that has settings.

    An assignment takes effect before the client's next call: the change is sent first, and what
    the server finds wrong with it that call raises (TypeError at once: it is no setting). With a
    tenant's key it is the tenant's setting, of all its users that have none of their own; with a
    user's key that user's. It stays when the client is gone. None clears the setting: the level
    before decides again.

    Reading gives what was assigned here, None if nothing was; `accounts.get_settings` tells
    what holds.
    """

    _caller: Caller

    @property
    def auto_extract(self) -> bool | None:
        """Whether messages are extracted by themselves."""
        value = self._assigned("auto_extract")
        return None if value is None else bool(value)

    @auto_extract.setter
    def auto_extract(self, value: bool | None) -> None:
        self._assign("auto_extract", value)

    @property
    def graph_enabled(self) -> bool | None:
        """Whether extraction looks for triples, and recall for facts of the graph."""
        value = self._assigned("graph_enabled")
        return None if value is None else bool(value)

    @graph_enabled.setter
    def graph_enabled(self, value: bool | None) -> None:
        self._assign("graph_enabled", value)

    @property
    def reflection_interval(self) -> int | None:
        """Extracted user messages after which a digest is made: 1 to 10,000; 0: never."""
        value = self._assigned("reflection_interval")
        return None if value is None else int(value)

    @reflection_interval.setter
    def reflection_interval(self, value: int | None) -> None:
        self._assign("reflection_interval", value)

    def _choose(
        self,
        auto_extract: bool | None,
        graph_enabled: bool | None,
        reflection_interval: int | None,
        extraction: ExtractionStrategy | None,
    ) -> None:
        """What the constructor was given; None leaves a setting as it is."""
        given: dict[str, Value] = {}
        if extraction is not None:
            given = dict(vars(extraction))
        given |= {"auto_extract": auto_extract, "graph_enabled": graph_enabled}
        if reflection_interval is not None:
            given["reflection_interval"] = reflection_interval
        for name, value in given.items():
            if value is not None:
                self._assign(name, value)

    def _assigned(self, name: str) -> Value:
        return self._caller.connection.assigned.value(name)

    def _assign(self, name: str, value: Value) -> None:
        self._caller.connection.assigned.assign(name, value)

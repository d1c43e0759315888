# Written by tools/sync_client.py from _async/callbacks.py: change that file, not this one.
"""Callbacks: functions that are called for what happens."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

from mnema.client._convert.events import CALLBACK_TYPES, event_of, stats_of
from mnema.client._retries import LONGEST_PAUSE, may_pass
from mnema.client._sync import transport
from mnema.client._sync.calls import Caller
from mnema.client._sync.events import watched
from mnema.client.errors import MnemaError
from mnema.client.models import Event
from mnema.v1 import event_service_pb2 as pb

Callback = Callable[[dict[str, Any]], Any]

BEGIN_SECONDS = 5.0  # the longest wait for the stream, where a client is entered


class Callbacks:
    """Calls functions by the type of event, from one stream in the background.

    It watches from the moment there is a function to call, and ends with the last one.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._functions: dict[str, Callback] = {}
        self._loop = transport.Loop(self._watch, "mnema callbacks")
        caller.connection.on_use = self.start

    def get(self, kind: str) -> Callback | None:
        """The function for a type of event."""
        return self._functions.get(kind)

    def set(self, kind: str, function: Callback | None) -> None:
        """Calls this function for a type of event from now on; None: none."""
        if function is None:
            self._functions.pop(kind, None)
        else:
            self._functions[kind] = function
            self.start()

    def start(self) -> None:
        """Watches if there is something to call; may come as often as one likes."""
        if self._functions:
            self._loop.start()

    def begun(self) -> None:
        """Waits until it watches: nothing that happens from here on is missed.

        Not longer than five seconds: a server that is away is watched when it is back.
        """
        self.start()
        if self._functions:
            self._loop.wait_begun(BEGIN_SECONDS)

    def stop(self) -> None:
        """Ends it for good. What a callback is doing is not waited for."""
        self._loop.stop()

    def join(self) -> None:
        """Behind the end of the connection: waits a moment for the end of the stream."""
        self._loop.join()

    def _watch(self) -> None:
        while self._functions:
            try:
                self._stream()
            except MnemaError as error:  # noqa: PERF203 - the loop is the retry
                if self._loop.stopping:
                    return
                transport.log.warning("the callbacks hear nothing: %s", error)
                if not may_pass(error):
                    return
                transport.sleep(LONGEST_PAUSE)

    def _stream(self) -> None:
        request = pb.WatchRequest(types=CALLBACK_TYPES)
        with closing(watched(self._caller, request)) as answers:
            for answer in answers:
                self._loop.has_begun()
                if not self._functions:
                    return
                for event in answer.events:
                    self._tell(event_of(event))

    def _tell(self, event: Event) -> None:
        function, stats = self._functions.get(event.type), stats_of(event)
        if function is None or stats is None:
            return
        try:
            transport.settle(function(stats))
        except Exception:  # whatever the caller's function may raise
            transport.log.exception("the callback on_%s failed", event.type)


class Observed:
    """The part of the client that tells what happens."""

    _callbacks: Callbacks

    @property
    def on_extraction(self) -> Callback | None:
        """Called when an extraction has completed, with a dict of user_id, session_id, duration
        (seconds), facts_extracted, episodes_extracted, triples_extracted, messages_processed.

        As the other callbacks: a function or a coroutine function; None for none. It hears of
        the key's user, or with a tenant's key of all users, whoever caused it. The client
        watches in the background from a moment after the first one was set (`with` waits
        for that), and goes on where it was when the server was away. Callbacks are called one
        at a time; what they raise goes to the log "mnema.client".
        """
        return self._callbacks.get("extraction")

    @on_extraction.setter
    def on_extraction(self, function: Callback | None) -> None:
        self._callbacks.set("extraction", function)

    @property
    def on_llm_call(self) -> Callback | None:
        """Called when a language model was called, with a dict of duration_ms, model, max_tokens,
        temperature, success.
        """
        return self._callbacks.get("llm_call")

    @on_llm_call.setter
    def on_llm_call(self, function: Callback | None) -> None:
        self._callbacks.set("llm_call", function)

    @property
    def on_embedding_call(self) -> Callback | None:
        """Called when an embedding model was called, with a dict of text_count, duration_ms,
        model, success. Texts that the server's cache answers are no call.
        """
        return self._callbacks.get("embedding_call")

    @on_embedding_call.setter
    def on_embedding_call(self, function: Callback | None) -> None:
        self._callbacks.set("embedding_call", function)

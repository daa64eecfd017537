"""A page of the app without a browser: its events, one after the other, as a page sends them.

What an event changes goes to the page's parts; a state that changed has events of its own.
"""

from __future__ import annotations

import json
import uuid
from collections import deque
from typing import Any

import httpx

Value = Any


class Visitor:
    """One session at the app's address, with the values that its parts have."""

    def __init__(self, address: str) -> None:
        self._web = httpx.Client(base_url=address, timeout=120)
        config = self._web.get("/config").json()
        self._session = uuid.uuid4().hex
        self._parts = {one["id"]: one for one in config["components"]}
        self._events = config["dependencies"]
        self.values = {id_: one["props"].get("value") for id_, one in self._parts.items()}
        self.warnings: list[str] = []

    def part(self, name: str) -> int:
        """The element of that name, or the control with that id."""
        for id_, one in self._parts.items():
            props = one["props"]
            if props.get("elem_id") == name or f'"sd-{name}"' in str(props.get("html_template")):
                return id_
        raise LookupError(name)

    def value(self, name: str) -> Value:
        return self.values[self.part(name)]

    def say(self, name: str, event: str, data: Value = None) -> None:
        """An event of a part, and all that follows from it."""
        waiting = deque([(self.part(name), event, data)])
        while waiting:
            source, what, told = waiting.popleft()
            for one in self._events:
                if [source, what] in one["targets"] and one["backend_fn"]:
                    changed = self._run(one, told, source)
                    waiting.extend((id_, "change", None) for id_ in changed)

    def load(self) -> None:
        """The page opens."""
        for one in self._events:
            if any(what == "load" for _, what in one["targets"]) and one["backend_fn"]:
                self._run(one, None, None)

    def close(self) -> None:
        self._web.close()

    def _run(self, event: dict[str, Any], told: Value, source: int | None) -> list[int]:
        """The states that an event changed."""
        asked = {
            "fn_index": event["id"], "session_hash": self._session, "event_data": told,
            "trigger_id": source,
            "data": [
                None if self._parts[one]["type"] == "state" else self.values[one]
                for one in event["inputs"]
            ],
        }  # fmt: skip
        if event["queue"] is False:
            found = self._web.post("/gradio_api/run/predict", json=asked)
            output = found.raise_for_status().json()
        else:
            number = self._web.post("/gradio_api/queue/join", json=asked)
            output = self._answer(number.raise_for_status().json()["event_id"])
        for id_, value in zip(event["outputs"], output["data"], strict=True):
            is_update = isinstance(value, dict) and value.get("__type__") == "update"
            if not is_update:
                self.values[id_] = value
            elif "value" in value:
                self.values[id_] = value["value"]
        return output.get("changed_state_ids") or []

    def _answer(self, number: str) -> dict[str, Any]:
        found: dict[str, Any] | None = None
        with self._web.stream(
            "GET", "/gradio_api/queue/data", params={"session_hash": self._session}
        ) as stream:
            for line in stream.iter_lines():
                if not line.startswith("data:"):
                    continue
                said = json.loads(line[5:])
                if said["msg"] == "log":
                    self.warnings.append(said["log"])
                if said.get("event_id") == number and said["msg"] == "process_completed":
                    assert said["success"], said["output"]
                    found = said["output"]
                if said["msg"] == "close_stream":
                    break
        assert found is not None
        return found

"""Server: shows the page to browsers of this machine, in the language of each.

Every language is a page of its own, at the same address: what a browser accepts decides which one
answers. Other machines are answered only with `--listen`, and that only with a password.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import AsyncGenerator
from http.cookies import SimpleCookie
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import gradio as gr
import uvicorn
from fastapi import FastAPI
from gradio.themes import Default

from sdmerge_ui import grids
from sdmerge_ui.app import build
from sdmerge_ui.element import asset, styles
from sdmerge_ui.library import ResourceError, SdmergeError, Wish
from sdmerge_ui.merge.handlers import tried
from sdmerge_ui.merge.preview import probe_prompts, wish_of
from sdmerge_ui.place import Place
from sdmerge_ui.settings import Settings, check
from sdmerge_ui.state import Draft
from sdmerge_ui.texts import LANGUAGES, language_of

_HERE = ("127.0.0.1", "localhost", "::1")
_COOKIE = "sdmerge_language"
_GRACE = 2
# Gradio's `css` reaches only what lies within its container
_STILL = (
    "<style>@media (prefers-reduced-motion: reduce) { *, *::before, *::after "
    "{ transition: none !important; animation: none !important; } }</style>"
)


class Languages:
    """The pages of all languages as one application."""

    def __init__(self, place: Place, settings: Settings) -> None:
        self._anywhere = settings.listen
        auth = check(settings)
        self._pages = {one: _page(place, one, auth, mcp=settings.mcp) for one in LANGUAGES}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        headers = {key.decode("latin-1"): one.decode("latin-1") for key, one in scope["headers"]}
        if not self._anywhere and _host(headers.get("host", "")) not in _HERE:
            # a page elsewhere may give this machine's address a name of its own
            await send({"type": "http.response.start", "status": 421, "headers": []})
            await send({"type": "http.response.body", "body": b"not the address of this app"})
            return
        cookie = SimpleCookie(headers.get("cookie", "")).get(_COOKIE)
        chosen = cookie.value if cookie else ""
        language = language_of(headers.get("accept-language", ""), chosen)
        await self._pages[language](scope, receive, send)

    async def _live(self, receive: Any, send: Any) -> None:
        async with self._started():
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    @contextlib.asynccontextmanager
    async def _started(self) -> AsyncGenerator[None]:
        async with contextlib.AsyncExitStack() as stack:
            for page in self._pages.values():
                await stack.enter_async_context(page.router.lifespan_context(page))
            yield


class Server:
    """The app at an address, which is taken at once; `run` answers there until `stop`."""

    def __init__(self, place: Place, settings: Settings) -> None:
        check(settings)
        self._place = place
        self._socket = _opened(settings)
        place.workspace.models.mkdir(parents=True, exist_ok=True)
        self._server = uvicorn.Server(
            uvicorn.Config(
                Languages(place, settings), log_level="warning",
                timeout_graceful_shutdown=_GRACE, ws="none",
            )
        )  # fmt: skip

    @property
    def address(self) -> str:
        """Where the page is, for a browser on this machine."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def run(self) -> None:
        """Answer until stopped, and take up jobs that a crash interrupted."""
        with contextlib.suppress(SdmergeError):
            self._place.jobs.resume()
        threading.Thread(
            target=_warm, args=(self._place,), daemon=True, name="sdmerge-warm"
        ).start()
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Answer no more."""
        self._server.should_exit = True


def _page(place: Place, language: str, auth: tuple[str, str] | None, *, mcp: bool) -> FastAPI:
    theme = Default(
        primary_hue="indigo", neutral_hue="slate", text_size="sm", spacing_size="sm",
        radius_size="md", font=["system-ui", "Noto Sans CJK JP", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )  # fmt: skip
    return gr.mount_gradio_app(
        grids.serve(FastAPI(docs_url=None, redoc_url=None, openapi_url=None), place),
        build(place, language), path="/",
        footer_links=[], run_history=False, auth=auth, show_error=True, ssr_mode=False,
        allowed_paths=[str(one) for one in place.outputs],
        max_file_size="40mb", enable_monitoring=False, pwa=False,
        mcp_server=mcp and language == LANGUAGES[0],
        theme=theme, css=styles(),
        head=f"{_STILL}<script>{asset('stream.js')}{asset('keys.js')}</script>",
    )  # fmt: skip


def _host(header: str) -> str:
    """The name in a Host header, without its port."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0]


def _opened(settings: Settings) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind(("0.0.0.0" if settings.listen else "127.0.0.1", settings.port))
    except OSError as error:
        opened.close()
        hint = f"Choose another: --port {settings.port + 1}."
        raise ResourceError(f"port {settings.port}: {error.strerror}", hint=hint) from None
    opened.listen(128)
    return opened


def _warm(place: Place) -> None:
    """Begin to read headers, and have drawn what a newcomer will draw, before anybody asks."""
    with contextlib.suppress(SdmergeError, OSError):
        place.inventory.entries()
        place.jobs.warm(place.device, _first_wish(place))


def _first_wish(place: Place) -> Wish | None:
    """What a newcomer will draw first, in one step; None for everybody else."""
    if not place.samples or place.jobs.all():
        return None
    text = tried(place, Draft()).text
    return wish_of(place, text, [probe_prompts(place).splitlines()[0]], seed=0, steps=1)

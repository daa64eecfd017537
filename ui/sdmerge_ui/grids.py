"""Grids: the viewer of each grid of the workspace at an address of its own, and votes on it.

The page is the one that `sdmerge view` writes. It is given out as it is, with its own policy of
what may run and be loaded, to those alone who may use the app.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from gradio.routes import App

from sdmerge_ui.library import Booth, InputError, SdmergeError, find_grids
from sdmerge_ui.place import Place

_LARGEST = 4096
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_FRAMED = {**_HEADERS, "Content-Security-Policy": "frame-ancestors 'self'"}
_KEPT = {**_HEADERS, "Cache-Control": "private, max-age=3600"}
_NO = 404


def known_grids(place: Place) -> dict[str, Path]:
    """The grids of the workspace by the names that addresses have for them."""
    base = place.workspace.folder
    return {
        folder.relative_to(base).as_posix().replace("/", "~"): folder
        for folder in find_grids(place.workspace)
    }


def find_grid(place: Place, name: str) -> Path:
    """The grid of that name; an InputError if the workspace has none."""
    folder = known_grids(place).get(name)
    if folder is None:
        raise InputError(f"there is no grid '{name}'", hint="It may have been removed.")
    return folder


def address_of(name: str, file: str = "") -> str:
    """Where the page of a grid is, or one of its pictures."""
    return f"/grids/{quote(name)}/{quote(file)}"


def serve(app: FastAPI, place: Place) -> FastAPI:
    """The application with the grids of the place; before the page, which takes what is left."""

    def show(request: Request, name: str, file: str) -> Response:
        folder = known_grids(place).get(name) if _may(request) else None
        if folder is None:
            return PlainTextResponse("no", _NO, _HEADERS)
        try:
            if not file:
                return HTMLResponse(Booth(folder).page(), headers=_FRAMED)
            picture = Booth(folder).picture(file)
        except SdmergeError as error:
            return PlainTextResponse(str(error), _NO, _HEADERS)
        if picture is None:
            return PlainTextResponse("no", _NO, _HEADERS)
        return FileResponse(picture, headers=_KEPT)

    async def vote(request: Request, name: str) -> Response:
        folder = known_grids(place).get(name) if _may(request) and _is_own(request) else None
        if folder is None:
            return PlainTextResponse("no", _NO, _HEADERS)
        length = request.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > _LARGEST:
            return PlainTextResponse("too long", 413, _HEADERS)
        try:
            await run_in_threadpool(Booth(folder).cast, await request.body())
        except SdmergeError as error:
            return PlainTextResponse(str(error), 400, _HEADERS)
        return Response(status_code=204, headers=_HEADERS)

    app.add_api_route("/grids/{name}/votes", vote, methods=["POST"], response_model=None)
    app.add_api_route("/grids/{name}/{file:path}", show, methods=["GET"], response_model=None)
    return app


def _may(request: Request) -> bool:
    """Whether the visitor has given the password, if there is one."""
    inner = _gradio(request.app)
    if inner.auth is None:
        return True
    names = (f"access-token-{inner.cookie_id}", f"access-token-unsecure-{inner.cookie_id}")
    return any(request.cookies.get(name) in inner.tokens for name in names)


def _is_own(request: Request) -> bool:
    """Whether it comes from a page of this app: others may send forms, but no JSON by our name."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    origin = request.headers.get("origin", "")
    return kind == "application/json" and urlsplit(origin).netloc == request.headers.get("host")


def _gradio(app: Any) -> App:
    return next(one.app for one in app.routes if isinstance(getattr(one, "app", None), App))

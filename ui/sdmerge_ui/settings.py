"""Settings: how the app is served, checked before anything is loaded."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """How the app is served. auth: USER:PASSWORD."""

    port: int = 7860
    listen: bool = False
    auth: str = ""
    mcp: bool = False


def check(settings: Settings) -> tuple[str, str] | None:
    """User and password; an InputError before anything listens."""
    user, colon, password = settings.auth.partition(":")
    if settings.auth and not (user and colon and password):
        raise _wrong("--auth is USER:PASSWORD", hint="For example --auth me:a-long-sentence.")
    if settings.listen and not settings.auth:
        hint = "Add --auth USER:PASSWORD: whoever reaches this machine could use the app."
        raise _wrong("--listen needs --auth", hint=hint)
    if settings.mcp and settings.auth:
        hint = "Leave --auth out: then --mcp answers this machine only."
        raise _wrong("MCP clients would not be asked for the password of --auth", hint=hint)
    if settings.mcp and importlib.util.find_spec("mcp") is None:
        hint = 'Install it with: pip install "sdmerge[mcp]".'
        raise _wrong("--mcp needs the package mcp", hint=hint)
    return (user, password) if settings.auth else None


def _wrong(what: str, hint: str) -> Exception:
    from sdmerge_ui.library import InputError  # takes seconds, which only mistakes are worth

    return InputError(what, hint=hint)

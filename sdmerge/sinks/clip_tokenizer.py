"""CLIP's own tokenizer, made from the vocabulary that open_clip carries."""

from __future__ import annotations

import gzip
import json
from importlib.util import find_spec
from pathlib import Path

VOCABULARY = 49408
_MERGES = VOCABULARY - 2 * 256 - 2


def clip_tokenizer(pad_token: str) -> dict[str, bytes]:
    """vocab.json, merges.txt and special_tokens_map.json of the tokenizer all CLIP models share."""
    lines = gzip.decompress(_packed()).decode("utf-8").split("\n")[1 : _MERGES + 1]
    letters = list(_byte_letters())
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    words += ["".join(line.split()) for line in lines] + ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    special = {"bos_token": words[-2], "eos_token": words[-1], "unk_token": words[-1]}
    return {
        "vocab.json": json.dumps(vocabulary, ensure_ascii=False).encode(),
        "merges.txt": "\n".join(["#version: 0.2", *lines, ""]).encode(),
        "special_tokens_map.json": json.dumps({**special, "pad_token": pad_token}).encode(),
    }


def _packed() -> bytes:
    # found without being imported, which takes ten times as long as all the rest
    spec = find_spec("open_clip")
    origin = spec.origin if spec is not None else None
    assert origin is not None, "open_clip is one of our requirements"
    return Path(origin).with_name("bpe_simple_vocab_16e6.txt.gz").read_bytes()


def _byte_letters() -> list[str]:
    """A visible letter for each byte, as byte-level BPE has it; visible ones are their own."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return [chr(byte) for byte in visible] + [chr(256 + place) for place in range(len(hidden))]

"""Embeddings against diffusers' own, and weights against the formula in float64."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from safetensors.torch import save_file
from torch import Tensor

from sdmerge.errors import FileError, InputError
from sdmerge.sample.encode import Embeddings, encode, readers, weigh
from sdmerge.sample.inversion import Inversion, load_inversion
from sdmerge.sample.pipeline import build_pipeline

pytestmark = pytest.mark.filterwarnings("ignore")  # others' deprecations are not ours to mend

SHORT = "a red cross on a black background"
LONG = "a red cross, a blue circle, a green star, a white triangle, a black square, a pink moon"


def built(family: str) -> Any:
    path = tiny.SAMPLES / "base" if family == "sample" else tiny.model(family, 1, "diffusers")
    return build_pipeline(
        tiny.planned({"merge_method": "linear", "models": [{"model": str(path)}]})
    )


@pytest.fixture(scope="module")
def pipeline() -> Any:
    return built("sample")


@pytest.fixture(scope="module")
def sdxl() -> Any:
    return built("sdxl")


def run(pipeline: Any, prompt: str, **options: Any) -> Embeddings:
    return encode(readers(pipeline), prompt, **options)


def test_a_plain_prompt_is_encoded_as_the_pipeline_does(pipeline: Any) -> None:
    theirs, _ = pipeline.encode_prompt(SHORT, "cpu", 1, False)
    assert torch.equal(run(pipeline, SHORT).tokens, theirs)


@pytest.mark.parametrize("skip", [1, 2])
def test_two_encoders_and_what_is_pooled(sdxl: Any, skip: int) -> None:
    if skip == 2:
        for reader in readers(sdxl):
            assert reader.encoder.config.num_hidden_layers == 2
        with pytest.raises(InputError, match="2 layers"):
            run(sdxl, SHORT, clip_skip=2)
        return
    theirs, _, pooled, _ = sdxl.encode_prompt(SHORT, do_classifier_free_guidance=False)
    mine = run(sdxl, SHORT)
    assert torch.equal(mine.tokens, theirs)
    assert mine.pooled is not None
    assert torch.equal(mine.pooled, pooled)


def layer(pipeline: Any, ids: Tensor, skip: int) -> Tensor:
    """The hidden states `skip` layers from the end, layer by layer, then the last norm."""
    encoder = pipeline.text_encoder
    said = encoder(ids, output_hidden_states=True)
    return encoder.final_layer_norm(said.hidden_states[-skip])


def row(pipeline: Any, prompt: str) -> Tensor:
    tokens = pipeline.tokenizer(
        prompt, padding="max_length", max_length=24, truncation=True, return_tensors="pt"
    )
    return tokens.input_ids


@torch.no_grad()
def test_clip_skip(pipeline: Any) -> None:
    for skip in (1, 2, 3):
        wanted = layer(pipeline, row(pipeline, SHORT), skip)
        assert torch.allclose(run(pipeline, SHORT, clip_skip=skip).tokens, wanted, atol=1e-6)
    with pytest.raises(InputError, match="has 3 layers"):
        run(pipeline, SHORT, clip_skip=4)


def test_weights_by_the_formula() -> None:
    states = torch.randn(7, 5, generator=torch.Generator().manual_seed(0)).double() + 0.3
    weights = torch.tensor([1, 1.2, 1.2, 0.5, 1, -1, 1], dtype=torch.float64)
    plain = states.numpy()
    multiplied = np.array([w * line for w, line in zip(weights.tolist(), plain, strict=True)])
    wanted = multiplied * (plain.sum() / 35) / (multiplied.sum() / 35)
    assert np.allclose(weigh(states, weights).numpy(), wanted, rtol=1e-12)
    assert np.allclose(weigh(states.float(), weights).numpy(), wanted, rtol=1e-4, atol=1e-6)
    assert torch.equal(weigh(states, torch.ones(7)), states)


@torch.no_grad()
def test_weights_reach_their_words(pipeline: Any) -> None:
    """(red:1.4) weighs the second word, behind the start and 'a'."""
    ids = row(pipeline, SHORT)[0].tolist()
    red = pipeline.tokenizer("red", add_special_tokens=False).input_ids
    start = next(n for n in range(24) if ids[n : n + len(red)] == red)
    weights = np.ones(24)
    weights[start : start + len(red)] = 1.4
    plain = run(pipeline, SHORT).tokens[0].double().numpy()
    wanted = plain * weights[:, None]
    wanted *= plain.mean() / wanted.mean()
    mine = run(pipeline, SHORT.replace("red", "(red:1.4)")).tokens[0].numpy()
    assert np.allclose(mine, wanted, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_long_prompts_are_read_in_chunks(pipeline: Any) -> None:
    tokens = pipeline.tokenizer(LONG, add_special_tokens=False).input_ids
    assert len(tokens) > 22
    found = run(pipeline, LONG).tokens
    chunks = [tokens[n : n + 22] for n in range(0, len(tokens), 22)]
    start, end, pad = (getattr(pipeline.tokenizer, f"{name}_token_id") for name in
                       ("bos", "eos", "pad"))  # fmt: skip
    rows = [[start, *chunk, end, *[pad] * (22 - len(chunk))] for chunk in chunks]
    wanted = torch.cat([pipeline.text_encoder(torch.tensor([one]))[0] for one in rows], dim=1)
    assert found.shape == (1, 24 * len(chunks), wanted.shape[2])
    assert torch.allclose(found, wanted, atol=1e-5)


@torch.no_grad()
def test_break_starts_a_chunk(pipeline: Any) -> None:
    parts = [run(pipeline, text).tokens for text in ("a red cross", "a black background")]
    found = run(pipeline, "a red cross BREAK a black background").tokens
    assert torch.allclose(found, torch.cat(parts, dim=1), atol=1e-5)


# textual inversions


def vectors(pipeline: Any, count: int) -> Tensor:
    width = pipeline.text_encoder.config.hidden_size
    return 0.1 * torch.randn(count, width, generator=torch.Generator().manual_seed(5))


@torch.no_grad()
def test_an_inversion_stands_where_its_word_is(pipeline: Any, tmp_path: Path) -> None:
    """Checked with a vocabulary that has the vectors as rows of its own."""
    new = vectors(pipeline, 2)
    save_file({"emb_params": new}, tmp_path / "my-style.safetensors")
    inversion = load_inversion(tmp_path / "my-style.safetensors")
    assert inversion.word == "my-style"
    found = run(pipeline, "a red cross, My-Style here", inversions=[inversion])
    table = pipeline.text_encoder.get_input_embeddings()
    plain, size = table.weight, len(table.weight)
    ids = [pipeline.tokenizer.bos_token_id]
    for part in ("a red cross, ", None, " here"):
        ids += [size, size + 1] if part is None else pipeline.tokenizer(
            part, add_special_tokens=False
        ).input_ids  # fmt: skip
    ids += [pipeline.tokenizer.eos_token_id]
    ids += [pipeline.tokenizer.pad_token_id] * (24 - len(ids))
    try:
        table.weight = torch.nn.Parameter(torch.cat([plain, new]), requires_grad=False)
        wanted = pipeline.text_encoder(torch.tensor([ids]))[0]
    finally:
        table.weight = plain
    assert torch.allclose(found.tokens, wanted, atol=1e-6)
    assert torch.equal(run(pipeline, SHORT, inversions=[inversion]).tokens,
                       run(pipeline, SHORT).tokens)  # fmt: skip


def test_inversion_files(sdxl: Any, tmp_path: Path) -> None:
    sizes = [reader.encoder.config.hidden_size for reader in readers(sdxl)]
    both = {name: torch.ones(2, size) for name, size in zip(("clip_l", "clip_g"), sizes,
                                                            strict=True)}  # fmt: skip
    save_file(both, tmp_path / "xl.safetensors")
    inversion = load_inversion(tmp_path / "xl.safetensors")
    plain = run(sdxl, "a xl b")
    assert not torch.equal(run(sdxl, "a xl b", inversions=[inversion]).tokens, plain.tokens)
    save_file({"<cat-toy>": torch.ones(sizes[0])}, tmp_path / "learned.safetensors")
    named = load_inversion(tmp_path / "learned.safetensors")
    assert (named.word, named.vectors[0].shape) == ("<cat-toy>", (1, sizes[0]))
    with pytest.raises(InputError, match="no vectors of width"):
        run(sdxl, "a <cat-toy>", inversions=[named])
    save_file({"a": torch.ones(2), "b": torch.ones(2)}, tmp_path / "other.safetensors")
    with pytest.raises(FileError, match="not a textual inversion"):
        load_inversion(tmp_path / "other.safetensors")
    with pytest.raises(FileError, match="no such file"):
        load_inversion(tmp_path / "none.safetensors")


def test_an_inversion_too_long_to_read(pipeline: Any, tmp_path: Path) -> None:
    long = Inversion("word", {0: vectors(pipeline, 23)}, tmp_path)
    with pytest.raises(InputError, match="reads 22"):
        run(pipeline, "a word", inversions=[long])

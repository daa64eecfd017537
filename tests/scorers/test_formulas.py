"""Every scorer on a local folder in its published layout, against its formula in float64."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoTokenizer, DINOv3ViTModel

from scorers import folders, layouts, reference
from scorers.folders import END, HEADS, SEEN
from sdmerge.scorers import SCORERS
from sdmerge.scoring.batch import Batch, batch_of
from sdmerge.scoring.choice import parse_choice
from sdmerge.scoring.loader import Loader
from sdmerge.scoring.preprocess import CLIP_MEAN, CLIP_STD
from sdmerge.testing.scorer_laws import picture

pytestmark = pytest.mark.filterwarnings("ignore")  # others' deprecations are not ours to mend

CAPTIONS = ("a red circle on a blue square", "blue square", "a circle on a red square on blue")
CLOSE = 2e-5
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def batch() -> Batch:
    """Pictures of the models' own size, so that nothing is resized."""
    shown = [picture(n, SEEN.side) for n in range(3)]
    like = [picture(9 + n, SEEN.side) for n in range(3)]
    said = ["a square", "a circle", "a red circle"]
    return batch_of(shown, prompts=said, captions=CAPTIONS, references=like)


def pixels(
    levels: Tensor | tuple[Tensor, ...], mean: tuple[float, ...], std: tuple[float, ...]
) -> Tensor:
    """What a model sees of pictures of its own size."""
    raw = torch.stack(list(levels)).double() / 255
    return (raw - torch.tensor(mean).double().view(3, 1, 1)) / torch.tensor(std).double().view(
        3, 1, 1
    )


def score(text: str, loader: Loader | None = None) -> Tensor:
    choice = parse_choice(text)
    return SCORERS[choice.scorer].open(loader or Loader(allow_pickle=True), choice).raw(batch())


def near(found: Tensor, wanted: Tensor) -> None:
    assert found.shape == wanted.shape == (3,)
    assert float((found - wanted).abs().max()) < CLOSE * max(1.0, float(wanted.abs().max()))
    assert float(wanted.std()) > 1e-3, "a score that tells nothing apart proves nothing"


def ids_of(folder: Path, texts: tuple[str, ...] | list[str], length: int) -> tuple[Tensor, Tensor]:
    """Token ids, padded to `length`, and the places of the end tokens, of CLIP's tokenizer."""
    rows = [AutoTokenizer.from_pretrained(folder)(text).input_ids[:length] for text in texts]
    ends = torch.tensor([row.index(END) for row in rows])
    return torch.tensor([row + [END] * (length - len(row)) for row in rows]), ends


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Tensor]]:
    return folders.clip(tmp_path_factory.mktemp("clip") / "clip", seed=6)


def towers(
    folder: Path, weights: dict[str, Tensor], texts: tuple[str, ...]
) -> tuple[Tensor, Tensor, Tensor]:
    """Vectors of pictures, of references and of texts, from the formulas."""
    one = batch()
    act = reference.quick_gelu
    seen = [
        reference.clip_pictures(weights, pixels(levels, CLIP_MEAN, CLIP_STD), 2, HEADS, act)
        for levels in (one.levels, one.references)
    ]
    ids, ends = ids_of(folder, texts, 32)
    return seen[0], seen[1], reference.clip_texts(weights, ids, ends, 2, HEADS, act)


def test_clip(clip_folder: tuple[Path, dict[str, Tensor]]) -> None:
    folder, weights = clip_folder
    seen, like, said = towers(folder, weights, CAPTIONS)
    cosine = (seen * said).sum(1)
    assert float(cosine.min()) < 0 < float(cosine.max()), "the clamp has to show"
    near(score(f"clip_cosine,model={folder}"), cosine)
    near(score(f"clip,model={folder}"), 2.5 * cosine.clamp(min=0))
    near(score(f"clip_image,model={folder}"), (seen * like).sum(1))
    prefixed = tuple(f"A photo depicts {caption}" for caption in CAPTIONS)
    _, _, said = towers(folder, weights, prefixed)
    near(score(f"clip_cosine,model={folder},prefix=A photo depicts "), (seen * said).sum(1))


def test_directional(clip_folder: tuple[Path, dict[str, Tensor]]) -> None:
    folder, weights = clip_folder
    seen, like, said = towers(folder, weights, CAPTIONS)
    for before, texts in (("", batch().prompts), ("a square", ("a square",) * 3)):
        _, _, was = towers(folder, weights, texts)
        wanted = (reference.unit(seen - like) * reference.unit(said - was)).sum(1)
        near(score(f"directional,model={folder},before={before}"), wanted)


def test_clip_iqa(clip_folder: tuple[Path, dict[str, Tensor]]) -> None:
    folder, weights = clip_folder
    seen, _, pair = towers(folder, weights, ("a red square", "a blue square", "x"))
    logits = math.exp(2.3) * seen @ pair[:2].T
    wanted = logits[:, 0].exp() / logits.exp().sum(1)
    near(score(f"clip_iqa,model={folder},good=a red square,bad=a blue square"), wanted)


def test_diversity(clip_folder: tuple[Path, dict[str, Tensor]]) -> None:
    folder, weights = clip_folder
    seen, _, _ = towers(folder, weights, CAPTIONS)
    gaps = 1 - seen @ seen.T
    found = score(f"diversity,model={folder}")
    near(found, (gaps.sum(1) - gaps.diagonal()) / 2)
    pairs = [float(gaps[i, j]) for i in range(3) for j in range(i)]
    assert float(found.mean()) == pytest.approx(sum(pairs) / 3, abs=1e-5)


def test_pickscore_takes_its_processor_from_elsewhere(
    clip_folder: tuple[Path, dict[str, Tensor]], tmp_path: Path
) -> None:
    folder, weights = clip_folder
    bare = folders.write(tmp_path / "pick", weights, config=folders.clip_config("gelu"))
    one, act = batch(), reference.gelu
    seen = reference.clip_pictures(weights, pixels(one.levels, CLIP_MEAN, CLIP_STD), 2, HEADS, act)
    ids, ends = ids_of(folder, CAPTIONS, 32)
    said = reference.clip_texts(weights, ids, ends, 2, HEADS, act)
    wanted = math.exp(2.3) * (seen * said).sum(1)
    near(score(f"pickscore,model={bare},processor={folder}"), wanted)


def test_hps(tmp_path: Path) -> None:
    folder, weights = folders.open_clip(tmp_path / "hps")
    ids, _ = ids_of(folder, CAPTIONS, 32)
    # open_clip pads with zeros, behind the end token that it reads
    past = torch.arange(32) > ids.argmax(1)[:, None]
    seen = reference.open_clip_pictures(
        weights, pixels(batch().levels, CLIP_MEAN, CLIP_STD), 2, HEADS
    )
    said = reference.open_clip_texts(weights, ids.masked_fill(past, 0), 2, HEADS)
    wanted = (seen * said).sum(1)
    near(score(f"hps,model={folder}"), wanted)
    near(score(f"hps,model={folder / 'HPS_v2.1_compressed.pt'}"), wanted)


def test_siglip2(tmp_path: Path) -> None:
    folder, weights = folders.siglip(tmp_path / "siglip")
    half = (0.5, 0.5, 0.5)
    seen = reference.siglip_pictures(weights, pixels(batch().levels, half, half), 2, HEADS)
    rows = [AutoTokenizer.from_pretrained(folder)(caption).input_ids for caption in CAPTIONS]
    ids = torch.tensor([row + [0] * (64 - len(row)) for row in rows])
    cosine = (seen * reference.siglip_texts(weights, ids, 2, HEADS)).sum(1)
    near(score(f"siglip2,model={folder}"), cosine)
    bias = float(weights["logit_bias"])
    wanted = 1 / (1 + torch.exp(-(math.exp(2.3) * cosine + bias)))
    near(score(f"siglip2,model={folder},output=probability"), wanted)


def test_dino(tmp_path: Path) -> None:
    folder, weights = folders.dinov2(tmp_path / "dinov2")
    seen, like = (
        reference.dinov2_pictures(weights, pixels(levels, *IMAGENET), 2, HEADS)
        for levels in (batch().levels, batch().references)
    )
    near(score(f"dino,model={folder}"), (seen * like).sum(1))


def test_dinov3(tmp_path: Path) -> None:
    """Against the class of transformers: its rotary positions are not written down here again."""
    folder, _ = folders.dinov3(tmp_path / "dinov3")
    model = DINOv3ViTModel.from_pretrained(folder).double().eval()
    with torch.inference_mode():
        seen, like = (
            reference.unit(model(pixel_values=pixels(levels, *IMAGENET)).last_hidden_state[:, 0])
            for levels in (batch().levels, batch().references)
        )
    near(score(f"dino,model={folder}"), (seen * like).sum(1))


def test_image_reward(tmp_path: Path) -> None:
    folder, weights = folders.image_reward(tmp_path / "reward")
    rows = [AutoTokenizer.from_pretrained(folder)(caption).input_ids for caption in CAPTIONS]
    ids = torch.tensor([row + [0] * (35 - len(row)) for row in rows])
    seen = pixels(batch().levels, CLIP_MEAN, CLIP_STD)
    wanted = reference.reward(weights, seen, ids, ids == 0, (2, 2), (2, 1))
    near(score(f"image_reward,model={folder}"), wanted)


def test_clip_rinna(tmp_path: Path) -> None:
    folder, weights = folders.rinna(tmp_path / "rinna")
    net = reference.Net(weights, "vision_model.")
    rows = reference.vit_rows(net, pixels(batch().levels, CLIP_MEAN, CLIP_STD), 2, HEADS)
    seen = reference.unit(rows[:, 0] @ weights["visual_projection.weight"].double().T)
    words = AutoTokenizer.from_pretrained(folder)
    said = [[2, *words(text, add_special_tokens=False).input_ids] for text in CAPTIONS]
    ids = torch.tensor([row + [0] * (78 - len(row)) for row in said])
    net = reference.Net(weights, "text_model.")
    x = net["embeddings.word_embeddings.weight"][ids]
    x = x + net["embeddings.position_embeddings.weight"][:78]
    x = net.norm(
        "embeddings.LayerNorm", x + net["embeddings.token_type_embeddings.weight"][0], 1e-5
    )
    x = reference.bert_rows(net, x, ids == 0, 2, HEADS, 1e-5)[:, 0]
    texts = reference.unit(x @ weights["text_projection.weight"].double().T)
    near(score(f"clip_rinna,model={folder}"), (seen * texts).sum(1))


def test_aesthetic(clip_folder: tuple[Path, dict[str, Tensor]], tmp_path: Path) -> None:
    clip, weights = clip_folder
    seen, _, _ = towers(clip, weights, CAPTIONS)
    head = layouts.thrown(layouts.head(folders.DIM, (32, 16, 8, 4)), seed=4)
    wanted = reference.mlp(reference.Net(head), seen)
    file = tmp_path / "sac+logos+ava1-l14-linearMSE.pth"
    torch.save(head, file)
    near(score(f"aesthetic,model={file},clip={clip}"), wanted)
    near(score(f"aesthetic,model={tmp_path},clip={clip}"), wanted)
    beside = folders.write(tmp_path / "own", head, config={"clip": str(clip)})
    near(score(f"aesthetic,model={beside}", Loader()), wanted)

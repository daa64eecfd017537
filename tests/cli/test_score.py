"""`sdmerge score` and `sdmerge scorers`, as a user calls them, on the samples."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import ROOT, cli, copy, listing, recipe

pytestmark = pytest.mark.filterwarnings("ignore")  # others' deprecations are not ours to mend

SAMPLES = ROOT / "samples"
SCORERS = SAMPLES / "scorers"
CLIP = f"clip,model={SCORERS / 'clip_a'}"
ORACLE = f"oracle,model={SCORERS / 'oracle'},count=share"
FAST = ["--steps", "3", "--guidance", "1"]
COUNT = 6


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first held-out prompts, with captions and references."""
    folder = tmp_path_factory.mktemp("prompts")
    text = (SAMPLES / "prompts" / "test.jsonl").read_text("utf-8").splitlines()[:COUNT]
    lines = [json.loads(line) for line in text]
    for number, line in enumerate(lines):
        copy(SAMPLES / "prompts" / line["reference"], folder / "references" / f"{number}.png")
        line["reference"] = f"references/{number}.png"
    path = folder / "p.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines), "utf-8")
    return path


@pytest.fixture(scope="module")
def drawn(prompts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of the references, dulled: one per prompt."""
    folder = tmp_path_factory.mktemp("dull")
    for number in range(COUNT):
        image = Image.open(prompts.parent / "references" / f"{number}.png")
        Image.blend(image, Image.new("RGB", image.size, (90, 90, 90)), 0.5).save(
            folder / f"{number}.png"
        )
    return folder


def test_models_and_recipes_are_compared(prompts: Path, tmp_path: Path) -> None:
    models = [SAMPLES / "models" / name for name in ("japanese", "ukiyoe")]
    text = f"merge_method: linear\nmodels: [{{model: {models[0]}}}, {{model: {models[1]}}}]\n"
    path, rows = recipe(tmp_path / "half.yaml", text), tmp_path / "out" / "scores.jsonl"
    said = cli("score", *models, path, "--with", CLIP, "--with", ORACLE, "--prompts", prompts,
               "--seeds", 2, *FAST, "-o", rows, "--json")  # fmt: skip
    assert said.code == 0, said.err
    names = [entry["model"] for entry in said.data["models"]]
    assert names == ["japanese", "ukiyoe", "half"]
    lines = [json.loads(line) for line in rows.read_text("utf-8").splitlines()]
    assert len(lines) == 3 * COUNT * 2
    for entry in said.data["models"]:
        own = [line["scores"]["clip"] for line in lines if line["model"] == entry["model"]]
        found = entry["scores"]["clip"]
        means = np.reshape(own, (COUNT, 2)).mean(1)
        assert found["mean"] == pytest.approx(means.mean())
        assert found["stderr"] == pytest.approx(means.std(ddof=1) / COUNT**0.5)
        assert found["low"] < found["mean"] < found["high"]
        assert (found["prompts"], found["pictures"]) == (COUNT, 2 * COUNT)
    first, second = (
        said.data["models"][0]["scores"]["clip"],
        said.data["models"][1]["scores"]["clip"],
    )
    gap = said.data["differences"][0]
    assert (gap["model"], gap["from"]) == ("ukiyoe", "japanese")
    assert gap["scores"]["clip"]["mean"] == pytest.approx(second["mean"] - first["mean"])
    assert gap["scores"]["clip"]["high"] < 0, "no Japanese, no CLIPScore"
    assert lines[0]["caption"].startswith("浮世絵風、")
    assert {line["seed"] for line in lines} == {0, 1}
    assert listing(tmp_path / "out") == ["scores.jsonl"]


def test_a_table_for_people(prompts: Path, drawn: Path) -> None:
    said = cli("score", prompts.parent / "references", drawn, "--with", CLIP, "--with",
               f"clip_image,model={SCORERS / 'clip_b'}", "--prompts", prompts)  # fmt: skip
    assert said.code == 0, said.err
    assert "mean ± standard error over 6 prompts" in said.out
    assert "difference from references, picture by picture" in said.out
    assert "clip_image" in said.out
    assert "±" in said.out


def test_a_folder_needs_no_prompts_if_no_scorer_does(drawn: Path) -> None:
    said = cli("score", drawn, "--with", f"aesthetic,model={SCORERS / 'aesthetic'}", "-q")
    assert said.code == 0, said.err
    label, name, mean = said.out.split()
    assert (label, name) == (drawn.name, "aesthetic")
    assert 0 < float(mean) < 10


def test_a_saved_picture_scores_what_it_scored_when_drawn(prompts: Path, tmp_path: Path) -> None:
    """The same numbers from the pipeline and from a PNG: scorers see 8 bits."""
    from sdmerge.cli.drawing import recipe_of
    from sdmerge.plan import plan
    from sdmerge.sample.draw import Drawer
    from sdmerge.sample.pipeline import build_pipeline
    from sdmerge.sample.scored import drawn as draw
    from sdmerge.sample.settings import Sampling
    from sdmerge.scoring.prompts import read_prompts

    model = str(SAMPLES / "models" / "japanese")
    pipeline = build_pipeline(plan(recipe_of(model, ())))
    shown = draw(Drawer(pipeline), read_prompts(prompts), [[0]] * COUNT, Sampling(3, 1.0), 4)
    (tmp_path / "saved").mkdir()
    for one in shown:
        assert isinstance(one.picture, Image.Image)
        one.picture.save(tmp_path / "saved" / f"{one.prompt}.png")
    asked = ["--with", CLIP, "--prompts", prompts, "--json", *FAST, "--batch", "4"]
    means = [cli("score", source, *asked).data["models"][0]["scores"]["clip"]["mean"]
             for source in (tmp_path / "saved", model)]  # fmt: skip
    assert means[0] == pytest.approx(means[1], abs=1e-6)


def test_sanity_says_who_is_fit(prompts: Path, drawn: Path) -> None:
    bad = f"clip_iqa,model={SCORERS / 'clip_a'},good=black,bad=赤い星"
    said = cli("score", drawn, "--with", f"clip_image,model={SCORERS / 'clip_a'}", "--with", bad,
               "--prompts", prompts, "--sanity")  # fmt: skip
    assert said.code == 2
    assert "not fit for a search: clip_iqa" in said.err
    assert "sanity" in said.out
    data = cli("score", drawn, "--with", f"clip_image,model={SCORERS / 'clip_a'}", "--prompts",
               prompts, "--sanity", "--json")  # fmt: skip
    assert data.code == 0, data.err
    (found,) = data.data["sanity"]
    assert found["passed"]
    order = [
        found["means"][name]["mean"] for name in ("real", "parent", "blurred", "grey", "noise")
    ]
    assert order == sorted(order, reverse=True)


def test_degenerate_pictures_are_told(tmp_path: Path) -> None:
    for number, level in enumerate((0, 200)):
        Image.new("RGB", (64, 64), (level,) * 3).save(tmp_path / f"{number}.png")
    Image.effect_noise((64, 64), 80).convert("RGB").save(tmp_path / "2.png")
    said = cli("score", tmp_path, "--with", f"aesthetic,model={SCORERS / 'aesthetic'}", "--json")
    assert said.data["models"][0]["flagged"] == {"black": 1, "flat": 1}
    assert said.data["models"][0]["scores"]["aesthetic"]["low"] == -10.0
    told = cli("score", tmp_path, "--with", f"aesthetic,model={SCORERS / 'aesthetic'}")
    assert "degenerate pictures got the worst score: 1 black, 1 flat" in told.err


@pytest.mark.parametrize(
    ("arguments", "phrases"),
    [
        (["--with", "clpi"], ["no scorer 'clpi'", "Did you mean 'clip'?"]),
        (["--with", "clip,modle=x"], ["no parameter 'modle'", "'model'"]),
        (["--with", "clip"], ["compares pictures with captions", "--prompts"]),
        (["--with", "dino", "--prompts", "p.txt"], ["with references", "--references"]),
        (["--with", "aesthetic", "-o", "x.csv"], ["written as .jsonl"]),
        (["--with", "aesthetic", "-o", "there.jsonl"], ["exists already", "--force"]),
        (["--with", "aesthetic", "--references", "."], ["belong to --prompts"]),
        (["--with", "aesthetic", "--prompts", "none.txt"], ["no such file of prompts"]),
        (["--with", "diversity", "--prompts", "p.txt"], ["of one prompt", "--seeds"]),
        (["--with", "clip,model=none", "--prompts", "p.txt"], ["no scorer model 'none'"]),
        (["half", "--with", "clip", "--prompts", "p.txt"], ["one by one", "half 1"]),
        (
            [str(SAMPLES / "models" / "base"), "--with", "aesthetic"],
            ["base", "no --prompts to draw"],
        ),
    ],
)
def test_refusals(
    arguments: list[str], phrases: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder, count in (("pictures", 2), ("half", 1)):
        (tmp_path / folder).mkdir()
        for number in range(count):
            Image.effect_noise((16, 16), 80).convert("RGB").save(
                tmp_path / folder / f"{number}.png"
            )
    (tmp_path / "p.txt").write_text("a\nb\n", "utf-8")
    (tmp_path / "there.jsonl").write_text("mine", "utf-8")
    before = listing(tmp_path)
    said = cli("score", "pictures", *arguments)
    assert said.code == 2, said.err
    assert all(phrase in said.err for phrase in phrases), said.err
    assert listing(tmp_path) == before
    assert (tmp_path / "there.jsonl").read_text("utf-8") == "mine"


def test_scorers_are_listed_and_explained() -> None:
    said = cli("scorers")
    assert said.code == 0
    assert "image_reward" in said.out
    assert len(cli("scorers", "--json").data["scorers"]) >= 16
    text = cli("scorers", "hps").out
    for phrase in ("HPS v2.1 (hps)", "xswu/HPSv2/HPS_v2.1_compressed.pt", "captions (--prompts)",
                   "higher is better", "model = "):  # fmt: skip
        assert phrase in text
    assert "of each prompt as a set" in cli("scorers", "diversity").out
    wrong = cli("scorers", "hsp")
    assert (wrong.code, "Did you mean 'hps'?" in wrong.err) == (2, True)

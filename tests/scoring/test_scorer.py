"""@scorer, the registry, judges, and functions of plug-ins."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sdmerge.errors import FileError, MethodError, ScorerError, UnknownScorer
from sdmerge.params import Fraction
from sdmerge.plugins import load_plugin
from sdmerge.scorers import SCORERS
from sdmerge.scorers import __main__ as generator
from sdmerge.scoring.batch import Batch, batch_of
from sdmerge.scoring.choice import Choice, parse_choice
from sdmerge.scoring.loader import Loader
from sdmerge.scoring.scorer import Scorers, scorer
from sdmerge.scoring.spec import announce, dump, find_spec, scorer_manifest
from sdmerge.testing import check_scorer

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "scorers"
OPENED: list[tuple[str, float]] = []
MINE = Scorers()


def load(loader: Loader, *, gain: float) -> float:
    OPENED.append((loader.device, gain))
    return gain


@scorer(title="Red", load=load, range=(0.0, 2.0), registry=MINE)
def redness(
    batch: Batch, loaded: float, *, gain: Fraction = 1.0, lambda_: Fraction = 0.5
) -> Tensor:
    """How red a picture is.

    Some details.

    gain: A factor.
    lambda: A summand.
    """
    return loaded * batch.pictures[:, 0].mean((1, 2)) + lambda_ + 0 * gain


@scorer(higher_is_better=False, range=(0.0, 1.0), registry=MINE)
def roughness(batch: Batch) -> Tensor:
    """How much neighbours differ; less is better."""
    return batch.pictures.diff(dim=3).abs().mean((1, 2, 3))


@scorer(registry=MINE)
def broken(batch: Batch) -> Tensor:
    """Not a number for one of the pictures, and far too little for another."""
    return torch.tensor([torch.nan, -7.0, 0.5, torch.inf])[: len(batch)]


def pictures(count: int) -> list[Tensor]:
    dice = torch.Generator().manual_seed(1)
    return [torch.rand(3, 16, 16, generator=dice) for _ in range(count)]


def test_the_declaration_is_the_whole_of_it() -> None:
    spec = MINE["redness"].spec
    assert (spec.title, spec.summary, spec.details) == (
        "Red",
        "How red a picture is.",
        "Some details.",
    )
    assert [(param.name, param.default, param.doc) for param in spec.params] == [
        ("gain", 1.0, "A factor."), ("lambda", 0.5, "A summand."),
    ]  # fmt: skip
    assert (spec.worst, MINE["roughness"].spec.worst) == (0.0, 1.0)
    assert MINE["roughness"].spec.title == "roughness"


def test_models_are_loaded_once_for_equal_values() -> None:
    OPENED.clear()
    loader = Loader()
    given = ((("gain", 0.5),), (("gain", 0.5), ("lambda", 0.1)), ())
    choices = [Choice("redness", values, name) for values, name in zip(given, "a__", strict=True)]
    first, second, third = (MINE["redness"].open(loader, choice) for choice in choices)
    assert OPENED == [("cpu", 0.5), ("cpu", 1.0)]
    assert (first.name, MINE["redness"].open(loader, Choice("redness")).name) == ("a", "redness")
    batch = batch_of(pictures(3))
    red = batch.pictures[:, 0].double().mean((1, 2))
    for judge, gain, more in ((first, 0.5, 0.5), (second, 0.5, 0.1), (third, 1.0, 0.5)):
        assert torch.allclose(judge(batch), gain * red + more, atol=1e-6)
    with pytest.raises(MethodError, match="gain = 2"):
        MINE["redness"].open(loader, Choice("redness", (("gain", 2.0),)))


def test_what_is_no_number_scores_worst() -> None:
    judge = MINE["broken"].open(Loader(), Choice("broken"))
    assert judge(batch_of(pictures(4))).tolist() == [0.0, 0.0, 0.5, 0.0]
    with pytest.raises(ScorerError, match="gave 4 numbers for 5 pictures"):
        judge(batch_of(pictures(5)))


@pytest.mark.parametrize("name", ["redness", "roughness"])
def test_small_ones_keep_the_laws(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for known in MINE.values():
        monkeypatch.setitem(scorer_manifest(), known.spec.name, known.spec)
    check_scorer(name, scorers=MINE)


def test_laws_can_be_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Scorers()

    @scorer(title="t", registry=registry)
    def by_batch(batch: Batch) -> Tensor:
        """The share of the batch's red."""
        return batch.pictures[:, 0].mean((1, 2)) / batch.pictures[:, 0].mean()

    @scorer(title="t", registry=registry)
    def by_place(batch: Batch) -> Tensor:
        """The place in the batch."""
        return torch.arange(len(batch)) * 1.0

    @scorer(title="t", needs=("caption",), registry=registry)
    def by_dice(batch: Batch) -> Tensor:
        """Dice."""
        return torch.rand(len(batch))

    broken_law = {"by_batch": "the_batch", "by_place": "the_batch", "by_dice": "no_game_of_dice"}
    for name, law in broken_law.items():
        monkeypatch.setitem(scorer_manifest(), name, registry[name].spec)
        with pytest.raises(AssertionError, match=law):
            check_scorer(name, scorers=registry)


def test_authors_hear_of_mistakes_at_once() -> None:
    with pytest.raises(ScorerError, match="'redness' is defined in"):
        scorer(registry=MINE, load=load)(redness)
    with pytest.raises(TypeError, match="positional arguments are `batch`"):
        scorer(registry=Scorers())(lambda batch, more: batch)
    with pytest.raises(TypeError, match=r"load takes \['gain'\]"):
        scorer(registry=Scorers(), load=load)(lambda batch, loaded: batch)


def test_a_plugin_adds_scorers(tmp_path: Path) -> None:
    path = tmp_path / "greenish.py"
    path.write_text(
        "from sdmerge.scoring.scorer import scorer\n"
        "from sdmerge.params import Fraction\n\n"
        "@scorer()\n"
        "def greenness(batch, *, gain: Fraction = 1.0):\n"
        '    """How green a picture is.\n\n    gain: A factor.\n    """\n'
        "    return gain * batch.pictures[:, 1].mean((1, 2))\n\n"
        "def unmarked(batch):\n    return batch\n",
        "utf-8",
    )
    with pytest.raises(UnknownScorer):
        SCORERS["python:greenish:greenness"]
    load_plugin(path)
    batch = batch_of(pictures(2))
    wanted = 0.5 * batch.pictures[:, 1].double().mean((1, 2))
    for text in ("greenness,gain=0.5", "python:greenish:greenness,gain=0.5"):
        choice = parse_choice(text)
        judge = SCORERS[choice.scorer].open(Loader(), choice)
        assert torch.allclose(judge(batch), wanted, atol=1e-6)
    assert find_spec("greenness").summary == "How green a picture is."
    for name in ("python:greenish:unmarked", "python:os:system", "python:greenish", "python:"):
        with pytest.raises(UnknownScorer, match="Mark it with @scorer"):
            SCORERS[name]


def test_the_file_is_the_registry() -> None:
    ours = [s.spec for s in SCORERS.values() if s.body.__module__.startswith("sdmerge.scorers.")]
    text = generator.MANIFEST.read_text("utf-8")
    assert text == dump(ours), "python -m sdmerge.scorers"
    assert len(ours) == 16


def test_names_are_announced_once() -> None:
    clip = find_spec("clip")
    announce([clip])
    with pytest.raises(ScorerError, match="two scorers called 'clip'"):
        announce([dataclasses.replace(clip, version=2)])
    with pytest.raises(UnknownScorer, match="Load its plug-in"):
        MINE["clip"]


def test_listing_needs_no_torch() -> None:
    code = (
        "import sys\n"
        "from sdmerge.cli.main import run\n"
        "assert run(['scorers', '-q']) == 0 and run(['scorers', 'hps', '-q']) == 0\n"
        "import sdmerge.scoring.choice, sdmerge.scoring.prompts, sdmerge.scoring.statistics\n"
        "assert not {'torch', 'PIL', 'transformers', 'open_clip'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "clip_rinna" in done.stdout


def test_models_are_looked_for_on_disk_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "owner" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert Loader().find("owner/name") == tmp_path / "owner" / "name"
    monkeypatch.chdir("/")
    assert Loader(roots=(tmp_path,)).find("owner/name") == tmp_path / "owner" / "name"
    for name in ("owner/name", "owner/name/file.pt", "nowhere", "/no/such/path"):
        with pytest.raises(FileError, match="no scorer model"):
            Loader().find(name)


def test_pickles_wait_for_leave(tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": torch.ones(2)}}, tmp_path / "w.pt")
    with pytest.raises(FileError, match="pickle"):
        Loader().weights(tmp_path / "w.pt")
    found = Loader(allow_pickle=True).weights(tmp_path / "w.pt")
    assert found["a"].tolist() == [1, 1]
    with pytest.raises(FileError, match=r"w\.pt is a pickle"):
        Loader().check_weights(tmp_path)
    Loader().check_weights(SAMPLES / "clip_a")

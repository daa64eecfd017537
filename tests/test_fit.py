"""Fits: methods that look at more than one tensor, from the recipe to the merged file."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
import yaml

from sdmerge.errors import Cancelled
from sdmerge.merge import Progress, run
from sdmerge.plan import Plan, plan
from sdmerge.recipe import recipe_from_data
from sdmerge.sinks import DictSink


def ties(trim: str = "model", *, density: object = 0.25, **more: object) -> tiny.Data:
    return {
        "merge_method": "ties",
        "base_model": str(tiny.words(0)),
        "models": [{"model": str(tiny.words(seed)), "name": f"m{seed}"} for seed in (1, 2)],
        "parameters": {"trim": trim, "density": density},
        "dtype": "float32",
        **more,
    }


def planned(data: tiny.Data | list[tiny.Data], cache: Path | None = None) -> Plan:
    return plan(recipe_from_data(data, "test"), cache=cache)


def flat(tensor: torch.Tensor) -> np.ndarray:
    return tensor.float().reshape(-1).numpy()


def learned(seed: int) -> dict[str, np.ndarray]:
    base, model = tiny.canonical(tiny.words(0)), tiny.canonical(tiny.words(seed))
    return {key: flat(model[key]) - flat(base[key]) for key in base}


def trimmed(keys: list[str], density: float) -> dict[str, np.ndarray]:
    """Uniformly weighted TIES over `keys`, trimmed over all of them, in float64."""
    taus = []
    for seed in (1, 2):
        tau = {key: learned(seed)[key] for key in keys}
        every = np.sort(np.abs(np.concatenate([*tau.values()])))[::-1]
        cut = every[int(np.ceil(density * every.size)) - 1]
        taus.append({key: np.where(abs(row) >= cut, row, 0) for key, row in tau.items()})
    merged = {}
    for key in keys:
        stack = np.stack([tau[key] for tau in taus]).astype(np.float64)
        sign = np.sign(stack.sum(0))
        agree = (stack * sign > 0).astype(float)
        merged[key] = (stack * agree).sum(0) / np.maximum(agree.sum(0), 1)
    return merged


def moved(result: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    base = tiny.canonical(tiny.words(0))
    return {key: flat(result[key]).astype(np.float64) - flat(base[key]) for key in base}


def test_ties_trims_over_the_whole_model() -> None:
    found, keys = moved(tiny.merged(ties())), list(learned(1))
    wanted = trimmed(keys, 0.25)
    for key in keys:
        np.testing.assert_allclose(found[key], wanted[key], atol=1e-6)
    shares = {key: np.mean(np.abs(row) > 1e-7) for key, row in found.items()}
    assert max(shares.values()) > 2 * min(shares.values()), "some tensors learned more than others"


def test_ties_trims_each_block_by_itself() -> None:
    recipe = ties("block") | {"base_model": str(tiny.unet(0))}
    recipe["models"] = [{"model": str(tiny.unet(seed))} for seed in (1, 2)]
    fit = planned(recipe).fits[0]
    base, model = (tiny.canonical(tiny.unet(seed)) for seed in (0, 1))
    alone = recipe | {"models": recipe["models"][:1], "dtype": "float32"}
    kept = tiny.merged(alone)
    for block in ("IN01", "M00", "OUT11"):
        keys = [key for key, label in fit.blocks.items() if label == block]
        tau = np.concatenate([np.abs(flat(model[key]) - flat(base[key])) for key in keys])
        cut = np.sort(tau)[::-1][int(np.ceil(0.25 * tau.size)) - 1]
        changed = sum(int((flat(kept[key]) != flat(base[key])).sum()) for key in keys)
        assert changed == int((tau >= cut).sum())


def test_model_stock_takes_one_angle_for_the_model() -> None:
    recipe = ties() | {"merge_method": "model_stock", "parameters": {"angle": "model"}}
    found = moved(tiny.merged(recipe))
    one, two = (np.concatenate([*learned(seed).values()]).astype(np.float64) for seed in (1, 2))
    cosine = max(0.0, one @ two / np.sqrt((one @ one) * (two @ two)))
    wanted = 2 * cosine / (1 + cosine) * (one + two) / 2
    np.testing.assert_allclose(np.concatenate([*found.values()]), wanted, atol=1e-6)


def test_ramplus_counts_the_overlap_over_the_model() -> None:
    values = {"epsilon": 1e-3, "r": 0.5, "alpha": 1.0}
    found = moved(tiny.merged(ties() | {"merge_method": "ramplus", "parameters": values}))
    taus = np.stack([np.concatenate([*learned(seed).values()]) for seed in (1, 2)])
    changed = np.abs(taus) > 1e-3
    shared, alone = changed.all(0), changed.sum(0) == 1
    gain = 1 + 0.5 * np.minimum(shared.sum() / (changed & alone).sum(1), 1.0)
    wanted = np.where(shared, taus.mean(0), (gain[:, None] * taus * (changed & alone)).sum(0))
    np.testing.assert_allclose(np.concatenate([*found.values()]), wanted, atol=2e-6)


def test_pcb_competes_over_the_model() -> None:
    recipe = ties() | {"merge_method": "pcb", "parameters": {"balance": "model", "density": 0.3}}
    found = np.concatenate([*moved(tiny.merged(recipe)).values()])
    taus = np.stack([np.concatenate([*learned(seed).values()]) for seed in (1, 2)]).astype(float)

    def norm(products: np.ndarray) -> np.ndarray:
        return (products - products.min()) / (products.max() - products.min())

    def softmax(values: np.ndarray) -> np.ndarray:
        return np.exp(values) / np.exp(values).sum()

    scores = np.stack(
        [
            softmax(2 * norm(tau * tau)) * sum(softmax(norm(tau * other)) for other in taus)
            for tau in taus
        ]
    )
    kept = int(np.ceil(0.3 * taus.shape[1]))
    cuts = np.sort(scores, axis=1)[:, -kept]
    close = (np.abs(scores / cuts[:, None] - 1) < 1e-6).any(axis=0)  # float32 may go either way
    scores[scores < cuts[:, None]] = 0
    wanted = (scores * taus).sum(0) / np.maximum(scores.sum(0), 1e-300)
    assert close.mean() < 1e-3
    np.testing.assert_allclose(found[~close], wanted[~close], atol=1e-6)


def test_the_default_trims_each_tensor_and_fits_nothing() -> None:
    assert not planned(ties("tensor")).fits
    assert len(planned(ties("block")).fits) == 1


def test_densities_that_differ_are_trimmed_apart() -> None:
    apart = [{"filter": "mlp", "value": 0.5}, {"value": 0.25}]
    recipe = ties(density=apart)
    fits = planned(recipe).fits
    assert len(fits) == 2
    found = moved(tiny.merged(recipe))
    mlp = [key for key in found if ".mlp." in key]
    for keys, density in ((mlp, 0.5), ([key for key in found if key not in mlp], 0.25)):
        wanted = trimmed(keys, density)
        for key in keys:
            np.testing.assert_allclose(found[key], wanted[key], atol=1e-6)


def test_the_plan_says_what_is_looked_at() -> None:
    (note,) = [note for note in planned(ties()).report.notes if "looks at" in note]
    assert "ties looks at 3" in note
    assert "earlier stages" not in note


def test_a_stage_is_looked_at_as_it_is_computed() -> None:
    first = {**ties(), "name": "mid"}
    del first["dtype"]
    second = ties()
    second["models"] = [{"model": "mid"}, {"model": str(tiny.words(3))}]
    both = planned([first, second])
    assert len(both.fits) == 2
    assert any("of earlier stages" in note for note in both.report.notes)
    sink = DictSink()
    run(planned(first | {"dtype": "float32"}), sink)
    base = tiny.canonical(tiny.words(0))
    taus = {key: np.abs(flat(sink.tensors[key]) - flat(base[key])) for key in base}
    every = np.sort(np.concatenate([*taus.values()]))[::-1]
    cut = every[int(np.ceil(0.25 * every.size)) - 1]
    kept = sum(int((tau >= cut).sum()) for tau in taus.values())
    alone = second | {"models": [{"model": "mid"}]}
    found = moved(tiny.merged([first, alone]))
    assert sum(int((row != 0).sum()) for row in found.values()) == kept


def test_a_task_is_addressed_by_what_was_looked_at() -> None:
    one, other = planned(ties()), planned(ties(density=0.5))
    third = ties()
    third["models"] = third["models"][:1]
    key = next(iter(one.keys))
    keys = {made.keys[key] for made in (one, other, planned(third), planned(ties("block")))}
    assert len(keys) == 4
    assert planned(ties()).keys == one.keys


def test_findings_are_kept_by_the_workspace(tmp_path: Path) -> None:
    cache = tmp_path / "cache" / "sha256.json"
    told: list[Progress] = []
    first, again = DictSink(), DictSink()
    run(planned(ties(), cache), first, progress=told.append)
    (kept,) = (tmp_path / "cache" / "fits").iterdir()
    assert [one.what for one in told[:1]] == ["fitting ties"]
    told.clear()
    run(planned(ties(parameters={"trim": "model", "density": 0.25, "lambda": 1.0}), cache), again,
        progress=told.append)  # fmt: skip
    assert {one.what for one in told} == {"merging"}, "found before"
    assert tiny.same(first.tensors, again.tensors)
    run(planned(ties(density=0.5), cache), DictSink())
    assert len(list(kept.parent.iterdir())) == 2


def test_a_broken_finding_says_so(tmp_path: Path) -> None:
    cache = tmp_path / "cache" / "sha256.json"
    made = planned(ties(), cache)
    broken = tmp_path / "cache" / "fits" / f"{made.fit_keys[0]}.npz"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"nothing of the kind")
    with pytest.raises(Exception, match=r"is broken\n +Remove it"):
        run(made, DictSink())


def test_fitting_can_be_stopped() -> None:
    stop = threading.Event()

    def progress(told: Progress) -> None:
        assert told.what == "fitting ties"
        assert 0 <= told.written <= told.of_bytes
        stop.set()

    with pytest.raises(Cancelled):
        run(planned(ties()), DictSink(), progress=progress, cancel=stop)


def test_a_result_is_verified_with_its_fit(tmp_path: Path) -> None:
    target = tmp_path / "out.safetensors"
    recipe = tiny.recipe(tmp_path / "r.yaml", yaml.safe_dump(ties()))
    assert tiny.cli("merge", recipe, "-o", target).code == 0
    assert tiny.cli("verify", target).code == 0


def test_a_component_with_a_rule_of_its_own_is_looked_at_by_itself() -> None:
    base, models = str(tiny.model(seed=0)), [str(tiny.model(seed=seed)) for seed in (1, 2)]
    rule = {"merge_method": "ties", "parameters": {"trim": "model", "density": 0.1}}
    recipe = {
        "merge_method": "task_arithmetic",
        "base_model": base,
        "models": [{"model": model} for model in models],
        "components": {"text_encoder": rule},
    }
    (fit,) = planned(recipe).fits
    assert {key.split(".")[0] for key in fit.merges} == {"text_encoder"}

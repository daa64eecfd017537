"""Fisher merging and RegMean on a model of two layers, against the papers' formulas in float64."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sdmerge.methods import METHODS
from sdmerge.sample.gather import squared_gradients, watched


class Two(nn.Module):
    """A convolution and a linear layer."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.conv = nn.Conv2d(2, 3, 3, padding=1, stride=2)
        self.last = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.conv(x)).mean((2, 3)))


def pictures(seed: int) -> Tensor:
    return torch.randn(5, 2, 6, 6, generator=torch.Generator().manual_seed(seed))


def layers(model: Two) -> list[tuple[str, nn.Module]]:
    return [("conv.weight", model.conv), ("last.weight", model.last)]


def grams_of(model: Two, x: Tensor) -> dict[str, Tensor]:
    grams: dict[str, Tensor] = {}
    kept = {key: lambda rows: rows.T @ rows for key, _ in layers(model)}
    with torch.no_grad(), watched(layers(model), kept, grams):
        model(x[:2])
        model(x[2:])
    return grams


def rows_of(model: Two, x: Tensor) -> dict[str, np.ndarray]:
    """What each layer multiplies with a row of its weights, by plain loops."""
    padded = nn.functional.pad(x, (1, 1, 1, 1)).double().numpy()
    patches = [
        padded[n, :, i : i + 3, j : j + 3].reshape(-1)
        for n in range(len(x)) for i in range(0, 6, 2) for j in range(0, 6, 2)
    ]  # fmt: skip
    with torch.no_grad():
        hidden = torch.tanh(model.conv(x)).mean((2, 3)).double().numpy()
    return {"conv.weight": np.stack(patches), "last.weight": hidden}


def merge(name: str, weights: list[Tensor], stat: Any, **values: Any) -> np.ndarray:
    stack = torch.stack(weights).detach()
    shares = values.pop("weight", [1.0] * len(weights))
    shape = (-1, *[1] * (stack.dim() - 1))
    values["weight"] = torch.tensor(shares).reshape(shape)
    return METHODS[name].body(stack, stat, **values).double().numpy()


MODELS = [Two(seed) for seed in (1, 2)]
INPUTS = [pictures(seed) for seed in (3, 4)]


@pytest.mark.parametrize("alpha", [0.0, 0.9, 1.0])
@pytest.mark.parametrize("key", ["conv.weight", "last.weight"])
def test_regmean_is_the_regression_on_both_models_outputs(key: str, alpha: float) -> None:
    shares = (1.0, 0.5)
    left = right = 0.0
    for model, x, share in zip(MODELS, INPUTS, shares, strict=True):
        inputs = rows_of(model, x)[key]
        gram = inputs.T @ inputs
        gram = share * np.where(np.eye(len(gram)) > 0, gram, alpha * gram)
        weight = model.get_parameter(key).detach().double().numpy()
        left = left + gram
        right = right + gram @ weight.reshape(len(weight), -1).T
    wanted = np.linalg.solve(left, right).T
    found = merge(
        "regmean", [model.get_parameter(key) for model in MODELS],
        {str(i): grams_of(m, x)[key] for i, (m, x) in enumerate(zip(MODELS, INPUTS, strict=True))},
        weight=shares, alpha=alpha,
    )  # fmt: skip
    np.testing.assert_allclose(found.reshape(wanted.shape), wanted, rtol=1e-3, atol=1e-3)


def test_regmean_leaves_what_no_input_excites_at_the_average() -> None:
    gram = torch.diag(torch.tensor([1.0, 0.0]).double())
    models = [torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 6.0]])]
    found = merge("regmean", models, {"0": gram, "1": 3 * gram})
    np.testing.assert_allclose(found, [[2.5, 4.0]], rtol=1e-5)
    np.testing.assert_array_equal(merge("regmean", models, {}), [[2.0, 4.0]])


def loss(model: Two, x: Tensor) -> Tensor:
    return model(x[None]).square().mean()


def test_squared_gradients_are_summed_sample_by_sample() -> None:
    model, x = MODELS[0], INPUTS[0]
    parameters = dict(model.named_parameters())
    found = squared_gradients(parameters, (functools.partial(loss, model, one) for one in x))
    wide = Two(1).double()
    for name, parameter in wide.named_parameters():
        wanted = np.zeros(parameter.shape)
        for one in x.double():
            output = wide(one[None]).square().mean()
            (gradient,) = torch.autograd.grad(output, [parameter])
            wanted += gradient.numpy() ** 2
        np.testing.assert_allclose(found[name].numpy(), wanted, rtol=1e-3, atol=1e-8)
    whole = torch.autograd.grad(sum(loss(model, one) for one in x), list(parameters.values()))
    assert not torch.allclose(found["last.weight"], whole[2].square()), "not the sum's square"


def test_fisher_weighs_each_weight_by_its_information() -> None:
    squares = [
        squared_gradients(
            dict(m.named_parameters()), (functools.partial(loss, m, one) for one in x)
        )
        for m, x in zip(MODELS, INPUTS, strict=True)
    ]
    shares = (1.0, 0.5)
    for key in ("conv.weight", "last.weight"):
        above = below = 0.0
        for model, square, share in zip(MODELS, squares, shares, strict=True):
            information = share * square[key].double().numpy()
            above = above + information * model.get_parameter(key).detach().double().numpy()
            below = below + information
        found = merge(
            "fisher", [model.get_parameter(key) for model in MODELS],
            {str(place): square[key] for place, square in enumerate(squares)}, weight=shares,
        )  # fmt: skip
        np.testing.assert_allclose(found, above / below, rtol=1e-4, atol=1e-5)


def test_fisher_averages_what_no_model_depends_on() -> None:
    models = [torch.tensor([1.0, 2.0, 5.0]), torch.tensor([3.0, 6.0, 9.0])]
    squares = {"0": torch.tensor([1.0, 0.0, 0.0]), "1": torch.tensor([3.0, 0.0, 1e-9])}
    np.testing.assert_allclose(merge("fisher", models, squares), [2.5, 4.0, 9.0], rtol=1e-5)
    np.testing.assert_array_equal(merge("fisher", models, {}), [2.0, 4.0, 7.0])

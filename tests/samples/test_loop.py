"""The training loop: a stopped run goes on as if it had not been stopped."""

from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor, nn

from samples.train import loop
from samples.train.loop import Schedule, Task, run


def _task(steps: int, model: nn.Linear) -> Task:
    schedule = Schedule(steps, batch=8, warmup=2)

    def loss(dice: Generator, share: slice) -> Tensor:
        inputs = torch.randn(schedule.batch, 3, generator=dice)[share]
        return (model(inputs) - inputs.sum(1, keepdim=True)).square().mean()

    groups = [{"params": list(model.parameters()), "rate": 0.05}]
    return Task("line", 1, schedule, groups, loss, lambda: None)


def _model() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(3, 1)


@pytest.fixture(autouse=True)
def _work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "WORK", tmp_path)


def test_learns_and_schedule_falls() -> None:
    model = _model()
    run(_task(200, model))
    assert torch.allclose(model.weight, torch.ones(1, 3), atol=0.2)
    rates = [Schedule(100, 8, warmup=10).rate(step) for step in (0, 50, 99)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[1] == pytest.approx(0.5)
    assert rates[2] == pytest.approx(0.01)


def test_goes_on_from_the_checkpoint(tmp_path: Path) -> None:
    whole = _model()
    run(_task(6, whole))
    (tmp_path / "line.checkpoint.pt").unlink()
    stopped = _model()
    task = _task(6, stopped)
    state = loop.State(task)
    for _ in range(3):
        state.advance(slice(0, 8), 1)
    state.save(0.0)
    resumed = _model()
    run(_task(6, resumed))
    assert torch.equal(resumed.weight, whole.weight)

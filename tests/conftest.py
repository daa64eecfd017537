"""What tests can count on: no network, no telemetry, one thread, always the same examples."""

from __future__ import annotations

import os

# before anything that reads them is imported
os.environ.update(
    HF_HUB_OFFLINE="1",
    TRANSFORMERS_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
    DO_NOT_TRACK="1",
    GRADIO_ANALYTICS_ENABLED="False",
    OMP_NUM_THREADS="1",  # of processes that tests start, too: two that wait for each other spin
)

import pytest
import torch
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

# small tensors by the thousand are slower on several threads
torch.set_num_threads(1)

settings.register_profile("sdmerge", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("sdmerge")


class OneBrowser(LoadFileScheduling):
    """Tests file by file, but all of the app in one process: they share an app and a browser."""

    def _split_scope(self, nodeid: str) -> str:
        return "tests/ui" if nodeid.startswith("tests/ui/") else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneBrowser:
    return OneBrowser(config, log)

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
)

import torch
from hypothesis import settings

# small tensors by the thousand are slower on several threads
torch.set_num_threads(1)

settings.register_profile("sdmerge", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("sdmerge")

"""Sinks: where a stream of tensors goes. A file, a folder, a dict or a pipeline in memory."""

from sdmerge.sinks.file import FileSink
from sdmerge.sinks.folder import FolderSink
from sdmerge.sinks.live import LiveSink
from sdmerge.sinks.lora import LoraSink
from sdmerge.sinks.memory import DictSink
from sdmerge.sinks.sink import Sink

__all__ = ["DictSink", "FileSink", "FolderSink", "LiveSink", "LoraSink", "Sink"]

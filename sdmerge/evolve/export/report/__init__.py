"""The report: one page that opens from a disk, asks no network, and runs nothing it is told."""

from sdmerge.evolve.export.report.page import Shown, report

__all__ = ["Shown", "report"]

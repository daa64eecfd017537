"""Tabs: a file each, with `NAME` and `build(frame)`; the order here is the order on the page.

A tab's title is the text `tab.NAME`. `build` is called inside of the tab.
"""

from __future__ import annotations

from sdmerge_ui.tabs import compare, evolve, merge, models, runs, tools

TABS = (models, merge, compare, evolve, runs, tools)

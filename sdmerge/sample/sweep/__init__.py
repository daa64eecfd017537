"""Sweep: a grid that is to be drawn: what varies, which cells that makes, and drawing them.

`axis` reads what people write, `cells` multiplies axes out, `variants` are the recipes that this
takes, `folder` says who may draw where, `draw` does it: one merge per recipe, never per cell.
"""

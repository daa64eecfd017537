"""Compare: what the tab of grids is made of."""

"""Merge methods against formulas written again from the papers."""

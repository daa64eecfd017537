"""Tests of sdmerge/analysis."""

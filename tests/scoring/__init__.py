"""Tests of sdmerge/scoring."""

"""Tests of sdmerge/cli."""

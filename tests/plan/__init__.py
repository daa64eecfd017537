"""Tests of sdmerge/plan."""

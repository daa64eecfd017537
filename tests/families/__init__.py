"""Tests of sdmerge.families."""

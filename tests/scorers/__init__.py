"""Tests of sdmerge/scorers."""

"""Tests of sdmerge.sample.sweep."""

"""Tests of sdmerge/sample."""

"""Tests of sdmerge/live."""

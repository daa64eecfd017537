"""Tests of sdmerge/sinks."""

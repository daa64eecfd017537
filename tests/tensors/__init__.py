"""Tests of sdmerge.tensors."""

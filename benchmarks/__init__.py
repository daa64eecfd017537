"""Measurements at real size. Ratios within one run count; absolute times are the machine's."""

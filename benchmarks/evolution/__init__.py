"""The miniature of EvoSDXL-JP, from rows to claims."""

"""Readers and writers, one for each format; `lucid.io` has their public names."""

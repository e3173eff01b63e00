"""Digests of files, files that are written whole and read back only if they are undamaged, and the cache folder."""

from harness.files.cache import cache_dir
from harness.files.digests import digest_files, sha256_file
from harness.files.remade import note_damage, told_damage
from harness.files.sealed import read_sealed, whole_file, write_sealed, write_whole

__all__ = [
    "cache_dir",
    "digest_files",
    "note_damage",
    "read_sealed",
    "sha256_file",
    "told_damage",
    "whole_file",
    "write_sealed",
    "write_whole",
]

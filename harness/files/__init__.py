"""SHA-256 digests of files, and the location of the cache folder."""

from harness.files.cache import cache_dir
from harness.files.digests import digest_files, sha256_file

__all__ = ["cache_dir", "digest_files", "sha256_file"]

# SPDX-License-Identifier: Apache-2.0
"""The fixtures of ocilib.py."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from ocilib import bundle, own_rootfs, rootfs, runtime  # noqa: E402,F401

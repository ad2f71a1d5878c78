# SPDX-License-Identifier: Apache-2.0
"""The fixtures of enginelib.py."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from enginelib import root_tar  # noqa: E402,F401

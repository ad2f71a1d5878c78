# SPDX-License-Identifier: Apache-2.0
"""The fixtures of storelib.py."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from storelib import mailstack, make_mailstack  # noqa: E402,F401

# SPDX-License-Identifier: Apache-2.0
"""The daemons of tests/mail, for tests that hurt them."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "mail"))

from storelib import mailstack, make_mailstack  # noqa: E402,F401

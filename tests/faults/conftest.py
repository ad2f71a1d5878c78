# SPDX-License-Identifier: Apache-2.0
"""The daemons of tests/mail, for tests that hurt them."""
import importlib.util
import os

_SPEC = importlib.util.spec_from_file_location(
    "mail_conftest", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "mail", "conftest.py"))
_MAIL = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MAIL)
make_mailstack = _MAIL.make_mailstack
mailstack = _MAIL.mailstack

# SPDX-License-Identifier: Apache-2.0
"""Attacks from inside a container on its runtime. Each test says which weakness it is about."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

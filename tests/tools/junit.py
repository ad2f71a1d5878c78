#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""junit FILE - prints "PASSED FAILED SKIPPED" of a JUnit file"""
import sys
import xml.etree.ElementTree

tests = failed = skipped = 0
for suite in xml.etree.ElementTree.parse(sys.argv[1]).iter("testsuite"):
    tests += int(suite.get("tests", 0))
    failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    skipped += int(suite.get("skipped", 0))
print(tests - failed - skipped, failed, skipped)

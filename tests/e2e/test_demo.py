# SPDX-License-Identifier: BSD-2-Clause
"""The demo and the bench run where nothing is installed but what their commands install."""

import os
import subprocess
import sys

import pytest

from daemon import ROOT

IMPORT = "import os, runpy, sys; sys.path.insert(0, os.path.dirname(sys.argv[1])); " \
         "runpy.run_path(sys.argv[1], run_name='imported')"


@pytest.mark.parametrize("program", ("tools/demo/demo", "tools/bench/bench"))
def test_it_asks_for_nothing_of_python_but_its_own_library(program):
    done = subprocess.run((sys.executable, "-S", "-B", "-c", IMPORT, os.path.join(ROOT, program)),  # -S: no packages
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr

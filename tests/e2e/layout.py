# SPDX-License-Identifier: BSD-2-Clause
"""The layout of the kernel's tables, as the directory is named that they are pinned in."""

import os
import re

from daemon import ROOT

with open(os.path.join(ROOT, "include/viaduct_xdp.h"), encoding="utf-8") as header:
    OURS = "v" + re.search(r"^#define VD_LAYOUT_VERSION (\d+)$", header.read(), re.M)[1]

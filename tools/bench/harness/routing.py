# SPDX-License-Identifier: BSD-2-Clause
"""What it costs to find the route of a call."""
import json
import subprocess

from .process import Failed, TOOLS


def measure(_wires, settings, say, results):
    """Fills results["routing"]."""
    say(f"routing: {settings.program_runs} runs")
    done = subprocess.run([TOOLS / "route_cost", str(settings.program_runs)], text=True,
                          capture_output=True, check=False)
    if done.returncode:
        raise Failed(done.stderr.strip().splitlines()[-1] if done.stderr else "route_cost failed")
    results["routing"] = json.loads(done.stdout)
    for name, value in results["routing"].items():
        say(f"  {name:<14} {value:7.1f}{' ns' if name.endswith('_ns') else ' a call'}")

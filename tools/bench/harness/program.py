# SPDX-License-Identifier: BSD-2-Clause
"""What the XDP program costs a packet."""
import json
import subprocess

from .process import Failed, TOOLS, spawn


def measure(wires, settings, say, results):
    """Fills results["program"]."""
    say(f"program: BPF_PROG_TEST_RUN, {settings.program_runs} runs a case")
    process = spawn(wires.dut, TOOLS / "program_cost", "d0", "d1", settings.program_runs,
                    text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output, errors = process.communicate()
    if process.returncode:
        raise Failed(errors.strip().splitlines()[-1] if errors else "program_cost failed")
    results["program"] = json.loads(output)
    for name, value in results["program"].items():
        if name.endswith("_ns"):
            say(f"  {name:<14} {value:7.1f} ns")
    program = results["program"]
    say(f"  {program['bytes']} bytes, {program['compiled_bytes']} compiled; the verifier looked at "
        f"{program['verified_instructions']} instructions")

# SPDX-License-Identifier: BSD-2-Clause
"""Runs the bench's parts on throwaway wires and gathers what they measured."""

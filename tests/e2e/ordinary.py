# SPDX-License-Identifier: BSD-2-Clause
"""The ordinary user as whom viaductd runs in the tests, with the capabilities that the systemd unit
leaves it and no others, from its first instruction on."""

import os
import pwd
import tempfile

USER = "daemon"  # any but root, and but nobody, who may not ask it anything
CAPABILITIES = ("bpf", "net_admin", "perfmon")


def only(capabilities):
    """These and no others, for setpriv."""
    return "-all," + ",".join(f"+{name}" for name in capabilities)


def argv(*command):
    """The command run as that user."""
    wanted = only(CAPABILITIES)
    entry = pwd.getpwnam(USER)
    return ("setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups",
            f"--inh-caps={wanted}", f"--ambient-caps={wanted}",
            f"--bounding-set={wanted}", "--no-new-privs", "--pdeathsig=KILL", *command)


def give(path):
    """The file or directory becomes that user's, who can reach it from the temporary directory on."""
    entry, top = pwd.getpwnam(USER), os.path.realpath(tempfile.gettempdir())
    os.chown(path, entry.pw_uid, entry.pw_gid)
    folder = os.path.dirname(os.path.realpath(path))
    while folder.startswith(top + os.sep):
        os.chmod(folder, os.stat(folder).st_mode | 0o011)
        folder = os.path.dirname(folder)


def give_named(configuration):
    """What a configuration names, keys and passwords, is for the daemon to read."""
    if isinstance(configuration, dict):
        configuration = list(configuration.values())
    if isinstance(configuration, list):
        for value in configuration:
            give_named(value)
    elif isinstance(configuration, str) and os.path.isfile(configuration) and \
            os.path.realpath(configuration).startswith(os.path.realpath(tempfile.gettempdir())):
        give(configuration)

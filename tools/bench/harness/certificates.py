# SPDX-License-Identifier: BSD-2-Clause
"""Certificates for a run: an authority of its own, one for viaductd, one for all trunks."""
import contextlib
import tempfile
from pathlib import Path

from .process import run
from .wires import EXTERNAL

DAYS = 2
SUBJECT = "/CN=viaduct bench"


class Files:
    def __init__(self, directory):
        self.directory = Path(directory)
        self.authority = self.directory / "ca.pem"
        self.trunks_certificate = self.directory / "trunks.pem"
        self.trunks_key = self.directory / "trunks.key"
        self.configuration = (
            f"tls:\n  - {{{{name: bench, certificate: {self.directory}/own.pem, "
            f"key: {self.directory}/own.key, ca: {self.authority}}}}}\n")


def _sign(files, name, addresses):
    key, request, extensions = (files.directory / f"{name}.{end}" for end in ("key", "csr", "ext"))
    names = ",".join(f"IP:{address}" for address in addresses)
    extensions.write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n")
    run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", key, "-out", request, "-subj", SUBJECT)
    run("openssl", "x509", "-req", "-in", request, "-CA", files.authority, "-CAkey",
        files.directory / "ca.key", "-CAcreateserial", "-days", DAYS, "-extfile", extensions,
        "-out", files.directory / f"{name}.pem")
    key.chmod(0o600)


@contextlib.contextmanager
def made(trunk_addresses):
    with tempfile.TemporaryDirectory() as directory:
        files = Files(directory)
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-keyout", files.directory / "ca.key", "-out", files.authority, "-days",
            DAYS, "-subj", f"{SUBJECT} authority")
        _sign(files, "own", [EXTERNAL])
        _sign(files, "trunks", trunk_addresses)
        yield files

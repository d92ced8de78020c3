# SPDX-License-Identifier: BSD-2-Clause
"""Authorities and certificates, made by the openssl program for one test run."""

import os
import shutil
import tempfile

from net import run


class Identity:
    def __init__(self, certificate, key):
        self.certificate, self.key = certificate, key


class Authority:
    """Signs certificates; everything lies in one directory, removed by close()."""

    def __init__(self, name, directory=None):
        self.own = directory is None
        self.dir = directory or tempfile.mkdtemp(prefix="viaduct-ca-")
        self.name = name
        self._identity = self.issue(name, ca=True)
        self.file = self._identity.certificate

    def _path(self, name):
        return os.path.join(self.dir, f"{self.name}-{name}.pem".replace(" ", "-"))

    def issue(self, name, san=(), days=365, ca=False, begins=None, ends=None):
        """begins, ends: as `openssl ca` takes them, for certificates that are not valid now."""
        certificate, key = self._path(f"{name}-cert"), self._path(f"{name}-key")
        argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", certificate,
                "-subj", f"/CN={name}", "-days", str(days)]
        if ca:  # newer Pythons believe no authority without
            argv += ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        else:
            argv += ["-CA", self._identity.certificate, "-CAkey", self._identity.key,
                     "-addext", "basicConstraints=CA:FALSE"]
        if san:
            argv += ["-addext", f"subjectAltName={','.join(san)}"]
        run(*argv)
        if begins:
            self._sign_again(certificate, key, name, san, begins, ends)
        return Identity(certificate, key)

    def _sign_again(self, certificate, key, name, san, begins, ends):
        """For another time, which `openssl req` does not offer."""
        request = self._path(f"{name}-request")
        run("openssl", "req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", request,
            "-addext", f"subjectAltName={','.join(san)}")
        index = os.path.join(self.dir, "index")
        open(index, "w", encoding="utf-8").close()
        config = os.path.join(self.dir, "ca.cnf")
        with open(config, "w", encoding="utf-8") as f:
            f.write("[ca]\ndefault_ca=x\n[x]\ndatabase=%s\nrand_serial=yes\nnew_certs_dir=%s\n"
                    "default_md=sha256\npolicy=p\ncopy_extensions=copyall\nunique_subject=no\n"
                    "[p]\ncommonName=supplied\n" % (index, self.dir))
        run("openssl", "ca", "-batch", "-config", config, "-in", request,
            "-out", certificate, "-notext", "-startdate", begins, "-enddate", ends,
            "-cert", self._identity.certificate, "-keyfile", self._identity.key)

    def close(self):
        if self.own:
            shutil.rmtree(self.dir, ignore_errors=True)

"""Makes certificates with the program `openssl`, valid from now on for two days."""

from __future__ import annotations

import subprocess
from pathlib import Path

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Authority:
    """A CA of our own; its files are readable by every account, since they are test data."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self.certificate = folder / f"{name}.pem"
        self._key = folder / f"{name}.key"
        _openssl(
            "req",
            *("-x509", *KEY, "-keyout", self._key, "-out", self.certificate),
            *("-subj", f"/CN={name}", "-days", "2"),
        )

    def issue(self, name: str, common_name: str, days: int = 2) -> tuple[Path, Path]:
        """Make certificate and key for a name; with 0 days the certificate has expired."""
        base = self._folder / name
        certificate, key = base.with_suffix(".pem"), base.with_suffix(".key")
        request, extensions = base.with_suffix(".csr"), base.with_suffix(".ext")
        extensions.write_text(f"subjectAltName=DNS:{common_name}\n")
        _openssl("req", *KEY, "-keyout", key, "-out", request, "-subj", f"/CN={common_name}")
        _openssl(
            "x509",
            *("-req", "-in", request, "-out", certificate, "-days", str(days)),
            *("-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial"),
            *("-extfile", extensions),
        )
        key.chmod(0o644)
        return certificate, key


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)

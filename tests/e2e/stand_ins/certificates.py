"""Self-signed certificates for names of the test's choice."""
import functools
import pathlib
import ssl
import subprocess
import tempfile

_folder = tempfile.TemporaryDirectory(prefix="repartee-certificates-")


@functools.lru_cache(maxsize=None)
def certificate_for(*names):
    """(context for a server, path of the PEM file that a client trusts)."""
    stem = pathlib.Path(_folder.name) / "-".join(names)
    alternatives = ",".join(f"IP:{name}" if name[0].isdigit() else f"DNS:{name}" for name in names)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", f"/CN={names[0]}", "-addext", f"subjectAltName={alternatives}", "-keyout", f"{stem}.key", "-out", f"{stem}.pem"],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{stem}.pem", f"{stem}.key")
    return context, pathlib.Path(f"{stem}.pem")

"""A certificate authority of this sandbox's own, for the Snowflake stand-in: the connector speaks TLS only."""

from __future__ import annotations

import os
from pathlib import Path

import certifi
import trustme

from sandbox.state import HOST, State, write_private


def make_certificates(state: State) -> None:
    """Make the authority, the server's certificate and key, once. Their keys never leave the state folder."""
    if all((state.tls / name).exists() for name in ("server.pem", "server.key", "ca.pem")):
        return
    authority = trustme.CA(organization_name="Snowmelt sandbox")
    server = authority.issue_cert(*dict.fromkeys(("localhost", "127.0.0.1", "::1", HOST)))
    write_private(state.tls / "server.key", server.private_key_pem.bytes().decode())
    write_private(state.tls / "server.pem", "".join(blob.bytes().decode() for blob in server.cert_chain_pems))
    write_private(state.tls / "ca.pem", authority.cert_pem.bytes().decode())


def write_bundle(state: State) -> Path:
    """Every authority that programs trusted before, and ours: other TLS connections go on working."""
    bundle = state.tls / "bundle.pem"
    sources = [Path(certifi.where()), *_user_bundles(bundle), state.tls / "ca.pem"]
    write_private(bundle, "\n".join(source.read_text().strip() for source in sources) + "\n")
    return bundle


def _user_bundles(own: Path) -> list[Path]:
    named = [
        Path(os.environ[name]) for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE") if os.environ.get(name)
    ]
    # One that this user may not read cannot have been of use to it.
    return [path for path in dict.fromkeys(named) if os.access(path, os.R_OK) and path.name != own.name]

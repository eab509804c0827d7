"""What secrets look like, wherever they turn up, so that no message shows one."""

from __future__ import annotations

import re

#: An access key of AWS: AKIA… is lasting, ASIA… temporary.
ACCESS_KEY = re.compile(r"(?<![A-Za-z0-9])(?P<kind>AKIA|ASIA)[A-Z0-9]{12,}")
#: A private key as text.
PEM = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY.*", re.DOTALL)
#: An address that holds a user and a password.
URL_PASSWORD = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^/\s:@]*:[^/\s@]+@")


def hide_secrets(text: str) -> str:
    """The text with everything that looks like a secret replaced by `***`."""
    text = ACCESS_KEY.sub(r"\g<kind>***", text)
    text = PEM.sub("-----BEGIN PRIVATE KEY***", text)
    return URL_PASSWORD.sub(r"\g<scheme>***@", text)

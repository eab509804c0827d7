"""Write one S3 object to standard output: the program behind aws_s3.table_import_from_s3.

Run by the PostgreSQL server for COPY … FROM PROGRAM: `fetch HEX`, the hexadecimal digits of a JSON object with bucket,
key, region, nonce and perhaps credentials. The outcome is written to answers/<nonce>: the object's size, or the
error. Streams; needs the standard library only. Python 3.8 or newer.
"""

import hashlib
import hmac
import http.client
import json
import os
import re
import sys
import time
import zlib
from urllib.parse import quote, urlsplit

HOME = os.path.dirname(os.path.abspath(__file__))
PIECE = 1024 * 1024
SECONDS = 60
ANSWER_SECONDS = 600


class Failed(Exception):
    """What the caller sees: a message and a detail."""


def main():
    request = json.loads(bytes.fromhex(sys.argv[1]))
    if not re.fullmatch("[0-9a-f-]{36}", request["nonce"]):
        sys.exit("bad nonce")
    remove_old_answers()
    try:
        size = copy_object(request)
    except BrokenPipeError:  # COPY stopped reading: it reports an error of its own
        os._exit(1)
    except Failed as failed:
        error, detail = failed.args
        write_answer(request["nonce"], {"error": error, "detail": detail})
        sys.exit(1)
    except (OSError, http.client.HTTPException, zlib.error) as error:
        text = "aws_s3: reading the object failed: " + str(error)
        write_answer(request["nonce"], {"error": text, "detail": type(error).__name__})
        sys.exit(1)
    write_answer(request["nonce"], {"bytes": size})


def copy_object(request):
    """Send the object's bytes, unpacked if it is declared as gzip; return its size in S3."""
    with open(os.path.join(HOME, "settings.json")) as file:
        settings = json.load(file)
    keys = request["credentials"] or settings
    endpoint = urlsplit(settings["endpoint"])
    path = "/" + quote(request["bucket"], safe="-_.~") + "/" + quote(request["key"], safe="/-_.~")
    connection = http.client.HTTPConnection(endpoint.hostname, endpoint.port, timeout=SECONDS)
    connection.request(
        "GET", path, headers=sign(endpoint.netloc, path, request.get("region") or "us-east-1", keys)
    )
    response = connection.getresponse()
    if response.status != 200:
        raise explain(response)
    packed = "gzip" in (response.getheader("Content-Encoding") or "")
    unpack = zlib.decompressobj(31) if packed else None
    size = 0
    while True:
        piece = response.read(PIECE)
        if not piece:
            break
        size += len(piece)
        if unpack is None:
            send(piece)
            continue
        while piece:
            send(unpack.decompress(piece, PIECE))
            piece = unpack.unconsumed_tail
            if unpack.eof:  # gzip files may be joined one after the other
                piece, unpack = unpack.unused_data, zlib.decompressobj(31)
    expected = int(response.getheader("Content-Length") or size)
    if size != expected:
        raise Failed("aws_s3: the connection to S3 broke", f"{size} of {expected} bytes arrived")
    return size


def send(data):
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def sign(host, path, region, keys):
    """Headers of a GET signed with AWS Signature Version 4."""
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    payload = hashlib.sha256(b"").hexdigest()
    headers = {"host": host, "x-amz-content-sha256": payload, "x-amz-date": now}
    if keys.get("session_token"):
        headers["x-amz-security-token"] = keys["session_token"]
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"GET\n{path}\n\n{lines}\n{names}\n{payload}"
    scope = "/".join([now[:8], region, "s3", "aws4_request"])
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{digest}"
    key = ("AWS4" + (keys["secret_key"] or "")).encode()
    for part in (now[:8], region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    credential = (keys["access_key"] or "") + "/" + scope
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
    )
    return headers


def explain(response):
    """S3's answer as the extension puts it."""
    body = response.read(20000).decode("utf-8", "replace")
    code = re.search("<Code>(.*?)</Code>", body)
    message = re.search("<Message>(.*?)</Message>", body, re.S)
    detail = f"{code[1] if code else response.reason}: {message[1] if message else ''}"
    if response.status == 403:
        text = "HTTP 403. Permission denied. Check bucket or provided credentials as they may no longer be valid."
    elif response.status == 404:
        text = "HTTP 404. The object or the bucket does not exist. Check your arguments and try again."
    else:
        text = f"HTTP {response.status}. Check your arguments and try again."
    return Failed(text, detail.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))


def write_answer(nonce, answer):
    with open(os.path.join(HOME, "answers", nonce), "w") as file:
        json.dump(answer, file)


def remove_old_answers():
    folder = os.path.join(HOME, "answers")
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        try:
            if time.time() - os.stat(path).st_mtime > ANSWER_SECONDS:
                os.unlink(path)
        except OSError:
            continue


if __name__ == "__main__":
    main()

"""The tokens of the clients, and the JWTs that they stand for: signed for real, with a key made for the run."""

import base64
import hashlib
import json
import pathlib
import subprocess
import time

ISSUER = "https://login.example.com"
AUDIENCE = "https://api.example.com"
SCOPE = "read write"


def opaque(count, series="a"):
    """Tokens of 43 characters, as authorization servers make them of 256 random bits."""
    return [base64url(hashlib.sha256(f"{series}{number}".encode()).digest()) for number in range(count)]


class Key:
    """An RSA key of 2048 bits and what is signed with it (RS256)."""

    def __init__(self, folder: pathlib.Path):
        self.file = folder / "key.pem"
        _openssl("genrsa", "-out", self.file, "2048")

    def jwks(self):
        modulus = _openssl("rsa", "-in", self.file, "-noout", "-modulus").decode().strip().split("=")[1]
        key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "bench", "n": base64url(bytes.fromhex(modulus)), "e": "AQAB"}
        return json.dumps({"keys": [key]})

    def jwt(self, size):
        """A JWT of `size` bytes, or up to two less, for not every length is one of base64url. The groups make it as large as it is."""
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "client_id": "app", "scope": SCOPE,
                  "iat": int(time.time()), "exp": int(time.time()) + 7 * 86400, "jti": "3f6a0c1e", "groups": [], "department": ""}
        while len(self._unsigned(claims)) + 1 + 342 <= size - 80:
            claims["groups"].append(f"group-{len(claims['groups']):05d}")
        while len(self._unsigned(claims)) + 1 + 342 <= size:
            claims["department"] += "x"
        claims["department"] = claims["department"][1:]
        unsigned = self._unsigned(claims)
        signature = _openssl("dgst", "-sha256", "-sign", self.file, stdin=unsigned.encode())
        return f"{unsigned}.{base64url(signature)}"

    def _unsigned(self, claims):
        header = {"alg": "RS256", "typ": "at+jwt", "kid": "bench"}
        return ".".join(base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _openssl(*arguments, stdin=None):
    return subprocess.run(["openssl", *map(str, arguments)], input=stdin, check=True, capture_output=True).stdout

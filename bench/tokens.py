"""The tokens of the clients, and the JWTs that they stand for: signed for real, with a key made for the run."""

import base64
import hashlib
import json
import pathlib
import subprocess
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

ISSUER = "https://login.example.com"
AUDIENCE = "https://api.example.com"
SCOPE = "read write"
PROVEN_URI = "https://api.example.com/"
PROOFS = ("ES256", "EdDSA", "RS256")


def opaque(count, series="a"):
    """Tokens of 43 characters, as authorization servers make them of 256 random bits."""
    return [base64url(hashlib.sha256(f"{series}{number}".encode()).digest()) for number in range(count)]


class ProofKey:
    """A key of a client, and the proofs of possession that it signs (RFC 9449)."""

    def __init__(self, algorithm):
        self.algorithm = algorithm
        self._key = {"ES256": lambda: ec.generate_private_key(ec.SECP256R1()), "EdDSA": ed25519.Ed25519PrivateKey.generate,
                     "RS256": lambda: rsa.generate_private_key(65537, 2048)}[algorithm]()
        self._header = _encoded({"typ": "dpop+jwt", "alg": algorithm, "jwk": self._jwk()})

    def _jwk(self):
        public = self._key.public_key()
        if self.algorithm == "EdDSA":
            raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            return {"crv": "Ed25519", "kty": "OKP", "x": base64url(raw)}
        numbers = public.public_numbers()
        if self.algorithm == "RS256":
            return {"e": "AQAB", "kty": "RSA", "n": base64url(numbers.n.to_bytes(256, "big"))}
        return {"crv": "P-256", "kty": "EC", "x": base64url(numbers.x.to_bytes(32, "big")), "y": base64url(numbers.y.to_bytes(32, "big"))}

    def thumbprint(self):
        """RFC 7638: the members of _jwk() are in the order of their names."""
        return base64url(hashlib.sha256(json.dumps(self._jwk(), separators=(",", ":")).encode()).digest())

    def proof(self, token, number=0):
        claims = {"jti": f"{token[:16]}{number:08d}", "htm": "GET", "htu": PROVEN_URI, "iat": int(time.time()),
                  "ath": base64url(hashlib.sha256(token.encode()).digest())}
        unsigned = f"{self._header}.{_encoded(claims)}"
        return f"{unsigned}.{base64url(self._sign(unsigned.encode()))}"

    def _sign(self, data):
        if self.algorithm == "EdDSA":
            return self._key.sign(data)
        if self.algorithm == "RS256":
            return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        r, s = utils.decode_dss_signature(self._key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class Key:
    """An RSA key of 2048 bits and what is signed with it (RS256)."""

    def __init__(self, folder: pathlib.Path):
        self.file = folder / "key.pem"
        _openssl("genrsa", "-out", self.file, "2048")

    def jwks(self):
        modulus = _openssl("rsa", "-in", self.file, "-noout", "-modulus").decode().strip().split("=")[1]
        key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "bench", "n": base64url(bytes.fromhex(modulus)), "e": "AQAB"}
        return json.dumps({"keys": [key]})

    def jwt(self, size, **more):
        """A JWT with these claims too, of `size` bytes, or up to two less, for not every length is one of base64url. The groups make it as large as it is."""
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "client_id": "app", "scope": SCOPE,
                  "iat": int(time.time()), "exp": int(time.time()) + 7 * 86400, "jti": "3f6a0c1e", "groups": [], "department": "", **more}
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
        return f"{_encoded(header)}.{_encoded(claims)}"


def _encoded(part):
    return base64url(json.dumps(part, separators=(",", ":")).encode())


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _openssl(*arguments, stdin=None):
    return subprocess.run(["openssl", *map(str, arguments)], input=stdin, check=True, capture_output=True).stdout

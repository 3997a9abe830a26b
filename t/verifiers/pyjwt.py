"""Verifies JWTs with Debian's python3-jwt, as an API would: input and output are those of jose.mjs."""

import json
import sys

import jwt


def verify(token, keys, issuer, audience):
    try:
        header = jwt.get_unverified_header(token)
        key = keys[header["kid"]]
        claims = jwt.decode(token, key.key, algorithms=[header["alg"]], issuer=issuer, audience=audience)
        return {"header": header, "claims": claims}
    except (jwt.PyJWTError, KeyError) as error:
        return {"error": repr(error)}


def main():
    given = json.load(sys.stdin)
    keys = {jwk["kid"]: jwt.PyJWK(jwk) for jwk in given["jwks"]["keys"]}
    json.dump([verify(token, keys, given["issuer"], given["audience"]) for token in given["tokens"]], sys.stdout)


main()

"""Issues tokens with PyJWT, as an identity provider does.

It reads a list of {"claims": ..., "algorithm": ..., "key": ...} and writes
the provider's public keys and the tokens.
"""
import json
import sys

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm


def public(algorithm, key, kid):
    return json.loads(algorithm.to_jwk(key.public_key())) | {"kid": kid, "use": "sig"}


rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ec_key = ec.generate_private_key(ec.SECP256R1())
other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
numbers = ec_key.public_key().public_numbers()
coordinate = lambda n: jwt.utils.base64url_encode(n.to_bytes(32, "big")).decode()
keys = {"keys": [
    public(RSAAlgorithm, rsa_key, "rsa"),
    {"kty": "EC", "crv": "P-256", "x": coordinate(numbers.x), "y": coordinate(numbers.y), "kid": "ec", "use": "sig"},
]}
tokens = []
for wanted in json.load(sys.stdin):
    algorithm = wanted["algorithm"] or "RS256"
    kid = "ec" if algorithm == "ES256" else "rsa"
    key = {"ES256": ec_key, "HS256": "secret", "none": None}.get(algorithm, rsa_key)
    if wanted["key"] == "other":
        key = other
    tokens.append(jwt.encode(wanted["claims"], key, algorithm=algorithm, headers={"kid": kid}))
json.dump({"keys": keys, "tokens": tokens}, sys.stdout)

"""The gateways that are compared, and the servers behind them."""

import dataclasses
import hashlib
import http.client
import itertools
import pathlib
import time

import load
import tokens
from processes import HERE, MODULE, NJS, Failed, Nginx, Ports

SIZES = {"1 KB": 1024, "4 KB": 4096, "16 KB": 16384}

CHECKS = f'''phantom_token_scopes "read";
    phantom_token_issuer {tokens.ISSUER};
    phantom_token_audience {tokens.AUDIENCE};'''
SIGNATURES = "phantom_token_verify_jwt on; phantom_token_jwks_endpoint /_jwks;"
OPEN_FILE_CACHE = "open_file_cache max=20000 inactive=1h; open_file_cache_valid 1h;"
HOT_CACHE_ZONE = "phantom_token_hot_cache zone=hot:16m valid=1h;"
HOT_CACHE = "phantom_token_hot_cache hot;"
REVOCATION_ZONE = "phantom_token_revocation zone=revoked:8m keep=1d;"
FILLED_REVOCATION_ZONE = REVOCATION_ZONE.replace(";", " state=%%FOLDER%%/revoked.state;")
REVOCATION = "phantom_token_revocation revoked;"
PROOF = f"""phantom_token_confirmation require;
    phantom_token_dpop_max_age 1d;
    phantom_token_dpop_uri {tokens.PROVEN_URI};"""
REPLAY_ZONE = "phantom_token_dpop_replay zone=proofs:64m;"
REPLAY = "phantom_token_dpop_replay proofs;"
REVOKED_KINDS = ("token", "jti", "sid", "sub", "client_id")


@dataclasses.dataclass(frozen=True)
class Gateway:
    """One line of the tables."""

    name: str
    file: str
    modules: tuple = ()
    options: tuple = ()  # what phantom_token.conf is filled with beyond what all have
    revoked: int = 0  # entries of others, as many of each kind
    proof: str = ""  # what signs the clients' proofs
    proofs_count_once: bool = False

    def values(self):
        empty = dict.fromkeys(("CHECKS", "SIGNATURES", "OPEN_FILE_CACHE", "HOT_CACHE", "HOT_CACHE_ZONE", "REVOCATION",
                               "REVOCATION_ZONE", "PROOF", "REPLAY_ZONE"), "")
        return {**empty, "ANSWER": f"/bound/{self.proof}" if self.proof else "", **dict(self.options)}


def _ours(name, *options, **more):
    return Gateway(name, "phantom_token.conf", (MODULE,), options, **more)


def state_of(entries):
    """A state file of as many entries, which are of nobody who comes."""
    end = int(time.time()) + 86400
    names = [(REVOKED_KINDS[number % len(REVOKED_KINDS)], hashlib.sha256(str(number).encode()).hexdigest())
             for number in range(entries)]
    return "".join(f"{kind} {digest[:8]} {digest} - {end} {end}\n" for kind, digest in names)


_checks = ("CHECKS", CHECKS)
_files = ("OPEN_FILE_CACHE", OPEN_FILE_CACHE)
_hot = (("HOT_CACHE_ZONE", HOT_CACHE_ZONE), ("HOT_CACHE", HOT_CACHE))
_signatures = ("SIGNATURES", SIGNATURES)
_revocation = ("REVOCATION", REVOCATION)

GATEWAYS = {gateway.name: gateway for gateway in (
    Gateway("plain", "plain.conf"),
    Gateway("auth_request", "auth_request.conf"),
    Gateway("njs", "njs.conf", (NJS,)),
    _ours("proxy_cache, no checks"),
    _ours("proxy_cache", _checks),
    _ours("proxy_cache, signature", _checks, _signatures),
    _ours("open_file_cache, no checks", _files),
    _ours("open_file_cache", _files, _checks),
    _ours("hot cache, no checks", *_hot),
    _ours("hot cache", *_hot, _checks),
    _ours("hot cache, signature", *_hot, _checks, _signatures),
    _ours("hot cache, nothing revoked", *_hot, _checks, ("REVOCATION_ZONE", REVOCATION_ZONE), _revocation),
    _ours("hot cache, 10,000 revoked", *_hot, _checks, ("REVOCATION_ZONE", FILLED_REVOCATION_ZONE), _revocation,
          revoked=10000),
    *(_ours(f"hot cache, {proof} proof", *_hot, _checks, ("PROOF", PROOF), proof=proof) for proof in tokens.PROOFS),
    _ours("hot cache, ES256 proof, once", *_hot, _checks, ("PROOF", f"{PROOF} {REPLAY}"), ("REPLAY_ZONE", REPLAY_ZONE),
          proof="ES256", proofs_count_once=True),
)}


def against(name):
    """What a gateway is called that runs another build of the module."""
    return f"{name}, against"


def with_module(names, module):
    """The same gateways once more, those of ours with this build of the module, for a comparison in one run."""
    added = [dataclasses.replace(GATEWAYS[name], name=against(name), modules=(module,))
             for name in names if MODULE in GATEWAYS[name].modules]
    GATEWAYS.update({gateway.name: gateway for gateway in added})
    return [gateway.name for gateway in added]


class World:
    """The API and the authorization server for one size of JWT, and gateways before them."""

    def __init__(self, folder, key, size):
        self.folder = pathlib.Path(folder)
        self.jwt = key.jwt(SIZES[size])
        self.proof_keys = {proof: tokens.ProofKey(proof) for proof in tokens.PROOFS}
        self.bound = {proof: key.jwt(SIZES["1 KB"], cnf={"jkt": self.proof_keys[proof].thumbprint()}) for proof in tokens.PROOFS}
        parts = [self.jwt[start:start + 4000] for start in range(0, len(self.jwt), 4000)]
        in_parts = len(parts) > 1
        self._values = {
            "JWKS": key.jwks(),
            **{f"BOUND_{proof}": jwt for proof, jwt in self.bound.items()},
            "JWT_VARIABLES": "\n".join(f"set $jwt_{number} {part};" for number, part in enumerate(parts, 1)),
            "JWT_PARTS": "%%JWT_VARIABLES%%" if in_parts else "",
            "JWT": "".join(f"$jwt_{number}" for number in range(1, len(parts) + 1)) if in_parts else self.jwt,
        }
        ports = Ports()
        self._values.update(API=ports.new(), AS=ports.new())
        ports.release()
        self._servers = Nginx(self.folder / "servers", (HERE / "nginx/servers.conf").read_text(), self._values, [NJS])

    def start(self):
        self._servers.start(self._values["API"])
        return self

    def pin(self, cores):
        self._servers.pin(cores)

    def stop(self):
        self._servers.stop()

    def gateway(self, gateway, slow=False, **options):
        return RunningGateway(self, gateway, "/slow" if slow else "", **options)

    def values(self):
        return dict(self._values)


class RunningGateway:
    """A gateway's nginx. What it lets through is looked at once, when it starts."""

    def __init__(self, world, gateway, slow, **options):
        self.gateway = gateway
        self.world = world
        self._proofs = itertools.count()
        ports = Ports()
        self.port, self.port_http2 = ports.new(), ports.new()
        ports.release()
        values = {**world.values(), **gateway.values(), "SLOW": slow, "PORT": self.port, "PORT_HTTP2": self.port_http2,
                  "GATEWAY": (HERE / "nginx" / gateway.file).read_text()}
        folder = world.folder / "-".join([*gateway.name.replace(",", "").split(), *(["callgrind"] if "wrapper" in options else [])])
        values["FOLDER"] = folder
        self.folder = folder
        self.nginx = Nginx(folder, (HERE / "nginx/gateway.conf").read_text(), values, gateway.modules, **options)

    def start(self):
        self.nginx.check()
        if self.gateway.revoked:
            (self.folder / "revoked.state").write_text(state_of(self.gateway.revoked))
        self.nginx.start(self.port)
        self._forwards_the_jwt()
        return self

    def credentials(self, sent):
        """What clients send for these tokens: the token, and behind a tab its proof where one is wanted."""
        key = self.world.proof_keys.get(self.gateway.proof)
        return [f"{token}\t{key.proof(token, next(self._proofs))}" for token in sent] if key else sent

    def _forwards_the_jwt(self):
        """The first answer is a miss, the second one is not."""
        jwt = self.world.bound.get(self.gateway.proof, self.world.jwt)
        for _ in range(2):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            [credentials] = self.credentials(tokens.opaque(1, "first"))
            connection.request("GET", "/authorization", headers=load.headers(credentials))
            answer = connection.getresponse()
            body = answer.read().decode()
            connection.close()
            if answer.status != 200 or body != f"Bearer {jwt}":
                raise Failed(f"{self.gateway.name}: the API did not get the JWT: {answer.status} {body[:100]} {self.nginx.complaints()}")

    def complaints(self):
        """The module warns where one proof serves for all requests, which only a benchmark wants."""
        return [line for line in self.nginx.complaints() if not self.gateway.proof or "can be used again" not in line]

    def stop(self):
        self.nginx.stop()

// What a token of the load stands for. The authorization server, the API and the client agree on it by this file alone:
// a token says itself what it is, KIND~NAME~SCOPE+SCOPE, and the JWT for it has the token as its `sub`. A person's token
// has its `iat`, too: KIND~NAME~SCOPE+SCOPE~IAT; the `sub` of its JWT is the person's name, and the token is its `jti`.

import { createHmac, createPrivateKey, createPublicKey, createSign, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';

const key = createPrivateKey(readFileSync(process.env.SOAK_KEY));
const base64url = (value) => Buffer.from(value).toString('base64url');

export const jwks = { keys: [{ ...createPublicKey(key).export({ format: 'jwk' }), kid: 'soak', alg: 'RS256', use: 'sig' }] };

export function readToken(token) {
  const [kind, name, scopes = '', iat] = token.split('~');
  return { kind, name, scope: scopes.replaceAll('+', ' '), iat };
}

const now = () => Math.floor(Date.now() / 1000);

function write(header, claims, sign) {
  const signed = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(claims))}`;
  return `${signed}.${sign(signed)}`;
}

function jwt(header, token, sign) {
  const { name, scope, iat } = readToken(token);
  const subject = iat === undefined ? { sub: token } : { sub: name, jti: token, iat: Number(iat) };
  return write(header, { iss: 'https://as', aud: 'api', ...subject, scope, exp: now() + 3600 }, sign);
}

const signRs256 = (text) => createSign('RSA-SHA256').update(text).sign(key, 'base64url');

// Nobody verifies these.
export const cheapJwt = (token) =>
  jwt({ alg: 'HS256', typ: 'at+jwt' }, token, (text) => createHmac('sha256', 'any key').update(text).digest('base64url'));

const signedBefore = new Map();

export function signedJwt(token) {
  if (!signedBefore.has(token)) {
    signedBefore.set(token, jwt({ alg: 'RS256', typ: 'at+jwt', kid: 'soak' }, token, signRs256));
  }
  return signedBefore.get(token);
}

export const logoutToken = (sub) => write({ alg: 'RS256', typ: 'logout+jwt', kid: 'soak' }, {
  iss: 'https://as', aud: 'gateway', sub, iat: now(), exp: now() + 120, jti: randomUUID(),
  events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
}, signRs256);

// The token that the JWT in an Authorization header is for; 'none' without one, undefined for what holds no JWT.
export function tokenIn(authorization) {
  if (authorization === undefined) return 'none';
  const [, claims] = /^Bearer [\w-]+\.([\w-]+)\.[\w-]+$/.exec(authorization) ?? [];
  if (!claims) return undefined;
  const { jti, sub } = JSON.parse(Buffer.from(claims, 'base64url'));
  return jti ?? sub;
}

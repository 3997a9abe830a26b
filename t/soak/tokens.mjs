// What a token of the load stands for. The authorization server, the API and the client agree on it by this file alone:
// a token says itself what it is, KIND~NAME~SCOPE+SCOPE, and the JWT for it has the token as its `sub`.

import { createHmac, createPrivateKey, createPublicKey, createSign } from 'node:crypto';
import { readFileSync } from 'node:fs';

const key = createPrivateKey(readFileSync(process.env.SOAK_KEY));
const base64url = (value) => Buffer.from(value).toString('base64url');

export const jwks = { keys: [{ ...createPublicKey(key).export({ format: 'jwk' }), kid: 'soak', alg: 'RS256', use: 'sig' }] };

export function readToken(token) {
  const [kind, name, scopes = ''] = token.split('~');
  return { kind, name, scope: scopes.replaceAll('+', ' ') };
}

function jwt(header, token, sign) {
  const { scope } = readToken(token);
  const claims = { iss: 'https://as', aud: 'api', sub: token, scope, exp: Math.floor(Date.now() / 1000) + 3600 };
  const signed = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(claims))}`;
  return `${signed}.${sign(signed)}`;
}

// Nobody verifies these.
export const cheapJwt = (token) =>
  jwt({ alg: 'HS256', typ: 'at+jwt' }, token, (text) => createHmac('sha256', 'any key').update(text).digest('base64url'));

const signedBefore = new Map();

export function signedJwt(token) {
  if (!signedBefore.has(token)) {
    const sign = (text) => createSign('RSA-SHA256').update(text).sign(key, 'base64url');
    signedBefore.set(token, jwt({ alg: 'RS256', typ: 'at+jwt', kid: 'soak' }, token, sign));
  }
  return signedBefore.get(token);
}

// The `sub` in an Authorization header; 'none' without one, undefined for what holds no JWT.
export function subjectIn(authorization) {
  if (authorization === undefined) return 'none';
  const [, claims] = /^Bearer [\w-]+\.([\w-]+)\.[\w-]+$/.exec(authorization) ?? [];
  return claims && JSON.parse(Buffer.from(claims, 'base64url')).sub;
}

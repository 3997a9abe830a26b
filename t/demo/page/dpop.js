// Keys that tokens are bound to, and proofs that a request comes from whoever has the key (DPoP, RFC 9449).

import { base64url, decodeText, encodeText, sha256 } from './encoding.js';

const ES256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

// A new key. The private part cannot be exported: scripts can sign with it while this page lives, and not take it away.
export async function makeKey() {
  const { privateKey, publicKey } = await crypto.subtle.generateKey(ES256, false, ['sign']);
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey);
  return { privateKey, jwk: { kty, crv, x, y }, thumbprint: await sha256(JSON.stringify({ crv, kty, x, y })) }; // RFC 7638
}

// A proof for one request: with the access token, if one is sent, and with the server's nonce, if it asked for one.
export async function prove(key, { method, url, token, nonce }) {
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: key.jwk };
  const claims = {
    jti: crypto.randomUUID(), htm: method, htu: url, iat: Math.floor(Date.now() / 1000),
    ...(token && { ath: await sha256(token) }), ...(nonce && { nonce }),
  };
  const signed = [header, claims].map((part) => encodeText(JSON.stringify(part))).join('.');
  const signature = await crypto.subtle.sign(ES256, key.privateKey, new TextEncoder().encode(signed));
  return `${signed}.${base64url(new Uint8Array(signature))}`;
}

// What a proof says; anybody can read it.
export function readProof(proof) {
  const [header, claims] = proof.split('.').slice(0, 2).map((part) => JSON.parse(decodeText(part)));
  return { header, claims };
}

// Does the server want the same request again, with the nonce that came along (RFC 9449 9)?
export const asksForNonce = ({ status, challenge }) => status === 401 && /\berror="use_dpop_nonce"/.test(challenge ?? '');

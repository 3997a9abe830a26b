// Libraries of OAuth clients that bind tokens to a key, as npm has them, each behind the same functions:
//
//   const client = await LIBRARIES[name]({ issuer, client, secret, fetch });   without a secret: by its certificate
//   await client.newKey(alg)                      the key of its further tokens, if alg is one; else no DPoP
//   await client.thumbprint()                     RFC 7638
//   await client.token(parameters)                client credentials; the answer of the token endpoint
//   await client.authorize(parameters)            an authorization request: its parameters
//   await client.callback(parameters)             what the browser came back with, for tokens
//   await client.refresh(refreshToken)
//   await client.request(token, url, { method, headers, body })   the API's Response, refusals too
//
// fetch is undici's, for certificates and HTTP/2.
import './webcrypto.mjs';
import * as dpop from 'dpop';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';

const PLAIN = { [oauth.allowInsecureRequests]: true }; // loopback

// By openid-client. It tries again by itself when it is asked for a nonce.
async function openidClient({ issuer, client: id, secret, redirectUri, fetch }) {
  const config = await openid.discovery(
    new URL(issuer), id, { use_mtls_endpoint_aliases: !secret }, secret ? openid.ClientSecretBasic(secret) : openid.TlsClientAuth(),
    { execute: [openid.allowInsecureRequests], [openid.customFetch]: fetch },
  );
  let keys;
  let DPoP;
  let verifier;
  let state;
  return {
    async newKey(alg) {
      keys = alg && await openid.randomDPoPKeyPair(alg);
      DPoP = alg && openid.getDPoPHandle(config, keys);
    },
    keys: () => keys,
    thumbprint: () => DPoP.calculateThumbprint(),
    token: (parameters) => openid.clientCredentialsGrant(config, parameters, { DPoP }),
    async authorize(parameters) {
      verifier = openid.randomPKCECodeVerifier();
      state = openid.randomState();
      const url = openid.buildAuthorizationUrl(config, {
        ...parameters, state, redirect_uri: redirectUri, code_challenge_method: 'S256',
        code_challenge: await openid.calculatePKCECodeChallenge(verifier), dpop_jkt: await DPoP.calculateThumbprint(),
      });
      return Object.fromEntries(url.searchParams);
    },
    callback: (parameters) => openid.authorizationCodeGrant(
      config, new URL(`${redirectUri}?${new URLSearchParams(parameters)}`), { pkceCodeVerifier: verifier, expectedState: state }, {}, { DPoP },
    ),
    refresh: (refreshToken) => openid.refreshTokenGrant(config, refreshToken, {}, { DPoP }),
    request: (token, url, { method, headers, body }) => openid.fetchProtectedResource(
      config, token, new URL(url), method, body, new Headers(headers), { DPoP },
    ).catch(refusal),
  };
}

// A refusal is an exception that has the response.
function refusal(error) {
  const response = error.response ?? error.cause?.response;
  if (!response) throw error;
  return response;
}

// By oauth4webapi, on which the one above is made. It says that a nonce is asked for, and its user tries again.
async function oauth4webapi({ issuer, client: id, secret, redirectUri, fetch }) {
  const options = { ...PLAIN, [oauth.customFetch]: fetch };
  const server = await oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer), options));
  const client = { client_id: id, use_mtls_endpoint_aliases: !secret };
  const authentication = secret ? oauth.ClientSecretBasic(secret) : oauth.TlsClientAuth();
  let keys;
  let DPoP;
  let verifier;
  let state;
  const again = (attempt) => attempt().catch((error) => {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return attempt();
  });
  const ask = (request, process) => again(async () => process(server, client, await request()));
  return {
    async newKey(alg) {
      keys = alg && await oauth.generateKeyPair(alg);
      DPoP = alg && oauth.DPoP(client, keys);
    },
    keys: () => keys,
    thumbprint: () => DPoP.calculateThumbprint(),
    token: (parameters) => ask(
      () => oauth.clientCredentialsGrantRequest(server, client, authentication, new URLSearchParams(parameters), { ...options, DPoP }),
      oauth.processClientCredentialsResponse,
    ),
    async authorize(parameters) {
      verifier = oauth.generateRandomCodeVerifier();
      state = oauth.generateRandomState();
      return {
        ...parameters, response_type: 'code', client_id: id, redirect_uri: redirectUri, state, code_challenge_method: 'S256',
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier), dpop_jkt: await DPoP.calculateThumbprint(),
      };
    },
    callback(parameters) {
      const answer = oauth.validateAuthResponse(server, client, new URLSearchParams(parameters), state);
      return ask(
        () => oauth.authorizationCodeGrantRequest(server, client, authentication, answer, redirectUri, verifier, { ...options, DPoP }),
        oauth.processAuthorizationCodeResponse,
      );
    },
    refresh: (refreshToken) => ask(
      () => oauth.refreshTokenGrantRequest(server, client, authentication, refreshToken, { ...options, DPoP }),
      oauth.processRefreshTokenResponse,
    ),
    request: (token, url, { method, headers, body }) => again(() => oauth.protectedResourceRequest(
      token, method, new URL(url), new Headers(headers), body, { ...options, DPoP },
    )).catch(refusal),
  };
}

// By dpop, which makes proofs and nothing else; requests are the user's own.
async function proofsAlone({ issuer, client: id, secret, fetch }) {
  const server = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  const nonces = new Map(); // by origin
  let keys;
  const send = async (url, { method, headers, body }, token) => {
    const { origin, pathname } = new URL(url);
    const proof = keys && await dpop.generateProof(keys, `${origin}${pathname}`, method, nonces.get(origin), token);
    const response = await fetch(url, { method, body, duplex: 'half', headers: { ...headers, ...(proof && { DPoP: proof }) } });
    const nonce = response.headers.get('DPoP-Nonce');
    if (nonce) nonces.set(origin, nonce);
    return response;
  };
  const again = async (...request) => {
    const response = await send(...request);
    const asked = response.headers.get('WWW-Authenticate')?.includes('use_dpop_nonce')
      || (response.status === 400 && (await response.clone().json()).error === 'use_dpop_nonce');
    return asked ? send(...request) : response;
  };
  const ask = async (parameters) => {
    const response = await again(server.token_endpoint, {
      method: 'POST', body: new URLSearchParams(parameters).toString(),
      headers: {
        'Content-Type': 'application/x-www-form-urlencoded', Authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
      },
    });
    if (!response.ok) throw new Error(await response.text());
    return response.json();
  };
  return {
    async newKey(alg) { keys = alg && await dpop.generateKeyPair(alg); },
    keys: () => keys,
    thumbprint: () => dpop.calculateThumbprint(keys.publicKey),
    token: (parameters) => ask({ grant_type: 'client_credentials', ...parameters }),
    refresh: (refreshToken) => ask({ grant_type: 'refresh_token', refresh_token: refreshToken }),
    request: (token, url, { headers, ...more }) => again(
      url, { headers: { ...headers, Authorization: `${keys ? 'DPoP' : 'Bearer'} ${token}` }, ...more }, token,
    ),
  };
}

export const LIBRARIES = { 'openid-client': openidClient, oauth4webapi, dpop: proofsAlone };

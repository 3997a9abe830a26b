// Gets a token from the authorization server, by authorization code with PKCE (RFC 6749 4.1, RFC 7636), bound to a key if the
// user wants that (RFC 9449 5), and has it revoked by the page's backend. No ID token is asked for: who is logged in does not matter to this page, so there is no nonce either.

import { ask } from './ask.js';
import { makeKey, prove } from './dpop.js';
import { random, sha256 } from './encoding.js';

const redirectUri = `${location.origin}/`;

// Where the server's endpoints are (RFC 8414).
export async function discover(issuer) {
  const response = await ask(`${issuer}/.well-known/openid-configuration`);
  const server = await response.json();
  if (server.issuer !== issuer) throw new Error(`${issuer} says that it is ${server.issuer}`);
  return server;
}

// Leaves the page. What has to be known on the return waits in this tab's storage: the verifier, the state and whether to
// bind the token; no token, and no key.
export async function login(server, { client_id, scope }, bind) {
  const started = { verifier: random(), state: random(), bind };
  sessionStorage.setItem('login', JSON.stringify(started));
  location.assign(`${server.authorization_endpoint}?${new URLSearchParams({
    response_type: 'code', client_id, redirect_uri: redirectUri, scope, state: started.state,
    code_challenge: await sha256(started.verifier), code_challenge_method: 'S256',
    prompt: 'login', // after a logout nobody is logged in again unasked
  })}`);
}

// What the authorization server sent along, if that is where the browser comes from; taken out of the address at once.
export function takeAnswer() {
  const answer = new URLSearchParams(location.search);
  const started = JSON.parse(sessionStorage.getItem('login'));
  sessionStorage.removeItem('login');
  if (location.search) history.replaceState(null, '', location.pathname);
  return answer.has('code') || answer.has('error') ? { answer, started } : null;
}

// The token for the code in that answer: bound to a new key if that was asked for, else a bearer token.
export async function redeem(server, { client_id }, { answer, started }) {
  if (!started || answer.get('state') !== started.state) throw new Error('The answer belongs to no login that this page began: its state is another.');
  if (answer.get('iss') !== server.issuer) throw new Error('The answer is another authorization server\'s (RFC 9207).');
  if (answer.has('error')) throw new Error(`The authorization server says: ${answer.get('error_description') ?? answer.get('error')}.`);
  const key = started.bind ? await makeKey() : null;
  const token = await post(server.token_endpoint, {
    grant_type: 'authorization_code', client_id, redirect_uri: redirectUri, code: answer.get('code'), code_verifier: started.verifier,
  }, key && { DPoP: await prove(key, { method: 'POST', url: server.token_endpoint }) });
  const type = key ? 'DPoP' : 'Bearer';
  if (token.token_type.toLowerCase() !== type.toLowerCase()) throw new Error(`The authorization server gave a token of the type ${token.token_type}, not ${type}.`);
  return { value: token.access_token, scope: token.scope, expires: Date.now() + token.expires_in * 1000, revoked: false, key };
}

// The backend has the authorization server revoke it (RFC 7009) and then tells the gateway, which this page may not.
export const revoke = (token) => post('/revocation', { token: token.value });

async function post(endpoint, parameters, headers) {
  const response = await ask(endpoint, { method: 'POST', headers: headers ?? {}, body: new URLSearchParams(parameters) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${endpoint} answered ${response.status}: ${text}`);
  return text && JSON.parse(text);
}

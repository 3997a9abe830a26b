// Gets a token from the authorization server, by authorization code with PKCE (RFC 6749 4.1, RFC 7636), and has it revoked
// by the page's backend. No ID token is asked for: who is logged in does not matter to this page, so there is no nonce either.

import { ask } from './ask.js';

const redirectUri = `${location.origin}/`;

const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));
const sha256 = async (text) => base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))));

// Where the server's endpoints are (RFC 8414).
export async function discover(issuer) {
  const response = await ask(`${issuer}/.well-known/openid-configuration`);
  const server = await response.json();
  if (server.issuer !== issuer) throw new Error(`${issuer} says that it is ${server.issuer}`);
  return server;
}

// Leaves the page. What has to be known on the return waits in this tab's storage: the verifier and the state, no token.
export async function login(server, { client_id, scope }) {
  const started = { verifier: random(), state: random() };
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

// The token for the code in that answer.
export async function redeem(server, { client_id }, { answer, started }) {
  if (!started || answer.get('state') !== started.state) throw new Error('The answer belongs to no login that this page began: its state is another.');
  if (answer.get('iss') !== server.issuer) throw new Error('The answer is another authorization server\'s (RFC 9207).');
  if (answer.has('error')) throw new Error(`The authorization server says: ${answer.get('error_description') ?? answer.get('error')}.`);
  const token = await post(server.token_endpoint, {
    grant_type: 'authorization_code', client_id, redirect_uri: redirectUri, code: answer.get('code'), code_verifier: started.verifier,
  });
  return { value: token.access_token, scope: token.scope, expires: Date.now() + token.expires_in * 1000, revoked: false };
}

// The backend has the authorization server revoke it (RFC 7009) and then tells the gateway, which this page may not.
export const revoke = (token) => post('/revocation', { token: token.value });

async function post(endpoint, parameters) {
  const response = await ask(endpoint, { method: 'POST', body: new URLSearchParams(parameters) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${endpoint} answered ${response.status}: ${text}`);
  return text && JSON.parse(text);
}

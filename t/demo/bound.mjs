// A client whose token is bound to a key (DPoP, RFC 9449), for `./dev demo --all`: it calls the API with a proof, then somebody
// replays the token without the key. Prints each request; exits with 1 if an answer is not as it should be.
// Usage: node bound.mjs   (env: AS, the authorization server; GATEWAY)
import { webcrypto } from 'node:crypto';
import { asksForNonce, makeKey, prove, readProof } from './page/dpop.js';

const { AS, GATEWAY } = process.env;
globalThis.crypto ??= webcrypto; // Node 18

const url = `${GATEWAY}/api/orders`;
let nonce; // the last one that the gateway gave out
let mistakes = 0;

const indent = (lines) => lines.map((line) => `    ${line}`).join('\n');
const shorten = (text) => (text.length > 60 ? `${text.slice(0, 24)} ... ${text.slice(-8)}` : text);

function expect(what, is, wanted) {
  if (is === wanted) return;
  console.log(`    NOT AS EXPECTED: ${what} is "${is}", should be "${wanted}"`);
  mistakes += 1;
}

async function getToken(key) {
  const endpoint = `${AS}/token`;
  const answer = await fetch(endpoint, {
    method: 'POST',
    headers: { Authorization: `Basic ${btoa('app:app-secret')}`, DPoP: await prove(key, { method: 'POST', url: endpoint }) },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'read write' }),
  });
  const { access_token: token, token_type: type } = await answer.json();
  expect('the type of the token', type, 'DPoP');
  return token;
}

// Sends the token as one that is bound, with a proof, or as a bearer token, without; prints what was sent and what came.
async function call(title, token, proof) {
  const headers = { Authorization: `${proof ? 'DPoP' : 'Bearer'} ${token}`, ...(proof && { DPoP: proof }) };
  const answer = await fetch(url, { headers });
  const body = answer.ok ? await answer.json() : null;
  const challenge = answer.headers.get('WWW-Authenticate');
  const outcome = answer.headers.get('Phantom-Token-Status');
  nonce = answer.headers.get('DPoP-Nonce') ?? nonce;
  console.log(`${title}\n${indent(Object.entries(headers).map(([name, value]) => `${name}: ${shorten(value)}`))}`);
  if (proof) console.log(indent([`the proof's claims: ${JSON.stringify(readProof(proof).claims)}`]));
  console.log(indent([`-> ${answer.status}, ${outcome}`, ...(challenge ? [`WWW-Authenticate: ${challenge}`] : [])]));
  return { status: answer.status, challenge, outcome, body };
}

function expectRefusal({ status, challenge, outcome, body }, word, error) {
  expect('the status', status, 401);
  expect('the reason', outcome, word);
  expect('the scheme of the challenge', challenge?.split(' ')[0], 'DPoP');
  expect('the error in the challenge', challenge?.match(/error="(\w+)"/)?.[1], error);
  expect('whether the API was reached', body !== null, false);
}

const key = await makeKey();
const token = await getToken(key);
const proof = (by) => prove(by, { method: 'GET', url, token, nonce });

const first = await call('The client has no nonce yet', token, await proof(key));
expectRefusal(first, 'dpop_nonce', 'use_dpop_nonce');
expect('whether the client is to try again', asksForNonce(first), true);

const good = await proof(key);
const { status, body } = await call('It tries again with the nonce that came along', token, good);
expect('the status', status, 200);
expect('the key in the JWT', body?.jwt.claims.cnf?.jkt, key.thumbprint);
expect('the scheme that the API received', body?.received.find((line) => /^authorization:/i.test(line))?.split(' ')[1], 'Bearer');
expect('the proof that the API received', body?.received.find((line) => /^dpop:/i.test(line)), undefined);

expectRefusal(await call('Somebody without the key: the token as a bearer token', token), 'bound', 'invalid_token');
expectRefusal(await call('With a proof of another key', token, await proof(await makeKey())), 'dpop_proof', 'invalid_dpop_proof');
expectRefusal(await call("With the client's own proof, once more", token, good), 'dpop_replay', 'invalid_dpop_proof');
process.exit(mistakes ? 1 : 0);

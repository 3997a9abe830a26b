// What the buttons do. The token, and the key that it is bound to, live in this module's memory and nowhere else.

import { ask } from './ask.js';
import * as authorization from './authorization.js';
import { call } from './call.js';
import { asksForNonce, makeKey, prove } from './dpop.js';
import { explain, explainReplay, explainRevocation } from './explain.js';
import * as show from './show.js';

let settings;
let server;
let token = null;
let cachedUntil = 0; // when the gateway's cache entry for our token ends
let nonce; // the last one that the gateway gave out, for the next proof
let timer;

const names = {
  call: 'with the token', without: 'without a token', altered: 'altered token', malformed: 'malformed token', admin: 'for the scope admin',
  bearer: 'replay, as a bearer token', other: 'replay, proof of another key', again: 'replay, used proof',
};
const namesOfRevoked = { call: 'revoked, gateway told', untold: 'revoked, gateway not told', admin: 'revoked, for the scope admin' };

const actions = {
  login: async () => authorization.login(await discovered(), settings, show.wantsBinding()),
  call: () => request('call', '/api/orders', token.value),
  without: () => request('without', '/api/orders'),
  altered: () => request('altered', '/api/orders', altered(token?.value ?? 'an-opaque-token-that-nobody-has-ever-issued')),
  malformed: () => request('malformed', '/api/orders', 'not a token'),
  admin: () => request('admin', '/api/admin/users', token.value),
  replay: replayWithoutKey,
  revoke: revokeAndCall,
  logout,
};

const discovered = async () => server ??= await authorization.discover(settings.authorization_server);

// Another last character: as well-formed as before, but nobody's token.
const altered = (value) => value.slice(0, -1) + (value.endsWith('A') ? 'B' : 'A');

// With a proof, if our token is bound to a key; and once more, if the gateway asks for a nonce.
async function request(kind, path, value, key = token?.key) {
  if (!key || value === undefined) return send(kind, path, { token: value });
  const sendWithProof = async () => send(kind, path, { token: value, proof: await proofFor(path, value, key) });
  const result = await sendWithProof();
  return asksForNonce(result) ? sendWithProof() : result;
}

const proofFor = (path, value, key) => prove(key, { method: 'GET', url: `${location.origin}${path}`, token: value, nonce });

async function send(kind, path, credentials) {
  const result = await call(path, credentials);
  const own = token !== null && credentials.token === token.value;
  if (own && ['MISS', 'EXPIRED'].includes(result.cache)) cachedUntil = Date.now() + settings.cache_seconds * 1000;
  nonce = result.nonce ?? nonce;
  show.browser(token, result);
  show.gateway(result);
  show.api(result);
  show.challenge(result);
  show.addToCalls(own && token.revoked ? namesOfRevoked[kind] : names[kind], result);
  show.message(explain(result, { revoked: own && token.revoked, cacheSeconds: settings.cache_seconds }), result.status < 400 ? 'good' : 'bad');
  return result;
}

// What somebody can do who has seen one good request, with token and proof, but does not have the key.
async function replayWithoutKey() {
  const seen = await actions.call();
  const replays = [
    await request('bearer', seen.path, token.value, null),
    await request('other', seen.path, token.value, await makeKey()),
    await send('again', seen.path, { token: token.value, proof: seen.proof }),
  ];
  show.replay(replays);
  show.message(explainReplay(replays), replays.every(({ status }) => status >= 400) ? 'good' : 'bad');
}

// The same API where nobody tells the gateway what has been revoked.
const callUntold = () => request('untold', '/api/untold/orders', token.value);

// With a fresh answer in the gateway's cache, which both locations share, so that there is something to watch.
async function revokeAndCall() {
  if (cachedUntil < Date.now() + 2000) await actions.call();
  await authorization.revoke(token);
  token.revoked = true;
  show.actions(token);
  const untold = await callUntold();
  const told = await actions.call();
  show.revocation(told, untold);
  show.message(explainRevocation(told, untold), told.status < 400 ? 'bad' : 'good');
  if (untold.status === 200) waitForTheEnd(told);
}

// Counts down to the end of the cache entry, then calls again; nginx counts in whole seconds, so perhaps once more.
function waitForTheEnd(told) {
  clearInterval(timer);
  timer = setInterval(() => attempt(async () => {
    const left = Math.ceil((cachedUntil - Date.now()) / 1000);
    show.countdown(left > 0 ? `The gateway's cache entry ends in ${left} s. Then this page calls again.` : 'Calling again …');
    if (left >= 0) return;
    const untold = await callUntold();
    show.revocation(told, untold);
    if (untold.status !== 200) stopWaiting();
  }), 1000);
}

function stopWaiting() {
  clearInterval(timer);
  show.countdown('');
}

// The token is revoked, for it is good elsewhere as long as it lives, and forgotten.
async function logout() {
  stopWaiting();
  if (!token.revoked) await authorization.revoke(token);
  reset(null);
  show.message('Logged out. The token is revoked, and this page has forgotten it.');
}

function reset(newToken) {
  token = newToken;
  cachedUntil = 0;
  show.actions(token);
  show.browser(token, null);
  show.gateway(null);
  show.api(null);
  show.challenge(null);
  show.replay(null);
  show.revocation(null, null);
}

async function attempt(action) {
  try {
    await action();
  } catch (error) {
    stopWaiting();
    show.message(error.message, 'bad');
  }
}

async function start() {
  const answer = authorization.takeAnswer();
  reset(null);
  settings = await (await ask('/settings.json')).json();
  if (answer === null) return show.message('Nobody is logged in. Log in under any name, or see what a call without a token gets.');
  reset(await authorization.redeem(await discovered(), settings, answer));
  return show.message(token.key
    ? 'Logged in. The authorization server gave this page an opaque token that is bound to a key of this browser. Call the API with it.'
    : 'Logged in. The authorization server gave this page an opaque token. Call the API with it.', 'good');
}

document.querySelector('#actions').addEventListener('click', ({ target }) => {
  const button = target.closest('button');
  if (button) attempt(actions[button.dataset.action]);
});
attempt(start);

// Puts things on the page. Everything by textContent: what the servers say is text here, never HTML.

import { readProof } from './dpop.js';
import { claims, explainChallenges, proofParts, readChallenges } from './explain.js';

const $ = (selector) => document.querySelector(selector);

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const put = (id, ...children) => $(`#${id} .content`).replaceChildren(...children);
const code = (text) => element('code', { textContent: text });
const note = (text) => element('p', { className: 'note', textContent: text });
const clock = (time) => new Date(time).toLocaleTimeString();
const milliseconds = (seconds) => `${Math.round(seconds * 1000)} ms`;

// Rows of a term, a value and, where there is one, what it means.
function list(rows) {
  const terms = rows.map(([term, value, meaning]) => element('div', {},
    element('dt', { textContent: term }),
    element('dd', {}, value, ...(meaning ? [element('span', { className: 'meaning', textContent: meaning })] : []))));
  return element('dl', {}, ...terms);
}

export function message(text, kind = '') {
  const line = $('#message');
  line.className = kind;
  line.textContent = text;
}

export function countdown(text) {
  $('#countdown').hidden = text === '';
  $('#countdown').textContent = text;
}

// Log in or log out, whichever is possible; what needs a token only with one. The focus does not fall off the page.
export function actions(token) {
  const focused = document.activeElement?.dataset.action;
  for (const button of document.querySelectorAll('#actions button')) {
    const { action } = button.dataset;
    button.hidden = action === 'login' ? token !== null : action === 'logout' && token === null;
    button.disabled = ['call', 'admin', 'replay', 'revoke'].includes(action) && token === null
      || ['replay', 'revoke'].includes(action) && token?.revoked === true
      || action === 'replay' && !token?.key;
  }
  $('#binding').hidden = token !== null;
  if (focused === 'logout') $('[data-action=login]').focus();
  else if (focused === 'revoke') $('[data-action=call]').focus();
}

export const wantsBinding = () => $('#binding input').checked;

export function browser(token, result) {
  put('browser', ...(token === null ? [note('No token. Calls without one are possible, and refused.')] : held(token)), ...(result ? sent(result) : []));
}

const held = (token) => [
  element('p', { className: 'token' }, code(token.value)),
  note(`${token.value.length} random characters. Nothing can be read from them: no name, no right, no date.`),
  list([
    ['allows', code(token.scope), 'as the server said'],
    ['ends', clock(token.expires)],
    ['state', token.revoked ? 'revoked' : 'good'],
    token.key
      ? ['bound to', code(token.key.thumbprint), 'the thumbprint of a key that this page can use, but not read']
      : ['bound to', 'no key: it works for whoever has it'],
  ]),
];

function sent({ path, headers, proof }) {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value.split(' ').map(abridged).join(' ')}`);
  return [
    note('Its last request:'),
    element('p', { className: 'token' }, ...onLines([`GET ${path}`, ...('Authorization' in headers ? lines : ['no Authorization header'])])),
    ...(proof ? decoded(proof) : []),
  ];
}

const onLines = (texts) => texts.flatMap((text, i) => (i ? [element('br'), code(text)] : [code(text)]));

function decoded(proof) {
  const { header, claims: claimed } = readProof(proof);
  return [
    note('The proof, decoded:'),
    list(Object.entries({ ...header, ...claimed }).map(([name, value]) => [name, code(readable(name, value)), proofParts[name]])),
  ];
}

const verdict = ({ status }) => element('p', { className: status < 400 ? 'verdict good' : 'verdict bad' },
  element('strong', { textContent: status }), ` ${status < 400 ? 'let through' : 'refused'}`);

export function gateway(result) {
  if (result === null) return put('gateway', note('Nothing yet.'));
  return put('gateway',
    verdict(result),
    list([
      ['judged', code(result.outcome ?? '–'), '$phantom_token_status'],
      ['cache', result.cache ? code(result.cache) : 'not looked into', '$phantom_token_cache'],
      ['time', result.time ? milliseconds(result.time) : 'none', '$phantom_token_time'],
    ]),
    note(asked(result)));
}

// Whom the gateway asked about the token.
function asked({ cache, outcome, time }) {
  if (outcome === 'revoked') return 'Whatever its cache holds: the gateway has been told that this token is revoked.';
  if (!cache) return 'Nobody was asked: the request showed enough.';
  if (cache === 'HIT') return 'Its cache held the answer. Its own checks of time and scope run on every request.';
  return `The authorization server was asked, and took ${milliseconds(time)}.`;
}

export function api(result) {
  if (result === null) return put('api', note('Nothing yet.'));
  if (!result.received) return put('api', element('p', { className: 'verdict' }, 'Nothing.'), note('A request that is refused ends at the gateway.'));
  const { received: [line, ...headers], jwt } = result.received;
  const shown = headers.filter((header) => /^(authorization|dpop):/i.test(header));
  return put('api',
    element('p', { className: 'token' }, ...onLines([line, ...shown.map(shortened)])),
    note(`A JWT, ${jwt.header.alg}, its signature ${jwt.signature}. Its claims, decoded:`),
    list(inOrder(jwt.claims).map(([name, value]) => [name, code(readable(name, value)), claims[name]])),
    note('The API answers with what it received, so that this page can show it. A real API does not.'));
}

const abridged = (text) => (text.length > 24 ? `${text.slice(0, 12)}…${text.slice(-6)}` : text);
const shortened = (header) => (header.length > 60 ? `${header.slice(0, 42)}… (${header.length} characters)` : header);

// Those that we can explain first, in the order of the explanations.
function inOrder(received) {
  const names = new Set([...Object.keys(claims).filter((name) => name in received), ...Object.keys(received)]);
  return [...names].map((name) => [name, received[name]]);
}

function readable(name, value) {
  if (['exp', 'iat', 'nbf', 'auth_time'].includes(name)) return clock(value * 1000);
  return [value].flat().map((one) => (typeof one === 'object' ? JSON.stringify(one) : one)).join(', ');
}

export function challenge(result) {
  $('#challenge').hidden = !result?.challenge;
  if (!result?.challenge) return;
  const challenges = readChallenges(result.challenge);
  put('challenge',
    element('p', { className: 'token' }, ...onLines(challenges.map(challengeLine))),
    list(explainChallenges(challenges).map(({ text, sentence }) => [text, sentence])));
}

const challengeLine = ({ text }) => `WWW-Authenticate: ${text}`;

// The same token three times without its key: a card for each.
export function replay(replays) {
  $('#replay').hidden = replays === null;
  if (replays === null) return;
  const [bearer, other, again] = replays;
  put('replay',
    card('As a bearer token', bearer, 'The token says to which key it is bound. Without a proof it is nothing.'),
    card('With a proof of another key', other, 'Anybody can make a key and a proof. The token names another key.'),
    card('With the proof of a good request', again, 'The proof is the right key\'s, but its own number has come before: the gateway remembers it until the proof is too old.'));
}

// The same token, just revoked, at two locations: a card for each.
export function revocation(told, untold) {
  $('#revocation').hidden = told === null;
  if (told === null) return;
  put('revocation',
    card('The gateway was told', told, 'The authorization server revoked the token, then this page\'s backend told the gateway.'),
    card('The gateway was not told', untold, untold.status < 400
      ? 'The authorization server revoked the token, and the answer in the gateway\'s cache is from before. It counts until it ends.'
      : 'Its cache entry has ended. It asked the authorization server, and the token is good no more.'));
}

const card = (title, result, sentence) => element('div', { className: 'card' },
  element('h3', { textContent: title }),
  element('p', {}, code(`GET ${result.path}`)),
  verdict(result),
  element('p', {}, 'judged ', code(result.outcome ?? '–'), ', cache ', result.cache ? code(result.cache) : 'not looked into'),
  ...readChallenges(result.challenge ?? '').map((challenge) => element('p', {}, code(challengeLine(challenge)))),
  note(sentence));

export function addToCalls(name, result) {
  $('#calls').hidden = false;
  const cells = [result.status, result.outcome ?? '–', result.cache ?? '–', result.time ? milliseconds(result.time) : '–'];
  const row = element('tr', {}, element('th', { scope: 'row', textContent: name }), ...cells.map((text) => element('td', { textContent: text })));
  row.className = result.status < 400 ? 'good' : 'bad';
  $('#calls tbody').prepend(row);
}

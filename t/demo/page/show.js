// Puts things on the page. Everything by textContent: what the servers say is text here, never HTML.

import { claims, explainChallenge } from './explain.js';

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
    button.disabled = ['call', 'admin', 'revoke'].includes(action) && token === null || action === 'revoke' && token?.revoked === true;
  }
  if (focused === 'logout') $('[data-action=login]').focus();
  else if (focused === 'revoke') $('[data-action=call]').focus();
}

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
  ]),
];

const sent = ({ path, token }) => [
  note('Its last request:'),
  element('p', { className: 'token' }, code(`GET ${path}`), element('br'),
    code(token === undefined ? 'no Authorization header' : `Authorization: Bearer ${abridged(token)}`)),
];

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
  const authorization = headers.find((header) => /^authorization:/i.test(header)) ?? '';
  return put('api',
    element('p', { className: 'token' }, code(line), element('br'), code(shortened(authorization))),
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

const readable = (name, value) => (['exp', 'iat', 'nbf'].includes(name) ? clock(value * 1000) : [value].flat().join(', '));

export function challenge(result) {
  $('#challenge').hidden = !result?.challenge;
  if (!result?.challenge) return;
  put('challenge',
    element('p', { className: 'token' }, code(`WWW-Authenticate: ${result.challenge}`)),
    list(explainChallenge(result.challenge).map(({ text, sentence }) => [text, sentence])));
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
  note(sentence));

export function addToCalls(name, result) {
  $('#calls').hidden = false;
  const cells = [result.status, result.outcome ?? '–', result.cache ?? '–', result.time ? milliseconds(result.time) : '–'];
  const row = element('tr', {}, element('th', { scope: 'row', textContent: name }), ...cells.map((text) => element('td', { textContent: text })));
  row.className = result.status < 400 ? 'good' : 'bad';
  $('#calls tbody').prepend(row);
}

// The load: a mixture of requests over HTTP/1.1 and HTTP/2, each with the one answer that it must get. Ends after
// SOAK_SECONDS and says what it counted.
//
// A connection that was used before may be closed by the server just when the next request is sent; nginx does so when
// it reloads. As RFC 9110 section 9.2.2 allows, a request on such a connection that got no byte of an answer is sent
// once more on another, if its method is idempotent. These are counted as resent. All other errors are failures.

import { Agent, request as http1Request } from 'node:http';
import { connect as http2Connect } from 'node:http2';
import { logoutToken, signedJwt } from './tokens.mjs';

const { SOAK_PORT: port, SOAK_HTTP2_PORT: http2Port } = process.env;
const end = Date.now() + 1000 * process.env.SOAK_SECONDS;
const counts = { requests: 0, http1: 0, http2: 0, aborted: 0, resent: 0, wrong: 0, failed: 0, kinds: {},
  revoked: { token: 0, sub: 0, logout_token: 0 }, refused: 0 };
const silence = 200_000; // ms without an answer: nobody takes so long, however busy the machine is
const examples = [];
let number = 0;

const complain = (what, text) => {
  counts[what]++;
  if (examples.length < 20) examples.push(`${what}: ${text}`);
};

// ---- what is asked ----

const any = (count) => Math.floor(Math.random() * count);
const own = Array.from({ length: 30 }, (_, n) => `own~${n}~read`);
const forged = own.map((token) => `${signedJwt(token).slice(0, -8)}AAAAAAAA`);

const allowed = (path, token, more = {}) => ({ path, token, status: 200, expect: token, ...more });
const refused = (path, token, status, more = {}) => ({ path, token, status, expect: 'nothing', ...more });
const upload = () => ({ method: 'PUT', body: Buffer.alloc(1 + any(60000), 'b') });

// ---- what is revoked ----

// Persons, each with one token. When it is revoked, the person gets another with a later `iat`. A revocation counts
// where it has been answered, on each worker from a second later on; from when it is sent until then, both answers are
// right.

const grace = 1000; // ms
const seconds = () => Math.floor(Date.now() / 1000);
const newToken = (name) => { const iat = seconds() + 1; return { name, iat, text: `ok~${name}~read~${iat}` }; };
const persons = Array.from({ length: 300 }, (_, n) => newToken(`person-${n}`));
const revoked = [];
const isInForce = (token) => token.revokedAt !== undefined && Date.now() > token.revokedAt + grace;

function useToken(token) {
  const path = ['/hot', '/cached', '/plain', '/own'][any(token.revokedBy === 'token' ? 3 : 4)];
  const text = path === '/own' ? signedJwt(token.text) : token.text;
  return isInForce(token) ? refused(path, text, 401, { isRefusal: true })
    : allowed(path, text, { expect: token.text, mayBeRefused: () => token.revokedBy !== undefined });
}

const forms = {
  token: (token) => ({ token: token.text }),
  sub: (token) => ({ sub: token.name, iss: 'https://as' }),
  logout_token: (token) => ({ logout_token: logoutToken(token.name) }),
};

// A token of this second, or the next, is none that a revocation of now is about.
function revokeToken() {
  const place = any(persons.length);
  const token = persons[place];
  if (token.revokedBy !== undefined || token.iat >= seconds()) return useToken(token);
  token.revokedBy = Object.keys(forms)[any(3)];
  return {
    path: '/revoke', method: 'POST', status: 200, answer: '',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: Buffer.from(new URLSearchParams(forms[token.revokedBy](token)).toString()),
    done: () => {
      token.revokedAt = Date.now();
      counts.revoked[token.revokedBy]++;
      revoked.push(token);
      persons[place] = newToken(token.name);
    },
  };
}

// [weight, name, request]
const kinds = [
  [20, 'hit', () => allowed('/cached', `ok~${any(50)}~read`)],
  [20, 'hot', () => allowed('/hot', `ok~${any(50)}~read`)],
  [5, 'hot, another answer for each', () => allowed('/hot', `json~${any(2000)}~read+admin`)],
  [6, 'miss', () => allowed('/plain', `ok~new-${number}~read`)],
  [4, 'miss, cached', () => allowed('/cached', `ok~new-${number}~read`)],
  [1, 'slow', () => allowed('/hot', `slow~${any(5)}-${Math.floor(Date.now() / 500)}~read`)],
  [4, 'scope', () => allowed('/admin', `ok~${any(50)}~read+admin`)],
  [3, 'hot scope', () => allowed('/hot-admin', `json~${any(2000)}~read+admin`)],
  [3, 'no scope', () => refused('/admin', `ok~${any(50)}~read`, 403)],
  [3, 'no hot scope', () => refused('/hot-admin', `ok~${any(50)}~read`, 403)],
  [4, 'exchange', () => allowed('/exchange', `exchanged~${any(500)}~read`)],
  [4, 'verified', () => allowed('/verified', `signed~${any(30)}~read`)],
  [2, 'not signed', () => refused('/verified', `ok~${any(50)}~read`, 502)],
  [3, 'own', () => { const token = own[any(30)]; return allowed('/own', signedJwt(token), { expect: token }); }],
  [1, 'forged', () => refused('/own', forged[any(30)], 401)],
  [3, 'redirect', () => allowed('/page', `ok~${any(50)}~read`)],
  [3, 'inactive', () => refused('/cached', `unknown~${any(50)}`, 401)],
  [3, 'missing', () => refused('/hot', undefined, 401)],
  [1, 'malformed', () => refused('/hot', 'a b', 401)],
  [1, 'broken', () => refused('/plain', 'broken~', 502)],
  [1, 'busy', () => refused('/plain', 'busy~', 503)],
  [2, 'bypass', () => ({ ...allowed('/any', `ok~${any(50)}~read`), expect: 'none' })],
  [1, 'preflight', () => ({ path: '/hot', method: 'OPTIONS', status: 200, expect: 'none',
    headers: { origin: 'https://app', 'access-control-request-method': 'PUT' } })],
  [3, 'upload', () => allowed('/hot', `ok~${any(50)}~read`, upload())],
  [2, 'upload, miss', () => allowed('/plain', `slow~new-${number}~read`, upload())],
  [1, 'upload, refused', () => refused('/cached', `unknown~${any(50)}`, 401, upload())],
  [6, 'person', () => useToken(persons[any(persons.length)])],
  [4, 'revoked', () => useToken(revoked.at(-1 - any(Math.min(revoked.length, any(2) ? 100 : Infinity))) ?? persons[0])],
  [2, 'revocation', revokeToken],
  [1, 'abort', () => allowed('/plain', `slow~new-${number}~read`, { abortAfter: any(60) })],
  [1, 'abort of an upload', () => allowed('/hot', `slow~new-${number}~read`, { abortAfter: any(60), ...upload() })],
];
const drawn = kinds.flatMap(([weight, name, make]) => Array(weight).fill([name, make]));

function draw() {
  const [kind, make] = drawn[any(drawn.length)];
  number++;
  const request = { kind, number: String(number), method: 'GET', ...make() };
  request.headers = {
    ...request.headers,
    'x-number': request.number,
    ...(request.expect === undefined ? {} : { 'x-expect': request.expect }),
    ...(request.token === undefined ? {} : { authorization: `Bearer ${request.token}` }),
    ...(request.body ? { 'content-length': request.body.length, 'x-length': request.body.length } : {}),
  };
  return request;
}

// ---- how it is sent: { status, headers, body }, or an error with .early where nothing came and the connection was old ----

const agent = new Agent({ keepAlive: true, maxSockets: 32 });
const used = new WeakSet(); // connections that have had a request

function sendHttp1({ path, method, headers, body, abortAfter }) {
  counts.http1++;
  let reused = false;
  return new Promise((resolve, reject) => {
    const sent = http1Request({ agent, port, host: '127.0.0.1', path, method, headers, timeout: silence }, (response) => {
      const pieces = [];
      response.on('data', (piece) => pieces.push(piece));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(pieces).toString() }));
      response.on('error', reject);
      response.on('close', () => { if (!response.complete) reject(new Error('the response was cut')); });
    });
    sent.on('socket', (socket) => { reused = used.has(socket); used.add(socket); });
    sent.on('timeout', () => sent.destroy(new Error('no answer')));
    sent.on('error', (error) => {
      error.early = reused && !sent.res && ['ECONNRESET', 'EPIPE'].includes(error.code);
      reject(error);
    });
    sent.end(body);
    if (abortAfter !== undefined) setTimeout(() => sent.destroy(new Error('aborted')), abortAfter);
  });
}

const sessions = [];

function sessionFor(place) {
  if (!sessions[place] || sessions[place].closed || sessions[place].destroyed || sessions[place].isGoingAway) {
    const session = http2Connect(`http://127.0.0.1:${http2Port}`);
    session.on('goaway', () => { session.isGoingAway = true; session.close(); });
    session.on('error', () => { session.isGoingAway = true; });
    session.streams = 0;
    sessions[place] = session;
  }
  return sessions[place];
}

function sendHttp2({ path, method, headers, body, abortAfter }, place) {
  counts.http2++;
  const session = sessionFor(place);
  const reused = session.streams++ > 0;
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': path, ':method': method, ...headers });
    const pieces = [];
    let answer;
    let isLate = false;
    stream.setTimeout(silence, () => { isLate = true; stream.destroy(new Error('no answer')); });
    stream.on('response', (fields) => { answer = { status: fields[':status'], headers: fields }; });
    stream.on('data', (piece) => pieces.push(piece));
    stream.on('end', () => { if (answer) resolve({ ...answer, body: Buffer.concat(pieces).toString() }); });
    stream.on('error', (error) => reject(Object.assign(error, { early: reused && !answer && !isLate })));
    stream.on('close', () => reject(Object.assign(new Error(`the stream ended, code ${stream.rstCode}`), { early: reused && !answer && !isLate })));
    stream.end(body);
    if (abortAfter !== undefined) setTimeout(() => stream.destroy(new Error('aborted')), abortAfter);
  });
}

// ---- whether the answer is right ----

function faultOf(request, { status, headers, body }) {
  const isRefusal = status === 401 && (request.isRefusal || request.mayBeRefused?.());
  if (isRefusal) counts.refused++;
  if (status !== request.status && !isRefusal) return `status ${status}, not ${request.status}`;
  if (status === 200) {
    const answer = request.answer ?? `${request.number} ${request.expect}`;
    return body === answer ? undefined : `it says ${body}`;
  }
  const challenged = headers['www-authenticate'] !== undefined;
  return challenged === (status === 401 || status === 403) ? undefined : 'its challenge';
}

async function sendOne(send, place) {
  const request = draw();
  counts.requests++;
  counts.kinds[request.kind] = (counts.kinds[request.kind] ?? 0) + 1;
  for (let turn = 1; ; turn++) {
    try {
      const fault = faultOf(request, await send(request, place));
      if (!fault) request.done?.();
      if (fault) complain('wrong', `${request.kind}, ${request.method} ${request.path}: ${fault}`);
      return;
    } catch (error) {
      if (request.abortAfter !== undefined) { counts.aborted++; return; }
      if (!error.early || turn === 5) { complain('failed', `${request.kind}, ${request.method} ${request.path}: ${error.message} ${error.code ?? ''}`); return; }
      counts.resent++;
    }
  }
}

async function loop(send, place) {
  while (Date.now() < end) await sendOne(send, place);
}

await Promise.all([
  ...Array.from({ length: 24 }, () => loop(sendHttp1)),
  ...Array.from({ length: 24 }, (_, n) => loop(sendHttp2, n % 6)),
]);
process.stdout.write(`${JSON.stringify({ ...counts, examples })}\n`, () => process.exit(0));

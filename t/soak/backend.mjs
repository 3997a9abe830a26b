// The authorization server and the API behind the load. The API holds every request that it sees against what its client
// says of it: x-expect is the token whose JWT belongs there, 'none' where there must be no Authorization, 'nothing' where
// the request must not come at all. On SIGTERM it says what it counted.

import { createServer } from 'node:http';
import { cheapJwt, jwks, readToken, signedJwt, tokenIn } from './tokens.mjs';

const counts = { api: 0, as: 0, misdelivered: 0, broken_bodies: 0 };
const examples = [];

async function bodyOf(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces);
}

function send(response, status, type, body, headers = {}) {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body), ...headers });
  response.end(body);
}

const sendJson = (response, value) => send(response, 200, 'application/json', JSON.stringify(value));

const answers = {
  ok: (response, token) => send(response, 200, 'application/jwt', cheapJwt(token)),
  slow: (response, token) => setTimeout(() => answers.ok(response, token), 50),
  signed: (response, token) => send(response, 200, 'application/jwt', signedJwt(token)),
  json: (response, token) => sendJson(response, { active: true, scope: readToken(token).scope, jwt: cheapJwt(token) }),
  exchanged: (response, token) => sendJson(response, { access_token: cheapJwt(token),
    issued_token_type: 'urn:ietf:params:oauth:token-type:jwt', token_type: 'Bearer' }),
  broken: (response) => send(response, 500, 'text/plain', 'broken'),
  busy: (response) => send(response, 503, 'text/plain', 'busy', { 'Retry-After': '7' }),
};

async function answerGateway(request, response) {
  counts.as++;
  if (request.url === '/keys') return sendJson(response, jwks);
  const form = new URLSearchParams((await bodyOf(request)).toString());
  const token = form.get('token') ?? form.get('subject_token') ?? '';
  const answer = answers[readToken(token).kind];
  return answer ? answer(response, token) : sendJson(response, { active: false });
}

async function answerClient(request, response) {
  counts.api++;
  const token = tokenIn(request.headers.authorization);
  const expected = request.headers['x-expect'];
  if (token !== expected) {
    counts.misdelivered++;
    if (examples.length < 10) examples.push(`${request.method} ${request.url}: ${token} in place of ${expected}`);
  }
  const body = await bodyOf(request);
  if (body.length !== Number(request.headers['x-length'] ?? 0) || !body.every((byte) => byte === 0x62)) counts.broken_bodies++;
  send(response, 200, 'text/plain', `${request.headers['x-number']} ${token}`);
}

// A client of theirs that goes away in the middle of a body is no fault.
const serve = (port, answer) => createServer({ keepAliveTimeout: 0 }, (request, response) => {
  answer(request, response).catch(() => response.destroy());
}).listen(port, '127.0.0.1', 511);

serve(process.env.SOAK_AS_PORT, answerGateway);
serve(process.env.SOAK_API_PORT, answerClient);
process.on('SIGTERM', () => {
  process.stdout.write(`${JSON.stringify({ ...counts, examples })}\n`, () => process.exit(0));
});

// OAuth clients on the libraries of libraries.mjs, in one process. Usage: node clients.mjs PORT. What they are to do comes
// as POST with JSON, the path names it; the answer is JSON, { error } where it did not work. Fields of all: name, the
// client's own.
//
// /start    { library, issuer, client, secret, redirectUri, ca, certificate, key }: files; a name that is there is replaced
// /key      { alg }                 a new key; without alg none. { jkt }
// /token, /authorize, /callback     { parameters }
// /refresh  { refreshToken }
// /request  { token, url, method, headers, body, stream }: through the library. { status, headers, body }. stream: the body
//           goes out in pieces of that length
// /proof    { token, url, method, nonce }: by npm's dpop, for a request that somebody else sends. { proof }
// /socket   { token, url, text }: a websocket, whose handshake has a proof. { messages }: the first two that come
import './webcrypto.mjs';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import * as dpop from 'dpop';
import { Agent, WebSocket, fetch } from 'undici';
import { LIBRARIES } from './libraries.mjs';

const clients = new Map();

// What goes over the wire: HTTP/2 where the server has it by ALPN.
function agentFor({ ca, certificate, key, http2 }) {
  const read = (file) => file && readFileSync(file);
  return new Agent({ allowH2: Boolean(http2), connect: { ca: read(ca), cert: read(certificate), key: read(key) } });
}

function inPieces(text, length) {
  let from = 0;
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(Buffer.from(text.slice(from, from += length)));
      if (from >= text.length) controller.close();
    },
  });
}

const proofFor = (client, { token, url, method = 'GET', nonce }) => {
  const { origin, pathname } = new URL(url);
  return dpop.generateProof(client.keys(), `${origin}${pathname}`, method, nonce, token);
};

// `WebSocket` of the browser's API has no header fields; undici's has.
async function talk(client, { token, url, text }) {
  const proof = await proofFor(client, { token, url: url.replace(/^ws/, 'http') });
  const socket = new WebSocket(url, { dispatcher: client.agent, headers: { Authorization: `DPoP ${token}`, DPoP: proof } });
  const messages = [];
  return new Promise((resolve) => {
    socket.onopen = () => socket.send(text);
    socket.onerror = ({ message, error }) => resolve({ error: message || String(error) });
    socket.onmessage = ({ data }) => {
      if (messages.push(data) < 2) return;
      socket.close();
      resolve({ messages });
    };
  });
}

const COMMANDS = {
  async start(_, options) {
    const agent = agentFor(options);
    const client = await LIBRARIES[options.library]({ ...options, fetch: (url, init) => fetch(url, { ...init, dispatcher: agent }) });
    clients.set(options.name, { ...client, agent });
    return {};
  },
  async key(client, { alg }) {
    await client.newKey(alg);
    return alg ? { jkt: await client.thumbprint() } : {};
  },
  token: (client, { parameters }) => client.token(parameters),
  authorize: (client, { parameters }) => client.authorize(parameters),
  callback: (client, { parameters }) => client.callback(parameters),
  refresh: (client, { refreshToken }) => client.refresh(refreshToken),
  async request(client, { token, url, method = 'GET', headers, body, stream }) {
    const response = await client.request(token, url, { method, headers, body: stream ? inPieces(body, stream) : body });
    return { status: response.status, headers: [...response.headers], body: await response.text() };
  },
  proof: async (client, request) => ({ proof: await proofFor(client, request) }),
  socket: talk,
};

createServer(async (request, response) => {
  const answer = await (async () => {
    const command = COMMANDS[request.url.slice(1)];
    if (!command) return {};
    const fields = await json(request);
    return command(clients.get(fields.name), fields);
  })().catch((error) => ({ error: `${error.stack}\n${JSON.stringify(error.cause) ?? ''}` }));
  const body = JSON.stringify(answer);
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }).end(body);
}).listen(Number(process.argv[2]), '127.0.0.1');

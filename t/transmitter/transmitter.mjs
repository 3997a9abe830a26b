// A transmitter of security event tokens (RFC 8417), which it pushes to receivers (RFC 8935). Usage:
// node transmitter.mjs FOLDER PORT, where FOLDER has npm's jose in its node_modules.
//
// GET /jwks: its keys. POST /push, JSON { receivers, audience, claims }: a token with these claims goes to each of the
// receivers' URLs, again after each 503 until it is taken or refused; the answer is JSON, an array of { status, body,
// attempts, milliseconds }.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { randomUUID } from 'node:crypto';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

const [FOLDER, PORT] = process.argv.slice(2);
const { SignJWT, exportJWK, generateKeyPair } = await import(
  pathToFileURL(createRequire(`${FOLDER}/x`).resolve('jose')));
const ISSUER = `http://127.0.0.1:${PORT}`;
const ATTEMPTS = 20;

const { privateKey, publicKey } = await generateKeyPair('ES256');
const keys = [{ ...await exportJWK(publicKey), kid: 'transmitter', alg: 'ES256', use: 'sig' }];

const sign = (claims, audience) => new SignJWT(claims).setProtectedHeader({ alg: 'ES256', typ: 'secevent+jwt', kid: 'transmitter' })
  .setIssuer(ISSUER).setAudience(audience).setIssuedAt().setJti(randomUUID()).sign(privateKey);

// RFC 8935 sections 2.1 and 2.4. A receiver that is out of reach is one that answers 503.
async function push(receiver, token) {
  const start = performance.now();
  for (let attempts = 1; ; attempts += 1) {
    const response = await fetch(receiver, {
      method: 'POST', body: token, headers: { 'Content-Type': 'application/secevent+jwt', Accept: 'application/json' },
    }).catch((error) => new Response(error.message, { status: 503 }));
    const body = await response.text();
    if (response.status !== 503 || attempts === ATTEMPTS) {
      return { status: response.status, body, attempts, milliseconds: performance.now() - start };
    }
    await sleep(1000 * Number(response.headers.get('Retry-After') ?? 1));
  }
}

async function answer(request) {
  if (request.url === '/jwks') return { keys };
  const { receivers, audience, claims } = await json(request);
  const token = await sign(claims, audience);
  return Promise.all(receivers.map((receiver) => push(receiver, token)));
}

createServer(async (request, response) => {
  const body = JSON.stringify(await answer(request));
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }).end(body);
}).listen(Number(PORT), '127.0.0.1');

// The API of `./dev demo`: checks the JWT as an API would, and answers with the request that it received.
// Usage: node api.mjs   (env: PORT, JWKS)
import { createPublicKey, verify } from 'node:crypto';
import { createServer } from 'node:http';

const { PORT, JWKS } = process.env;

const decode = (part) => JSON.parse(Buffer.from(part, 'base64url'));

async function signatureIsValid(header, signed, signature) {
  const { keys } = await (await fetch(JWKS)).json();
  const key = keys.find(({ kid }) => kid === header.kid);
  return header.alg === 'RS256' && key !== undefined
    && verify('sha256', Buffer.from(signed), createPublicKey({ key, format: 'jwk' }), Buffer.from(signature, 'base64url'));
}

async function readJwt(authorization = '') {
  const [header, claims, signature] = authorization.replace(/^Bearer /, '').split('.');
  if (signature === undefined) return null;
  const valid = await signatureIsValid(decode(header), `${header}.${claims}`, signature);
  return { header: decode(header), claims: decode(claims), signature: valid ? 'valid' : 'INVALID' };
}

function requestLines({ method, url, httpVersion, rawHeaders: raw }) {
  const headers = raw.flatMap((name, i) => (i % 2 ? [] : `${name}: ${raw[i + 1]}`));
  return [`${method} ${url} HTTP/${httpVersion}`, ...headers];
}

async function answer(request, response) {
  console.log(request.method, request.url);
  const body = { received: requestLines(request), jwt: await readJwt(request.headers.authorization) };
  response.setHeader('Content-Type', 'application/json');
  response.end(`${JSON.stringify(body, null, 2)}\n`);
}

createServer((request, response) => {
  request.resume();
  answer(request, response).catch((error) => response.writeHead(500).end(`${error}\n`));
}).listen(Number(PORT), '127.0.0.1');

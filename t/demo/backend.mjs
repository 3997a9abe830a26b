// The page's own backend in `./dev demo`: has a token revoked, by the authorization server first, then by the gateway, which
// nobody else would tell.
// Usage: node backend.mjs   (env: PORT, CLIENT, REVOCATION: the authorization server's endpoint, GATEWAY: the gateway's)
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';

const { PORT, CLIENT, REVOCATION, GATEWAY } = process.env;

// Throws unless the answer is 200. RFC 7009 at both; the gateway knows no clients.
async function send(who, url, form) {
  const answer = await fetch(url, { method: 'POST', body: new URLSearchParams(form) });
  if (answer.status !== 200) throw new Error(`${who} answered ${answer.status}: ${await answer.text()}`);
}

async function revoke(request) {
  const token = new URLSearchParams(await text(request)).get('token') ?? '';
  await send('The authorization server', REVOCATION, { client_id: CLIENT, token });
  await send('The gateway', GATEWAY, { token });
}

createServer((request, response) => {
  revoke(request).then(() => response.end(), (error) => response.writeHead(502, { 'Content-Type': 'text/plain' }).end(error.message));
}).listen(Number(PORT), '127.0.0.1');

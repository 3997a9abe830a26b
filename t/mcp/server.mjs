// An MCP server on the protocol's own SDK, for tests and for `./dev demo --mcp`: streamable HTTP of 2026-07-28, and with
// sessions of 2025-11-25 and before. It is reached on loopback alone, and knows nothing of tokens but what the gateway says in
// a JWT. Usage: node server.mjs   (env: PORT, JWKS)
import { createPublicKey, randomUUID, verify, webcrypto } from 'node:crypto';
import { EventEmitter, on } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { NodeStreamableHTTPServerTransport, toNodeHandler, toWebRequest } from '@modelcontextprotocol/node';
import { McpServer, createMcpHandler, isLegacyRequest } from '@modelcontextprotocol/server';
import { z } from 'zod';

globalThis.crypto ??= webcrypto; // Node 18
const { PORT, JWKS } = process.env;
const SCOPES = { announce: 'mcp:write' }; // beside mcp:read, which the gateway asks for
const boards = new EventEmitter().setMaxListeners(0);

// ---- who calls ----

const decode = (part) => JSON.parse(Buffer.from(part, 'base64url'));

// The claims of the gateway's JWT; undefined where there is none that is signed by it.
async function claimsOf(authorization = '') {
  const [head, claims, signature] = authorization.replace(/^Bearer /, '').split('.');
  if (signature === undefined || JWKS === undefined) return undefined;
  const { keys } = await (await fetch(JWKS)).json();
  const key = keys.find(({ kid }) => kid === decode(head).kid);
  const valid = key && decode(head).alg === 'ES256' && verify('sha256', Buffer.from(`${head}.${claims}`),
    { key: createPublicKey({ key, format: 'jwk' }), dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'));
  return valid ? decode(claims) : undefined;
}

// Older clients do not say in a header which tool they call, so the gateway cannot know: here the server itself refuses.
function missingScope(message, claims) {
  const scope = message?.method === 'tools/call' ? SCOPES[message.params?.name] : undefined;
  return scope === undefined || claims === undefined || claims.scope.split(' ').includes(scope) ? undefined : scope;
}

// ---- the tools ----

const say = (value) => ({ content: [{ type: 'text', text: typeof value === 'string' ? value : JSON.stringify(value) }] });

function build() {
  const server = new McpServer({ name: 'bulletin-board', version: '1.0.0' });
  server.registerTool('whoami', { description: 'Says on whose behalf the client calls', inputSchema: z.object({}) }, async (_, ctx) => {
    const headers = ctx.http?.req?.headers;
    const authorization = headers?.get('authorization') ?? undefined;
    return say({ authorization: authorization?.replace(/\..*/, '…') ?? null, claims: (await claimsOf(authorization)) ?? null,
      user: headers?.get('x-user') ?? null });
  });
  server.registerTool('announce', {
    description: 'Puts a line on a board, for all who listen',
    inputSchema: z.object({ line: z.string(), board: z.string().default('main') }),
  }, async ({ line, board }) => {
    const listeners = boards.listenerCount(board);
    boards.emit(board, line);
    return say(`${listeners} listened`);
  });
  server.registerTool('listen', {
    description: 'Streams what is announced, until "end"',
    inputSchema: z.object({ board: z.string().default('main') }),
  }, async ({ board }, ctx) => {
    const { progressToken } = ctx.mcpReq._meta ?? {};
    const notify = (progress, message) => ctx.mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, message } });
    const announced = on(boards, board, { signal: ctx.mcpReq.signal });
    const lines = [];
    await notify(0, 'listening');
    for await (const [line] of announced) {
      if (line === 'end') break;
      lines.push(line);
      await notify(lines.length, line);
    }
    return say(lines);
  });
  return server;
}

// ---- HTTP ----

const modern = toNodeHandler(createMcpHandler(build, { legacy: 'reject' }));
const sessions = new Map();

async function startSession() {
  const transport = new NodeStreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => { sessions.set(id, transport); },
  });
  await build().connect(transport);
  return transport;
}

async function answer(request, response) {
  console.log(request.method, request.headers['mcp-session-id'] ?? '-', request.headers.authorization ?? '-');
  if (request.url !== '/mcp') return response.writeHead(404).end();
  let message;
  if (request.method === 'POST') {
    try { message = JSON.parse(await text(request)); } catch { return response.writeHead(400).end(); }
  }
  if (!await isLegacyRequest(await toWebRequest(request, message), message)) return modern(request, response, message);
  const scope = missingScope(message, await claimsOf(request.headers.authorization));
  if (scope !== undefined) {
    return response.writeHead(403, { 'WWW-Authenticate': `Bearer error="insufficient_scope", scope="${scope}"` }).end();
  }
  const transport = sessions.get(request.headers['mcp-session-id']) ?? await startSession();
  return transport.handleRequest(request, response, message);
}

createServer((request, response) => {
  answer(request, response).catch((error) => { console.error(error); response.destroy(); });
}).listen(Number(PORT), '127.0.0.1', () => console.log('ready'));

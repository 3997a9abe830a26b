// The client of `./dev demo --mcp`: what it asks, what it is answered, from the first 401 to a tool that takes one scope more.
// Usage: node demo.mjs URL   (of the MCP server, at the gateway)
import { Person, connect } from './client.mjs';

const url = process.argv[2];
const bold = (text) => (process.stdout.isTTY ? `\x1b[1m${text}\x1b[0m` : text);
const title = (text) => console.log(`\n${bold(text)}\n`);
const show = (text) => console.log(`    ${text}`);
const mistakes = [];

function expect(what, is, should) {
  if (is === should) return;
  mistakes.push(what);
  show(`NOT AS EXPECTED: ${what} is ${is}, should be ${should}`);
}

const statuses = []; // of what the gateway answered

// Shows each request of the client, and of its answer what matters to it.
async function watched(address, options = {}) {
  const response = await fetch(address, options);
  const headers = new Headers(options.headers);
  const said = ['mcp-method', 'mcp-name'].map((name) => headers.get(name)).filter(Boolean).join(' ');
  show([options.method ?? 'GET', address, said && `(${said})`, '->', response.status].filter(Boolean).join(' '));
  const challenge = response.headers.get('www-authenticate');
  if (challenge) show(`  WWW-Authenticate: ${challenge}`);
  if (`${address}`.includes('/.well-known/oauth-protected-resource')) show(`  ${(await response.clone().text()).trim()}`);
  if (`${address}` === url) statuses.push(response.status);
  return response;
}

const person = new Person({ log: (...step) => show(`** ${step.join(' ')}`) });

title('1. A client is given the address of an MCP server, and nothing else. It learns where to get a token, and alice signs in');
const client = await connect(url, person, { fetch: watched });
expect('the answers', `${statuses}`, '401,200');

title('2. A tool, with the scope "mcp:read". The MCP server gets a JWT in place of the token');
const { claims } = JSON.parse(await client.call('whoami'));
show(`The token of the client:  ${person.held.access_token}`);
show(`What the MCP server knows: ${JSON.stringify(claims)}`);
expect('the subject', claims?.sub, 'alice');

title('3. A tool that writes takes "mcp:write" as well: a 403 says so, alice allows it, and the call goes on (step-up)');
statuses.length = 0;
show(`The tool says: ${await client.call('announce', { line: 'hello' })}`);
expect('the answers', `${statuses}`, '403,200');
expect('the scope', person.held.scope.split(' ').sort().join(' '), 'mcp:read mcp:write offline_access');

await client.close();
process.exit(mistakes.length > 0 ? 1 : 0);

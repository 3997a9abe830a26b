// Clients of the SDK before a gateway, from the first 401 on; started by ../mcp.t, which reads a line for each check.
// Environment: URL (of the MCP server, at the gateway), FLOWS (names, separated by commas).
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClientCredentialsProvider } from '@modelcontextprotocol/client';
import { Person, connect, predecessor } from './client.mjs';

const { URL: url, FLOWS } = process.env;
const LIFE = 8; // seconds of a token, where one ends while its client goes on

function check(name, action) {
  try {
    action();
    console.log(`ok ${name}`);
  } catch (error) {
    console.log(`not ok ${name}\n${String(error.message).replace(/^/gm, '# ')}`);
  }
}
const is = (is_, should, name) => check(name, () => assert.deepEqual(is_, should));
const like = (text, pattern, name) => check(name, () => assert.match(String(text), pattern));

// A person whose steps are kept, and a fetch that keeps what the gateway answered.
function witness(metadata) {
  const steps = [];
  const answers = [];
  const person = new Person({ metadata, log: (...step) => steps.push(step.join(' ')) });
  const recorder = async (address, options) => {
    const response = await fetch(address, options);
    if (`${address}` === url && options?.method === 'POST') {
      const headers = new Headers(options?.headers);
      answers.push({
        status: response.status, challenge: response.headers.get('www-authenticate'), tool: headers.get('mcp-name'),
        session: headers.get('mcp-session-id'), version: headers.get('mcp-protocol-version'),
      });
    }
    return response;
  };
  return { steps, answers, person, fetch: recorder, without: (...words) => steps.filter((step) => !words.some((word) => step.startsWith(word))) };
}

async function until(what, done) {
  for (const end = Date.now() + 120_000; Date.now() < end; await sleep(50)) {
    const result = await done();
    if (result) return result;
  }
  throw new Error(`${what}: not within two minutes`);
}

// Until the gateway refuses the token that the person holds.
const tokenEnds = (person) => {
  const headers = { authorization: `Bearer ${person.held.access_token}` };
  return until('the token ends', async () => (await fetch(url, { method: 'POST', headers })).status === 401);
};

// The tool `listen`, running, and what has been heard of it.
async function listening(client) {
  const heard = [];
  const result = client.call('listen', { board: 'stream' }, ({ message }) => heard.push(message));
  result.catch(() => {});
  await until('the stream begins', () => heard.length > 0);
  return { heard, result, hears: (line) => until(`"${line}" is heard`, () => heard.includes(line)) };
}

const flows = {
  // From the first 401 to a tool's result, then a tool that takes one scope more.
  async current() {
    const { steps, answers, person, fetch: recorder } = witness();
    const client = await connect(url, person, { fetch: recorder });
    is(client.getNegotiatedProtocolVersion(), '2026-07-28', '2026-07-28: the revision');
    is(answers.map(({ status }) => status), [401, 200], '2026-07-28: a 401, then the answer');
    is(steps.map((step) => step.replace(/^registers .*/, 'registers')),
      ['registers', 'signs in mcp:read offline_access', 'gets a token mcp:read offline_access'],
      '2026-07-28: the client registers, and signs in for the scope of the challenge');
    is((await client.listTools()).tools.map(({ name }) => name).sort(), ['announce', 'listen', 'whoami'], '2026-07-28: the tools');
    const { authorization, claims } = JSON.parse(await client.call('whoami'));
    like(authorization, /^Bearer eyJ/, '2026-07-28: the MCP server got a JWT');
    is([claims?.sub, claims?.client_id, claims?.scope], ['alice', person.client.client_id, 'mcp:read offline_access'],
      '2026-07-28: which the gateway signed for this person and client');
    steps.length = 0;
    answers.length = 0;
    is(await client.call('announce', { line: 'nobody' }), '0 listened', '2026-07-28: step-up: the tool that takes one scope more');
    is(answers.map(({ status }) => status), [403, 200], '2026-07-28: step-up: a 403, then the answer');
    like(answers[0].challenge, /^Bearer .*scope="mcp:read mcp:write", error="insufficient_scope", resource_metadata=/,
      '2026-07-28: step-up: the challenge names all scopes of this tool');
    is(steps, ['signs in mcp:read offline_access mcp:write', 'gets a token mcp:read offline_access mcp:write'],
      '2026-07-28: step-up: the client asks for what it had, too');
    is(JSON.parse(await client.call('whoami')).claims.scope, 'mcp:read offline_access mcp:write', '2026-07-28: step-up: the new token');
    await client.close();
  },

  // A response that streams longer than its token lives.
  async stream() {
    const listener = witness({ token_ttl: LIFE });
    const client = await connect(url, listener.person, { fetch: listener.fetch });
    const speaker = await connect(url, new Person({ name: 'bob' }), {});
    const { heard, result, hears } = await listening(client);
    const token = listener.person.held.access_token;
    await tokenEnds(listener.person);
    is(await speaker.call('announce', { line: 'after the end', board: 'stream' }), '1 listened', 'stream: still open when its token has ended');
    await hears('after the end');
    is(heard, ['listening', 'after the end'], 'stream: each event comes when it is sent');
    await speaker.call('announce', { line: 'end', board: 'stream' });
    is(JSON.parse(await result), ['after the end'], 'stream: and its result comes');
    listener.answers.length = 0;
    await client.call('whoami');
    is(listener.answers[0].status, 401, 'stream: the next request with that token is refused');
    check('stream: and the client has another token', () => assert.notEqual(listener.person.held.access_token, token));
    await Promise.all([client.close(), speaker.close()]);
  },
};

// A session that outlives its token, by the revisions that have sessions.
async function session(name, how) {
  const { steps, answers, person, fetch: recorder } = witness({ token_ttl: LIFE });
  const client = await connect(url, person, { ...how, fetch: recorder });
  const id = client.session();
  like(id, /^[\w-]{36}$/, `${name}: a session`);
  like(steps[1], /^signs in mcp:read mcp:write( offline_access)?$/, `${name}: the client signs in for all scopes, for it does not say what it calls`);
  like(JSON.parse(await client.call('whoami')).authorization, /^Bearer eyJ/, `${name}: a tool's result`);
  await tokenEnds(person);
  steps.length = 0;
  answers.length = 0;
  is(JSON.parse(await client.call('whoami')).claims?.sub, 'alice', `${name}: goes on after its token has ended`);
  is(answers.map(({ status }) => status), [401, 200], `${name}: by a 401 and a new token`);
  check(`${name}: without a person`, () => assert.ok(!steps.some((step) => step.startsWith('signs in')), steps.join('\n')));
  is([client.session(), ...answers.map((answer) => answer.session)], [id, id, id], `${name}: in the same session`);
  like(answers[1].version, how.version, `${name}: the revision`);
  await client.close();
}
flows.session = () => session('2025-11-25', { options: {}, version: /^2025-11-25$/ });
flows.oldest = () => session('2025-06-18', { options: { supportedProtocolVersions: ['2025-06-18'] }, version: /^2025-06-18$/ });
flows.predecessor = () => session("the SDK's predecessor", { sdk: predecessor, options: {}, version: /^2025-11-25$/ });

// Where the MCP server itself knows the scopes of its tools, an older client, too, begins with less.
flows.judged_by_server = async () => {
  const { steps, answers, person, fetch: recorder } = witness();
  const client = await connect(url, person, { options: {}, fetch: recorder });
  is(steps[1], 'signs in mcp:read offline_access', 'judged by the server: a client begins with one scope');
  await client.call('whoami');
  steps.length = 0;
  answers.length = 0;
  is(await client.call('announce', { line: 'nobody' }), '0 listened', 'judged by the server: step-up');
  is(answers.map(({ status }) => status), [403, 200], "judged by the server: its 403 reaches the client");
  is(steps[0], 'signs in mcp:read offline_access mcp:write', 'judged by the server: the client asks for what it had, too');
  await client.close();
};

// A client without a person, registered at an authorization server of whatever kind.
flows.machine = async () => {
  const { CLIENT, SUBJECT, SCOPE, ISSUER } = process.env;
  const provider = new ClientCredentialsProvider({ clientId: CLIENT, clientSecret: `${CLIENT}-secret`, scope: SCOPE, expectedIssuer: ISSUER });
  const client = await connect(url, provider);
  const { authorization, user } = JSON.parse(await client.call('whoami'));
  is(authorization, null, 'a registered client is through, and the MCP server gets no token');
  check('it hears who calls, where the authorization server says it', () => assert.ok([SUBJECT, null].includes(user), user));
  await client.close();
};

await Promise.all(FLOWS.split(',').map(async (name) => {
  try {
    await flows[name]();
    console.log(`ok ${name} is through`);
  } catch (error) {
    console.log(`not ok ${name} is through\n${String(error.stack).replace(/^/gm, '# ')}`);
  }
}));
process.exit(0); // streams that a failed check left open

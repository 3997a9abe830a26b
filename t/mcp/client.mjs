// MCP clients on the protocol's own SDK, and the person who signs in for them.
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import { UnauthorizedError as OldUnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as OldTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

// What a person puts into the form on a page, and where it leads: at our oidc-provider the name is enough, Keycloak asks for a
// password, and whether the client may.
function fillIn(page, address, name) {
  const [, tag, content] = page.match(/<form\b([^>]*)>(.*?)<\/form>/s) ?? [];
  if (tag === undefined) throw new Error(`no form: ${page}`);
  const attribute = (text, wanted) => text.match(new RegExp(`\\s${wanted}="([^"]*)"`))?.[1].replaceAll('&amp;', '&') ?? '';
  const known = { name, username: name, password: `${name}-secret` };
  const fields = [...content.matchAll(/<input\b([^>]*)>/g)].map(([, input]) => [attribute(input, 'name'), attribute(input, 'value')])
    .filter(([field]) => !['', 'cancel'].includes(field));
  return {
    action: new URL(attribute(tag, 'action'), address),
    form: new URLSearchParams(fields.map(([field, value]) => [field, known[field] ?? value])),
  };
}

// Follows an authorization request as a browser would, signs in as NAME at the authorization server's pages, and returns the
// URL by which the client gets its code.
export async function signIn(url, redirectUrl, name = 'alice') {
  const cookies = new Map();
  let address = new URL(url);
  let form;
  for (let steps = 0; steps < 10; steps += 1) {
    const cookie = [...cookies].map((pair) => pair.join('=')).join('; ');
    const response = await fetch(address, { redirect: 'manual', headers: { cookie }, ...(form && { method: 'POST', body: form }) });
    for (const line of response.headers.getSetCookie()) cookies.set(...line.split(';', 1)[0].split(/=(.*)/, 2));
    const location = response.headers.get('location');
    if (location === null) {
      if (response.status !== 200) throw new Error(`the authorization server says ${response.status}: ${await response.text()}`);
      ({ action: address, form } = fillIn(await response.text(), address, name));
    } else {
      address = new URL(location, address);
      form = undefined;
      if (address.href.startsWith(redirectUrl)) return address;
    }
  }
  throw new Error('the authorization server redirects without end');
}

// What a client keeps (the SDK's OAuthClientProvider), for a person who signs in at once. `log` hears of each step.
export class Person {
  redirectUrl = 'http://127.0.0.1:8976/callback';

  constructor({ name = 'alice', metadata = {}, log = () => {} } = {}) {
    Object.assign(this, { name, metadata, log });
  }

  get clientMetadata() {
    return {
      client_name: 'MCP client', redirect_uris: [this.redirectUrl], grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'], token_endpoint_auth_method: 'none', ...this.metadata,
    };
  }

  clientInformation() { return this.client; }

  saveClientInformation(client) {
    if (this.client === undefined) this.log('registers', client.client_id);
    this.client = client;
  }

  tokens() { return this.held; }

  saveTokens(tokens) {
    if (tokens.access_token !== this.held?.access_token) this.log('gets a token', tokens.scope);
    this.held = tokens;
  }

  saveCodeVerifier(verifier) { this.verifier = verifier; }

  codeVerifier() { return this.verifier; }

  saveDiscoveryState(state) { this.discovery = state; }

  discoveryState() { return this.discovery; }

  async redirectToAuthorization(url) {
    this.log('signs in', url.searchParams.get('scope'));
    this.callback = await signIn(url, this.redirectUrl, this.name);
  }
}

// The SDK for 2026-07-28. Its predecessor, which many clients are made with, speaks 2025-11-25 and before.
const current = {
  Client, UnauthorizedError, Transport: StreamableHTTPClientTransport, result: (callback) => callback.searchParams,
  callTool: (client, request, options) => client.callTool(request, options),
};

export const predecessor = {
  Client: OldClient, UnauthorizedError: OldUnauthorizedError, Transport: OldTransport, result: (callback) => callback.searchParams.get('code'),
  callTool: (client, request, options) => client.callTool(request, undefined, options),
};

const MODERN = { versionNegotiation: { mode: { pin: '2026-07-28' } } };

// Connects, and signs in where that takes it: to the SDK's client are added session() and call(tool, arguments, onprogress),
// which gives the text that the tool returned and signs in where the tool takes more scopes.
export async function connect(url, person, { sdk = current, options = MODERN, fetch: fetcher } = {}) {
  let transport;
  const open = () => { transport = new sdk.Transport(new URL(url), { authProvider: person, fetch: fetcher }); };
  const signingIn = async (action, before = () => {}) => {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof sdk.UnauthorizedError)) throw error;
      await transport.finishAuth(sdk.result(person.callback));
      before();
      return action();
    }
  };

  open();
  let client;
  await signingIn(() => {
    client = new sdk.Client({ name: 'mcp-test', version: '1.0.0' }, options);
    return client.connect(transport);
  }, open);
  return Object.assign(client, {
    session: () => transport.sessionId,
    call: async (name, args = {}, onprogress = undefined) => {
      const { isError, content } = await signingIn(() => sdk.callTool(client, { name, arguments: args }, { onprogress, timeout: 600_000 }));
      if (isError) throw new Error(content[0].text);
      return content[0].text;
    },
  });
}

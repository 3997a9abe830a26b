// The demo's page in headless Chromium, started by page.t: every button, by mouse, by keyboard and on a phone.
// Environment: DEMO (the page's URL), API_LOG (a line a request that reached the API), FOLDER (with playwright-core in
// node_modules; the screenshots go there).
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { after, before, test } from 'node:test';
import { readProof } from './page/dpop.js';

const { DEMO, API_LOG, FOLDER } = process.env;
const { chromium } = createRequire(`${FOLDER}/`)('playwright-core');
const settings = await (await fetch(`${DEMO}settings.json`)).json();
const as = settings.authorization_server;

const patience = 180_000; // ms; a busy machine takes a minute to start Chromium

let browser; // a browser context, with its own empty folder of user data
let profile;
let page;
const leaks = []; // requests to other hosts
const complaints = []; // console errors and warnings, uncaught errors
let refusals = 0; // of the page's calls: Chromium writes an error for each 401 and 403

before(async () => {
  profile = await mkdtemp(`${tmpdir()}/chromium-`);
  browser = await chromium.launchPersistentContext(profile, {
    executablePath: '/usr/bin/chromium',
    headless: true,
    timeout: patience,
    viewport: { width: 1240, height: 900 },
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
      '--proxy-server=http://127.0.0.1:9'], // nobody there: where Chromium itself asks for its maker all the same, nothing leaves
  });
  browser.setDefaultTimeout(patience);
  browser.on('request', (request) => { if (new URL(request.url()).hostname !== '127.0.0.1') leaks.push(request.url()); });
  browser.on('console', (line) => {
    const refused = /the server responded with a status of 40[13] /.test(line.text()) && line.location().url.startsWith(`${DEMO}api/`);
    if (refused) refusals += 1;
    else if (['error', 'warning'].includes(line.type())) complaints.push(line.text());
  });
  browser.on('weberror', (error) => complaints.push(`${error.error()}`));
  [page] = browser.pages();
});

after(async () => {
  await browser?.close();
  if (profile) await rm(profile, { recursive: true, force: true });
});

// ---- what stands on the page ----

const button = (action) => page.locator(`[data-action=${action}]`);
const text = (selector) => page.locator(selector).innerText();
const message = (pattern) => page.locator('#message').filter({ hasText: pattern }).waitFor();
const heldThumbprint = () => page.locator('#browser dl div').filter({ hasText: 'bound to' }).locator('code').innerText();
const heldToken = () => page.locator('#browser .token').first().innerText();
const apiCalls = async () => (await readFile(API_LOG, 'utf8')).split('\n').length - 1;

async function logIn(name = 'alice', { bound = false } = {}) {
  if (bound) await page.getByRole('switch', { name: 'Bind the token to a key of this browser' }).check();
  await button('login').click();
  await page.getByLabel(/^Your name/).fill(name);
  await page.getByRole('button', { name: 'Sign in and allow' }).click();
  await message(/^Logged in/);
}

// Presses, waits for the next line under "Calls", and returns its cells.
async function press(action) {
  const lines = await page.locator('#calls tbody tr').count();
  await button(action).click();
  await page.locator('#calls tbody tr').nth(lines).waitFor();
  return lastCall();
}

// The last ones, the last one first.
async function calls(count) {
  const rows = (await page.locator('#calls tbody tr').all()).slice(0, count);
  return Promise.all(rows.map(async (row) => {
    const [name, status, outcome, cache] = await row.locator('th, td').allInnerTexts();
    return { name, status, outcome, cache };
  }));
}

const lastCall = async () => (await calls(1))[0];

async function isActive(token) {
  const headers = { Authorization: `Basic ${btoa('gateway:gateway-secret')}` };
  const answer = await fetch(`${as}/token/introspection`, { method: 'POST', headers, body: new URLSearchParams({ token }) });
  return (await answer.json()).active;
}

// Wider than the window? That scrolls sideways on a phone.
const overhang = () => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);

// Texts whose contrast to their ground is below WCAG's 4.5 to 1; disabled buttons are exempt there, but not here.
const faintTexts = () => page.evaluate(() => {
  const channels = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = (color) => channels(color).slice(0, 3)
    .map((value) => value / 255).map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at);
      if ((channels(backgroundColor)[3] ?? 1) === 1) return backgroundColor;
    }
    return 'rgb(255, 255, 255)';
  };
  const contrast = (one, other) => (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  return [...document.querySelectorAll('body *')]
    .filter((element) => element.checkVisibility() && [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
    .filter((element) => contrast(luminance(getComputedStyle(element).color), luminance(ground(element))) < 4.5)
    .map((element) => element.textContent.trim());
});

// ---- the tests, in the order of a visit ----

test('before the login: what needs a token is not to be pressed', async () => {
  const response = await page.goto(DEMO);
  assert.match(response.headers()['content-security-policy'], /^default-src 'none'; script-src 'self';/);
  await message(/^Nobody is logged in/);
  assert.deepEqual(await page.locator('#actions button:enabled:visible').allInnerTexts(),
    ['Log in', 'Without a token', 'With an altered token', 'With a malformed token']);
});

test('a login that was cancelled is told, and leaves no token', async () => {
  await button('login').click();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await message(/cancelled/);
  assert.match(await text('#browser'), /No token/);
});

for (const [what, forge, said] of [
  ['another state', (answer) => answer.set('state', 'another'), /its state is another/],
  ['another issuer', (answer) => answer.set('iss', 'http://127.0.0.1:9'), /another authorization server's/],
]) {
  test(`an answer with ${what} is not accepted, and its code not redeemed`, async () => {
    const redeemed = [];
    const note = (request) => { if (request.method() === 'POST') redeemed.push(request.url()); };
    const wanted = page.waitForRequest((request) => request.url().startsWith(`${as}/auth?`));
    await button('login').click();
    const answer = new URLSearchParams({ code: 'stolen', state: new URL((await wanted).url()).searchParams.get('state'), iss: as });
    forge(answer);
    await page.getByLabel(/^Your name/).waitFor();
    page.on('request', note);
    await page.goto(`${DEMO}?${answer}`);
    await message(said);
    page.off('request', note);
    assert.deepEqual(redeemed, []);
    assert.equal(page.url(), DEMO);
  });
}

test('the login is an authorization code with PKCE; the token is in memory only', async () => {
  const wanted = page.waitForRequest((request) => request.url().startsWith(`${as}/auth?`));
  await page.goto(DEMO);
  await logIn();
  const { code_challenge: codeChallenge, state, ...rest } = Object.fromEntries(new URL((await wanted).url()).searchParams);
  assert.match(codeChallenge, /^[\w-]{43}$/);
  assert.match(state, /^[\w-]{43}$/);
  assert.deepEqual(rest, {
    response_type: 'code', client_id: 'spa', redirect_uri: DEMO, scope: 'read write', code_challenge_method: 'S256', prompt: 'login',
  });
  const token = await heldToken();
  assert.match(token, /^[\w-]{43}$/, 'it is opaque');
  assert.equal(page.url(), DEMO, 'neither code nor token is in the address');
  assert.deepEqual(await page.evaluate(() => [localStorage.length, sessionStorage.length]), [0, 0]);
  assert.ok(!(await browser.cookies()).some(({ value }) => value.includes(token)));
});

test('a call: the API receives the JWT, first by asking, then from the cache', async () => {
  const reached = await apiCalls();
  assert.deepEqual(await press('call'), { name: 'with the token', status: '200', outcome: 'active', cache: 'MISS' });
  assert.match(await text('#message'), /^Allowed\. The gateway asked the authorization server/);
  assert.match(await text('#gateway'), /200 let through.*active.*MISS.*The authorization server was asked/s);
  const received = await text('#api');
  assert.match(received, /GET \/api\/orders.*Authorization: Bearer eyJ.*signature valid.*sub\s+alice.*scope\s+read write/s);
  assert.ok(!received.includes(await heldToken()), 'not the opaque token');
  assert.deepEqual(await press('call'), { name: 'with the token', status: '200', outcome: 'active', cache: 'HIT' });
  assert.match(await text('#message'), /the authorization server was not asked/);
  assert.equal(await apiCalls() - reached, 2);
});

const ALGORITHMS = 'algs="ES256 ES384 ES512 PS256 PS384 PS512 EdDSA Ed25519 RS256"';
const challenges = {
  without: {
    call: { name: 'without a token', status: '401', outcome: 'missing', cache: '–' },
    parts: ['Bearer', 'realm="api"', 'scope="read"', 'DPoP', ALGORITHMS, 'realm="api"', 'scope="read"', 'no error'],
  },
  altered: {
    call: { name: 'altered token', status: '401', outcome: 'inactive', cache: 'MISS' },
    parts: ['Bearer', 'realm="api"', 'scope="read"', 'error="invalid_token"'],
  },
  malformed: {
    call: { name: 'malformed token', status: '401', outcome: 'malformed', cache: '–' },
    parts: ['Bearer', 'realm="api"', 'scope="read"', 'error="invalid_token"'],
  },
  admin: {
    call: { name: 'for the scope admin', status: '403', outcome: 'insufficient_scope', cache: /^(HIT|EXPIRED)$/ },
    parts: ['Bearer', 'realm="api"', 'scope="read admin"', 'error="insufficient_scope"'],
  },
};

for (const [action, { call, parts }] of Object.entries(challenges)) {
  test(`a refusal, ${call.name}: its challenge is explained, and the API hears nothing`, async () => {
    const reached = await apiCalls();
    const { cache, ...rest } = await press(action);
    assert.match(cache, new RegExp(call.cache));
    assert.deepEqual({ ...rest, cache: call.cache }, call);
    assert.match(await text('#message'), /^Refused/);
    assert.deepEqual(await page.locator('#challenge dt').allInnerTexts(), parts);
    for (const sentence of await page.locator('#challenge dd').allInnerTexts()) assert.match(sentence, /^[A-Z].*\.$/);
    assert.match(await text('#api'), /Nothing\./);
    assert.equal(await apiCalls(), reached);
  });
}

test('what the authorization server does not revoke, the gateway is not told', async () => {
  const answer = await fetch(`${DEMO}revocation`, { method: 'POST', body: new URLSearchParams() });
  assert.equal(answer.status, 502);
  assert.match(await answer.text(), /^The authorization server answered 400/);
});

test('revoked: refused at once where the gateway was told, elsewhere let through until the cache entry ends', async () => {
  const token = await heldToken();
  await button('revoke').click();
  await message(/^Refused at once where the gateway was told/);
  assert.equal(await isActive(token), false, 'the authorization server has it as revoked');
  const [told, untold] = await calls(2);
  assert.deepEqual(told, { name: 'revoked, gateway told', status: '401', outcome: 'revoked', cache: 'HIT' });
  assert.deepEqual(untold, { name: 'revoked, gateway not told', status: '200', outcome: 'active', cache: 'HIT' });
  const [first, second] = await page.locator('#revocation .card').allInnerTexts();
  assert.match(first, /^The gateway was told\s+GET \/api\/orders\s+401 refused\s+judged revoked, cache HIT/);
  assert.match(second, /^The gateway was not told\s+GET \/api\/untold\/orders\s+200 let through\s+judged active, cache HIT/);
  await page.locator('#countdown').filter({ hasText: /ends in \d+ s/ }).waitFor();
  assert.equal(await button('revoke').isDisabled(), true);
  await page.locator('#message').filter({ hasText: /^Refused\. The cache entry has ended/ }).waitFor({ timeout: settings.cache_seconds * 1000 + patience });
  const { name, status, outcome } = await lastCall();
  assert.deepEqual({ name, status, outcome }, { name: 'revoked, gateway not told', status: '401', outcome: 'inactive' });
  await page.locator('#revocation .card').nth(1).filter({ hasText: /401 refused ?judged inactive/ }).waitFor();
  assert.equal(await page.locator('#countdown').isVisible(), false);
  assert.equal((await press('call')).status, '401');
});

test('a logout revokes the token and forgets it; then somebody else logs in', async () => {
  await button('logout').click();
  await message(/^Logged out/);
  await logIn('bob');
  const token = await heldToken();
  assert.equal(await isActive(token), true);
  await press('call');
  assert.match(await text('#api'), /sub\s+bob/);
  await button('logout').click();
  await message(/^Logged out/);
  assert.equal(await isActive(token), false);
  assert.match(await text('#browser'), /No token/);
  assert.ok(!(await page.content()).includes(token), 'nothing of it is left on the page');
  assert.equal(await page.evaluate(() => document.activeElement.dataset.action), 'login', 'the focus is not lost');
});

test('a bearer token has nothing to replay without', async () => {
  await logIn('dora');
  assert.match(await text('#browser'), /bound to\s+no key/);
  assert.equal(await button('replay').isDisabled(), true);
  await button('logout').click();
  await message(/^Logged out/);
});

test('a token that is bound: by a proof of a key that no script can export, and gone with the page', async () => {
  const wanted = page.waitForRequest((request) => request.url() === `${as}/token` && request.method() === 'POST');
  await logIn('alice', { bound: true });
  const { header, claims } = readProof((await wanted).headers().dpop);
  const { jwk: { x, y, ...kind }, ...rest } = header;
  assert.deepEqual({ kind, rest }, { kind: { kty: 'EC', crv: 'P-256' }, rest: { typ: 'dpop+jwt', alg: 'ES256' } });
  assert.match(`${x} ${y}`, /^[\w-]{43} [\w-]{43}$/);
  assert.deepEqual({ htm: claims.htm, htu: claims.htu, ath: claims.ath }, { htm: 'POST', htu: `${as}/token`, ath: undefined });
  const thumbprint = createHash('sha256').update(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`).digest('base64url');
  assert.equal(await heldThumbprint(), thumbprint);
  assert.match(await text('#message'), /bound to a key of this browser/);
  assert.equal(await page.locator('#binding').isVisible(), false);
  assert.equal(await page.evaluate(async () => (await (await import('/dpop.js')).makeKey()).privateKey.extractable), false);
  assert.deepEqual(await page.evaluate(async () => [localStorage.length, sessionStorage.length, (await indexedDB.databases()).length]), [0, 0, 0]);
});

test('a bound token passes with a proof for this request and this nonce; the API receives a bearer token', async () => {
  const sent = [];
  const note = (request) => sent.push(request.headers());
  page.on('request', note);
  await button('call').click();
  await message(/^Allowed.*The proof showed that the key was there/);
  page.off('request', note);
  const [second, first] = await calls(2);
  assert.deepEqual(first, { name: 'with the token', status: '401', outcome: 'dpop_nonce', cache: '–' });
  assert.deepEqual(second, { name: 'with the token', status: '200', outcome: 'active', cache: 'MISS' });
  const token = await heldToken();
  assert.deepEqual(sent.map(({ authorization }) => authorization), [`DPoP ${token}`, `DPoP ${token}`]);
  const { header, claims: { jti, iat, nonce, ...claims } } = readProof(sent[1].dpop);
  assert.deepEqual(claims, { htm: 'GET', htu: `${DEMO}api/orders`, ath: createHash('sha256').update(token).digest('base64url') });
  assert.equal(readProof(sent[0].dpop).claims.nonce, undefined);
  assert.match(nonce, /^\S+$/);
  const held = await text('#browser');
  for (const shown of ['Authorization: DPoP', 'DPoP: eyJ', jti, nonce, claims.ath, claims.htu, header.jwk.x]) {
    assert.ok(held.includes(shown), `the page shows ${shown}`);
  }
  const received = await text('#api');
  assert.match(received, /Authorization: Bearer eyJ.*signature valid.*sub\s+alice/s);
  assert.ok(received.includes(`{"jkt":"${await heldThumbprint()}"}`), 'the JWT names the key');
  assert.doesNotMatch(received, /DPoP:/i, 'not the proof');
  assert.equal((await press('call')).cache, 'HIT', 'a new proof each time, and the answer from the cache');
});

test('replayed without the key it is refused: as a bearer token, with another key, with a used proof', async () => {
  const reached = await apiCalls();
  await button('replay').click();
  await page.locator('#replay').waitFor();
  assert.match(await text('#message'), /^Refused each time/);
  assert.equal(await apiCalls() - reached, 1, 'only the call whose proof is replayed');
  const [again, other, bearer, good] = await calls(4);
  assert.deepEqual([good.status, good.outcome], ['200', 'active']);
  assert.deepEqual([bearer.name, bearer.status, bearer.outcome], ['replay, as a bearer token', '401', 'bound']);
  assert.deepEqual([other.name, other.status, other.outcome], ['replay, proof of another key', '401', 'dpop_proof']);
  assert.deepEqual([again.name, again.status, again.outcome], ['replay, used proof', '401', 'dpop_replay']);
  const cards = await page.locator('#replay .card').allInnerTexts();
  assert.equal(cards.length, 3);
  for (const [i, title, word, error] of [
    [0, 'As a bearer token', 'bound', 'invalid_token'],
    [1, 'With a proof of another key', 'dpop_proof', 'invalid_dpop_proof'],
    [2, 'With the proof of a good request', 'dpop_replay', 'invalid_dpop_proof'],
  ]) assert.match(cards[i], new RegExp(`^${title}\\s.*401 refused\\s.*judged ${word}.*WWW-Authenticate: DPoP algs=.*error="${error}"`, 's'));
  assert.deepEqual(await page.locator('#challenge dt').allInnerTexts(),
    ['DPoP', ALGORITHMS, 'realm="api"', 'scope="read"', 'error="invalid_dpop_proof"']);
  assert.equal((await press('call')).status, '200', 'whoever has the key goes on');
});

for (const colorScheme of ['light', 'dark']) {
  test(`bound and replayed: every text stands out, and nothing hangs over the edge of a phone, ${colorScheme}`, async () => {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    assert.deepEqual(await faintTexts(), []);
    await page.mouse.move(0, 0);
    await page.screenshot({ path: `${FOLDER}/replayed-${colorScheme}.png`, fullPage: true });
    await page.setViewportSize({ width: 360, height: 740 });
    assert.ok(await overhang() <= 0);
    await page.setViewportSize({ width: 1240, height: 900 });
  });
}

test('a bound token for what is no token, for a scope it lacks, and after it was revoked', async () => {
  for (const [action, outcome, error] of [
    ['altered', 'inactive', 'invalid_token'], ['malformed', 'malformed', 'invalid_token'], ['admin', 'insufficient_scope', 'insufficient_scope'],
  ]) {
    assert.equal((await press(action)).outcome, outcome);
    assert.match(await text('#challenge'), new RegExp(`WWW-Authenticate: DPoP .*error="${error}"`));
  }
  await button('revoke').click();
  await message(/^Refused at once where the gateway was told/);
  const [told, untold] = await calls(2);
  assert.deepEqual([told.outcome, untold.outcome], ['revoked', 'active']);
  assert.equal(await button('replay').isDisabled(), true);
  await button('logout').click();
  await message(/^Logged out/);
  assert.equal(await page.locator('#replay').isVisible(), false);
});

test('by keyboard alone: the order is that of the page, and the focus is seen', async () => {
  await page.reload();
  await message(/^Nobody/);
  const focused = () => page.evaluate(() => {
    const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
    return { action: document.activeElement.dataset.action ?? document.activeElement.name, seen: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 };
  });
  const order = async (count) => {
    const found = [];
    for (let i = 0; i < count; i += 1) {
      await page.keyboard.press('Tab');
      const { action, seen } = await focused();
      assert.ok(seen, `the focus on ${action} is seen`);
      found.push(action);
    }
    return found;
  };
  assert.deepEqual(await order(5), ['login', 'bind', 'without', 'altered', 'malformed']);
  for (let i = 0; i < 4; i += 1) await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Enter');
  await page.getByLabel(/^Your name/).waitFor();
  await page.keyboard.press('Control+A'); // the field has the focus
  await page.keyboard.type('carol');
  await page.keyboard.press('Enter');
  await message(/^Logged in/);
  assert.deepEqual(await order(7), ['call', 'without', 'altered', 'malformed', 'admin', 'revoke', 'logout']);
  for (let i = 0; i < 6; i += 1) await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Space');
  await message(/^Allowed/);
  assert.match(await text('#api'), /sub\s+carol/);
  assert.deepEqual(await focused(), { action: 'call', seen: true }, 'the focus stays where it was');
  assert.equal(await page.locator('#message').getAttribute('role'), 'status', 'what happened is read out');
});

test('on a phone nothing hangs over the edge, and the buttons are big enough for a finger', async () => {
  await page.setViewportSize({ width: 360, height: 740 });
  for (const action of ['call', 'admin']) {
    await press(action);
    assert.ok(await overhang() <= 0, `after ${action}`);
  }
  for (const box of await page.locator('#actions button:visible').all()) assert.ok((await box.boundingBox()).height >= 44);
  await page.screenshot({ path: `${FOLDER}/phone.png`, fullPage: true });
  await button('revoke').click();
  await page.locator('#revocation').waitFor();
  assert.ok(await overhang() <= 0, 'after revoke');
  await page.reload();
  await message(/^Nobody/);
  assert.ok(await overhang() <= 0, 'before the login');
  await button('login').click();
  await page.getByLabel(/^Your name/).waitFor();
  assert.ok(await overhang() <= 0, 'at the authorization server');
  await page.setViewportSize({ width: 1240, height: 900 });
});

for (const colorScheme of ['light', 'dark']) {
  test(`every text stands out from its ground, ${colorScheme}`, async () => {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.goto(DEMO);
    assert.deepEqual(await faintTexts(), [], 'before the login');
    await button('login').click();
    await page.getByLabel(/^Your name/).waitFor();
    assert.deepEqual(await faintTexts(), [], 'at the authorization server');
    await page.getByRole('button', { name: 'Sign in and allow' }).click();
    await message(/^Logged in/);
    for (const action of ['call', 'admin', 'call']) {
      await press(action);
      assert.deepEqual(await faintTexts(), [], `after ${action}`);
    }
    await page.mouse.move(0, 0);
    await page.screenshot({ path: `${FOLDER}/${colorScheme}.png`, fullPage: true });
    await button('revoke').click();
    await page.locator('#revocation').waitFor();
    assert.deepEqual(await faintTexts(), [], 'after revoke');
    await page.screenshot({ path: `${FOLDER}/revoked-${colorScheme}.png`, fullPage: true });
  });
}

test('a gateway that does not answer is told', async () => {
  await page.reload();
  await message(/^Nobody/);
  await page.route('**/api/**', (route) => route.abort());
  await button('without').click();
  await message(/\/api\/orders does not answer/);
  assert.equal(complaints.pop(), 'Failed to load resource: net::ERR_FAILED');
  await page.unroute('**/api/**');
});

test('nothing went to another host, and nothing was written to the console but the refusals', () => {
  assert.deepEqual(leaks, []);
  assert.deepEqual(complaints, []);
  assert.ok(refusals >= 8, `${refusals} refusals`);
});

// An EventSource of headless Chromium, for streams.t. Writes what happens to it, a JSON object a line, until it is closed.
// Environment: URL (of the stream), TOKEN, FOLDER (with playwright-core in node_modules).
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';

const { URL: url, TOKEN, FOLDER } = process.env;
const { chromium } = createRequire(`${FOLDER}/`)('playwright-core');
const patience = 180_000; // ms; a busy machine takes a minute to start Chromium

const profile = await mkdtemp(`${tmpdir()}/chromium-`);
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: '/usr/bin/chromium',
  headless: true,
  timeout: patience,
  ignoreHTTPSErrors: true,
  // A page cannot do this itself. What an EventSource does with the response does not depend on where the token stood.
  extraHTTPHeaders: { Authorization: `Bearer ${TOKEN}` },
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
    '--proxy-server=http://127.0.0.1:9'], // nobody there: where Chromium itself asks for its maker, nothing leaves
});
const [page] = browser.pages();
page.setDefaultTimeout(patience);
await page.exposeFunction('say', (event) => console.log(JSON.stringify({ name: 'page', ...event })));
const empty = new URL('/empty', url).href;
await page.route(empty, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html>' }));
await page.goto(empty);
await page.unroute(empty);
await page.evaluate((stream) => new Promise((resolve) => {
  const states = ['CONNECTING', 'OPEN', 'CLOSED'];
  const source = new EventSource(stream);
  source.onopen = () => window.say({ is: states[source.readyState] });
  source.onmessage = (event) => window.say({ got: event.data });
  source.onerror = async () => {
    const state = states[source.readyState];
    await window.say({ is: state });
    if (state === 'CLOSED') resolve();
  };
}), url);
await browser.close();
await rm(profile, { recursive: true, force: true });

// What people see of this authorization server: one form to sign in and to allow, and a page for errors.
// They load nothing, not even a font. For a demo anybody's name will do, and no password is asked for.
import { createHash } from 'node:crypto';
import { text } from 'node:stream/consumers';

// How somebody signed in (acr): with a name, or with a code too.
export const SILVER = 'urn:example:silver';
export const GOLD = 'urn:example:gold';

const NAME = '[A-Za-z0-9_.@\\-]{1,64}'; // as the form's pattern has it, too
const CODE = '[0-9]{6}';
const STYLE = `
  :root { color-scheme: light dark; --ground: #f4f5f2; --card: #fff; --text: #1d2624; --quiet: #52605c; --line: #c9d1cd; --accent: #0b6b5c; --on: #fff }
  @media (prefers-color-scheme: dark) {
    :root { --ground: #111615; --card: #1a211f; --text: #e8eeeb; --quiet: #a5b3ae; --line: #3c4845; --accent: #6fd3be; --on: #0c1a17 }
  }
  * { box-sizing: border-box }
  body { margin: 0; background: var(--ground); color: var(--text); font: 1rem/1.5 -apple-system, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif }
  main { max-width: 26rem; margin: 12vh auto 2rem; padding: 2rem; background: var(--card); border: 1px solid var(--line); border-radius: .75rem }
  @media (max-width: 30rem) { main { margin: 1rem; padding: 1.25rem } }
  p:first-child { margin: 0; color: var(--quiet); font-size: .875rem }
  h1 { margin: .25rem 0 1rem; font-size: 1.375rem; line-height: 1.25 }
  label { display: block; margin: 1.25rem 0 .375rem; font-weight: 600 }
  input, button { width: 100%; min-height: 2.75rem; padding: .5rem .75rem; border: 1px solid var(--quiet); border-radius: .5rem; font: inherit; color: inherit; background: var(--card) }
  button { margin-top: .75rem; font-weight: 600; cursor: pointer }
  button:not([name]) { margin-top: 1.25rem; background: var(--accent); border-color: var(--accent); color: var(--on) }
  :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
  code { overflow-wrap: anywhere }
`;
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

const escape = (value) => String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

// formTargets: where the form may lead, redirects included.
function send(ctx, title, body, formTargets = "'none'") {
  ctx.set('Content-Security-Policy', `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; img-src data:; `
    + `form-action ${formTargets}; base-uri 'none'; frame-ancestors 'none'`);
  ctx.set('Cache-Control', 'no-store');
  ctx.type = 'html';
  ctx.body = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<main>
<p>The authorization server</p>
<h1>${escape(title)}</h1>
${body}
</main>
</body>
</html>
`;
}

export async function renderError(ctx, out) {
  send(ctx, 'This cannot be done', Object.entries(out)
    .map(([name, value]) => `<p><strong>${escape(name)}</strong>: ${escape(value)}</p>`).join('\n'));
}

// A user who comes to log out; the form is oidc-provider's own, its button stands beside it.
export async function askForLogout(ctx, form) {
  const { post_logout_redirect_uri: redirect } = ctx.oidc.params;
  send(ctx, 'Sign out', `${form}
<button name="logout" value="yes" form="op.logoutForm">Sign out</button>`, redirect ? `'self' ${new URL(redirect).origin}` : "'self'");
}

export async function showLogout(ctx) {
  send(ctx, 'You have signed out', '');
}

const asksForCode = ({ acr_values: acrValues = '' }) => acrValues.split(' ').includes(GOLD);

function showForm(ctx, params) {
  const { client_id: client, scope = '', redirect_uri: redirect } = params;
  const scopes = scope.split(' ').filter(Boolean).map((name) => `<code>${escape(name)}</code>`);
  send(ctx, 'Sign in', `<p>The client <code>${escape(client)}</code> asks for a token${scopes.length ? ` that allows ${scopes.join(' and ')}` : ''}.</p>
<form method="post" autocomplete="off">
<label for="name">Your name (any, without a password)</label>
<input id="name" name="name" value="alice" required autofocus autocapitalize="none" spellcheck="false" pattern="${NAME}" title="Letters, digits and _ . @ -">
${asksForCode(params) ? `<label for="code">The code of your device (any six digits)</label>
<input id="code" name="code" value="123456" required inputmode="numeric" pattern="${CODE}" title="Six digits">
` : ''}<button>Sign in and allow</button>
<button name="cancel" value="yes" formnovalidate>Cancel</button>
</form>`, `'self' ${new URL(redirect).origin}`);
}

// What becomes of the authorization request after the form: an error for the client, or a login and a grant.
async function resultOf(provider, form, { params, grantId, session }) {
  if (form.has('cancel')) return { error: 'access_denied', error_description: 'the person at the browser cancelled' };
  const accountId = form.get('name') ?? '';
  if (!new RegExp(`^${NAME}$`).test(accountId)) return { error: 'access_denied', error_description: 'no such name' };
  // A new grant would end the tokens of the session's last one.
  const last = session?.accountId === accountId && grantId && await provider.Grant.find(grantId);
  const grant = last || new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope ?? '');
  for (const resource of [params.resource].flat().filter(Boolean)) grant.addResourceScope(resource, params.scope ?? '');
  const acr = new RegExp(`^${CODE}$`).test(form.get('code') ?? '') ? GOLD : SILVER;
  return { login: { accountId, acr, remember: false }, consent: { grantId: await grant.save() } };
}

// Middleware for /interaction/UID, where oidc-provider sends the browser in the course of an authorization request.
export const signIn = (provider) => async (ctx, next) => {
  if (!/^\/interaction\/[\w-]+$/.test(ctx.path)) return next();
  try {
    const interaction = await provider.interactionDetails(ctx.req, ctx.res);
    if (ctx.method !== 'POST') return showForm(ctx, interaction.params);
    const result = await resultOf(provider, new URLSearchParams(await text(ctx.req)), interaction);
    return await provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: false });
  } catch (error) {
    ctx.status = error.status ?? 500;
    return renderError(ctx, { error: error.message, error_description: error.error_description ?? '' });
  }
};

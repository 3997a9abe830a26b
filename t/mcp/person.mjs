// node person.mjs PAGE: opens the page to which a client sends its user, signs in there, and goes where that leads.
import { signIn } from './client.mjs';

const page = new URL(process.argv[2]);
await fetch(await signIn(page, page.searchParams.get('redirect_uri')));

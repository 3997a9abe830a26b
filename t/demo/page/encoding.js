// How bytes are written in tokens, challenges of PKCE and proofs, and where random ones come from.

const utf8 = new TextEncoder();

export const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
export const encodeText = (text) => base64url(utf8.encode(text));
export const decodeText = (part) => atob(part.replaceAll('-', '+').replaceAll('_', '/'));
export const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));
export const sha256 = async (text) => base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', utf8.encode(text))));

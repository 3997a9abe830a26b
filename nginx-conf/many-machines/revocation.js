// Hands revocations on to all gateways, and says when one of them has not heard: revocation.conf, beside this file.

import querystring from 'querystring';

const RETRY_AFTER = 5; // seconds, where not all have heard
const HANDED_ON = ['Content-Type', 'Cache-Control', 'Pragma', 'Allow', 'Retry-After', 'WWW-Authenticate'];

// What a sender says: a form, a logout token, a security event token.
async function tell(r) {
    const answers = await ask_gateways(r, r.method, r.requestText);
    const refused = answers.every((answer) => answer.status >= 400 && answer.status < 500);
    const missed = refused ? [] : answers.filter((answer) => !has_heard(answer));
    if (missed.length > 0) {
        return not_all(r, missed);
    }
    hand_on(r, refused ? answers[0] : answers.find((answer) => is_success(answer)));
}

// Token revocation (RFC 7009): what the authorization server has accepted, the gateways hear of.
async function revoke(r) {
    const token = querystring.parse(r.requestText || '', '&', '=', { maxKeys: 0 }).token;
    if (r.method != 'POST' || typeof token != 'string' || token == '') {
        return refuse(r); // two of them are an array
    }
    const accepted = await r.subrequest('/_authorization_server', { method: 'POST', body: r.requestText });
    if (accepted.status == 200) {
        const answers = await ask_gateways(r, 'POST', 'token=' + encodeURIComponent(token));
        const missed = answers.filter((answer) => !is_success(answer));
        if (missed.length > 0) {
            return not_all(r, missed);
        }
    }
    hand_on(r, accepted);
}

// All of them at the same time; the answers are in the order of $gateways.
function ask_gateways(r, method, body) {
    const gateways = r.variables.gateways.split(' ').filter((name) => name != '');
    return Promise.all(gateways.map((name) => r.subrequest('/_gateway/' + name, { method: method, body: body })));
}

function is_success(answer) {
    return answer.status >= 200 && answer.status < 300;
}

// Who has heard a logout token already refuses it the second time: it was sent again because another had not heard.
function has_heard(answer) {
    return is_success(answer) || (answer.status == 400 && /seen before/.test(answer.responseText));
}

// To the sender: try again. RFC 7009 section 2.2.1, RFC 8935 section 2.4 and HTTP itself have 503 for that.
function not_all(r, missed) {
    const gateways = missed.map((answer) => ({ gateway: answer.uri.replace(/^.*\//, ''), status: answer.status }));
    r.error('not all gateways have heard of a revocation: '
        + gateways.map((one) => one.gateway + ' answered ' + one.status).join(', '));
    r.headersOut['Content-Type'] = 'application/json';
    r.headersOut['Cache-Control'] = 'no-store';
    r.headersOut['Retry-After'] = RETRY_AFTER;
    r.return(503, JSON.stringify({
        error: 'temporarily_unavailable',
        error_description: 'not all gateways have heard of it, send it again',
        not_heard: gateways,
    }));
}

function refuse(r) {
    r.headersOut['Content-Type'] = 'application/json';
    r.headersOut['Cache-Control'] = 'no-store';
    r.return(400, '{"error":"invalid_request","error_description":"POST a form with one token"}');
}

function hand_on(r, answer) {
    HANDED_ON.filter((name) => answer.headersOut[name] !== undefined).forEach((name) => {
        r.headersOut[name] = answer.headersOut[name];
    });
    r.return(answer.status, answer.responseText);
}

export default { tell, revoke };

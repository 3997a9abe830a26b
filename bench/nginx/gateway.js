// The gateway njs, whole.

function exchange(r) {
    const authorization = r.headersIn.Authorization || '';
    if (!authorization.startsWith('Bearer ')) {
        r.return(401);
        return;
    }
    const body = 'token=' + encodeURIComponent(authorization.slice(7)) + '&token_type_hint=access_token';
    r.subrequest('/_introspect', { method: 'POST', body }, (answer) => {
        if (answer.status !== 200) {
            r.return(answer.status === 204 ? 401 : 502);
            return;
        }
        r.variables.jwt = answer.responseText;
        r.internalRedirect('@api');
    });
}

export default { exchange };

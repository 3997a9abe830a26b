// An authorization server that takes 50 ms to answer.

const delay = 50;

function jwt(r) {
    return [1, 2, 3, 4, 5].map((part) => r.variables[`jwt_${part}`] || '').join('');
}

function slow(r) {
    setTimeout(() => {
        r.headersOut['Content-Type'] = 'application/jwt';
        r.return(200, jwt(r));
    }, delay);
}

function slow_header(r) {
    setTimeout(() => {
        r.headersOut['X-JWT'] = jwt(r);
        r.return(200);
    }, delay);
}

export default { slow, slow_header };

#!/usr/bin/python3
"""A WebSocket API and a WebSocket client, for streams.t: Debian's python3-websockets.

websocket_peer.py api PORT          says what headers it got, then each message comes back; closes when the JWT ends
websocket_peer.py client PORT CA    reads commands and writes what happens, a JSON object a line
"""
import asyncio
import base64
import json
import ssl
import sys
import time

import websockets

HEADERS = ('Authorization', 'X-Token-Expires', 'Sec-WebSocket-Protocol')


def claims_of(authorization):
    payload = authorization.split('.')[1]
    return json.loads(base64.urlsafe_b64decode(payload + '=' * (-len(payload) % 4)))


async def converse(socket):
    async for message in socket:
        await socket.send(message)


async def handle(socket):
    headers = {name: socket.request_headers.get(name) for name in HEADERS}
    await socket.send(json.dumps(headers))
    exp = claims_of(headers['Authorization']).get('exp')
    try:
        await asyncio.wait_for(converse(socket), None if exp is None else exp - time.time())
    except asyncio.TimeoutError:
        await socket.close(1008, 'the token has ended')


async def serve(port):
    async with websockets.serve(handle, '127.0.0.1', int(port), ping_interval=None,
                                subprotocols=['graphql-transport-ws']):
        await asyncio.Future()


def say(**event):
    print(json.dumps(event), flush=True)


async def listen(name, socket):
    try:
        async for message in socket:
            say(name=name, got=message)
    except websockets.ConnectionClosedError:
        pass
    say(name=name, closed=socket.close_code, reason=socket.close_reason)


async def connect(port, context, command):
    token = command.get('token')
    try:
        return await websockets.connect(
            f'wss://localhost:{port}{command["path"]}', host='127.0.0.1', ssl=context, ping_interval=None,
            subprotocols=command.get('subprotocols'),
            extra_headers={'X-Token-Expires': '1'} | ({'Authorization': f'Bearer {token}'} if token else {}))
    except websockets.InvalidStatusCode as refusal:
        say(name=command['name'], refused=refusal.status_code, challenge=refusal.headers.get('WWW-Authenticate'))


async def listen_to_commands(port, ca):
    """{"name", "path", "token", "subprotocols"} opens a socket; {"name", "ping"} pings; {"name", "message"} sends one,
    null closes it."""
    context = ssl.create_default_context(cafile=ca)
    sockets = {}
    listeners = set()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        name = command['name']
        if 'path' in command:
            sockets[name] = await connect(port, context, command)
            if sockets[name]:
                listeners.add(loop.create_task(listen(name, sockets[name])))
        elif 'ping' in command:
            await (await sockets[name].ping())
            say(name=name, got='pong')
        elif command['message'] is None:
            await sockets[name].close()
        else:
            await sockets[name].send(command['message'])


asyncio.run(serve(sys.argv[2]) if sys.argv[1] == 'api' else listen_to_commands(*sys.argv[2:]))

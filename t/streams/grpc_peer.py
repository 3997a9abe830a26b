#!/usr/bin/python3
"""A gRPC API and a gRPC client, for streams.t: Debian's python3-grpcio, with bytes for messages.

grpc_peer.py api PORT           serves Get (one answer), Watch (a stream that the API ends when the JWT does) and Chat
                                (each message comes back)
grpc_peer.py client PORT CA     reads commands and writes what happens, a JSON object a line
"""
import base64
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from queue import Queue

import grpc

SERVICE = 'example.Orders'


def claims_of(metadata):
    payload = metadata['authorization'].split('.')[1]
    return json.loads(base64.urlsafe_b64decode(payload + '=' * (-len(payload) % 4)))


def get(request, context):
    return json.dumps(dict(context.invocation_metadata())).encode()


def watch(request, context):
    yield b'open'
    exp = claims_of(dict(context.invocation_metadata())).get('exp')
    client_left = threading.Event()
    context.add_callback(client_left.set)
    if not client_left.wait(None if exp is None else exp - time.time()):
        context.abort(grpc.StatusCode.UNAUTHENTICATED, 'the token has ended')


def chat(requests, context):
    yield b'open'
    yield from requests


def serve(port):
    server = grpc.server(ThreadPoolExecutor(16), options=[('grpc.so_reuseport', 0)])
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {
        'Get': grpc.unary_unary_rpc_method_handler(get),
        'Watch': grpc.unary_stream_rpc_method_handler(watch),
        'Chat': grpc.stream_stream_rpc_method_handler(chat),
    })])
    if server.add_insecure_port(f'127.0.0.1:{port}') == 0:
        sys.exit(f'port {port} cannot be had')
    server.start()
    server.wait_for_termination()


output = threading.Lock()


def say(**event):
    with output:
        print(json.dumps(event), flush=True)


def call(channel, name, method, token, messages):
    """One call to its end: a line for each message that comes, and one for the status."""
    metadata = [('authorization', f'Bearer {token}')] if token else []
    path = f'/{SERVICE}/{method}'
    if method == 'Chat':
        answers = channel.stream_stream(path)(iter(messages.get, None), metadata=metadata)
    else:
        answers = channel.unary_stream(path)(b'', metadata=metadata)
    try:
        for answer in answers:
            say(name=name, got=answer.decode() if len(answer) < 10_000 else f'{len(answer)} bytes')
    except grpc.RpcError:
        pass
    say(name=name, status=answers.code().name, details=answers.details(),
        metadata=dict(answers.initial_metadata()) | dict(answers.trailing_metadata()))
    messages.put(None)


def listen_to_commands(port, ca):
    """{"name", "method", "token"} starts a call; {"name", "message", "times"} sends one, null ends what the client
    sends."""
    with open(ca, 'rb') as certificate:
        credentials = grpc.ssl_channel_credentials(certificate.read())
    channel = grpc.secure_channel(f'localhost:{port}', credentials,
                                  [('grpc.enable_retries', 0), ('grpc.enable_http_proxy', 0)])
    messages = {}
    for line in sys.stdin:
        command = json.loads(line)
        name = command['name']
        if 'method' in command:
            messages[name] = Queue()
            threading.Thread(target=call, daemon=True, args=(
                channel, name, command['method'], command.get('token'), messages[name])).start()
        else:
            message = command['message']
            messages[name].put(None if message is None else message.encode() * command.get('times', 1))


if sys.argv[1] == 'api':
    serve(sys.argv[2])
else:
    listen_to_commands(sys.argv[2], sys.argv[3])

#!/usr/bin/python3
"""Holds Kubernetes manifests against the API's own types, and prints them as JSON.

python3-kubernetes is generated from the API's OpenAPI description: each type knows its fields, their types, and which of
them must be there. A manifest is read into those types and written out again. What is missing is refused; what they do
not know, or what has another type than theirs, is not the same afterwards.
"""

import json
import sys

import yaml
from kubernetes.client import ApiClient


class Response:
    def __init__(self, data):
        self.data = json.dumps(data)


def type_of(manifest):
    group, _, version = manifest["apiVersion"].rpartition("/")
    return version[0].upper() + version[1:] + manifest["kind"]


def differences(path, given, known):
    if isinstance(given, dict) and isinstance(known, dict):
        for name in given:
            if name not in known:
                yield f"{path}.{name}: not known"
            else:
                yield from differences(f"{path}.{name}", given[name], known[name])
    elif isinstance(given, list) and isinstance(known, list):
        for number, pair in enumerate(zip(given, known)):
            yield from differences(f"{path}[{number}]", *pair)
    elif type(given) is not type(known) or given != known:
        yield f"{path}: {given!r}, which is read as {known!r}"


def problems(manifest):
    client = ApiClient()
    try:
        read = client.deserialize(Response(manifest), type_of(manifest))
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        return [f"{manifest.get('kind')}: {problem}"]
    return list(differences(manifest["kind"], manifest, client.sanitize_for_serialization(read)))


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        manifests = list(yaml.safe_load_all(file))
    found = [problem for manifest in manifests for problem in problems(manifest)]
    json.dump({"manifests": manifests, "problems": found}, sys.stdout)


main()

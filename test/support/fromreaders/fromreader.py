"""Reads messages as JSON, one batch a line, and says for each which mailboxes Python's parsers find in its From field."""

import base64
import email
import email.policy
import email.utils
import json
import sys


def legacy(octets):
    message = email.message_from_bytes(octets, policy=email.policy.compat32)
    values = [str(value) for value in message.get_all("from", [])]
    return [address for _, address in email.utils.getaddresses(values)]


def current(octets):
    message = email.message_from_bytes(octets, policy=email.policy.default)
    return [each.addr_spec for value in message.get_all("from", []) for each in value.addresses]


def attempt(reader, octets):
    try:
        return [text.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for text in reader(octets)]
    except Exception:
        # A parser that fails reads no mailbox.
        return []


for line in sys.stdin:
    messages = [base64.b64decode(text) for text in json.loads(line)]
    json.dump([[attempt(reader, octets) for octets in messages] for reader in (legacy, current)], sys.stdout)
    sys.stdout.write("\n")
    sys.stdout.flush()

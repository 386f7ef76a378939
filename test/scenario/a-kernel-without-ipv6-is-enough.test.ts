/**
 * On nodes whose kernel has IPv6 switched off, relay and operator listen on IPv4 with the settings that they have in a
 * cluster. A filter of the kernel answers each request for an IPv6 socket as such a kernel does.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runCommand } from "../gate/command.ts";
import { Program } from "../support/program.ts";
import { makeResultsDirectory, repositoryRoot } from "../support/results.ts";
import { openSession } from "../support/send.ts";
import { openStage, sender, simpleMessage } from "../support/stage.ts";

/** Numbers of socket(2) by architecture (linux/unistd.h); the rest is the same everywhere. */
const socketCalls: Readonly<Record<string, number>> = { x64: 41, arm64: 198 };
const socketCall = socketCalls[process.arch];
const skip = socketCall === undefined ? `the number of socket(2) on ${process.arch} is not known here` : false;

/** seccomp(2): socket(AF_INET6, ...) is EAFNOSUPPORT, everything else as it was. */
const script = `
import ctypes, os, struct, sys
call = int(sys.argv[1])
step = lambda code, yes, no, value: struct.pack("HBBI", code, yes, no, value)
program = b"".join([
    step(0x20, 0, 0, 0), step(0x15, 0, 3, call),
    step(0x20, 0, 0, 16), step(0x15, 0, 1, 10), step(0x06, 0, 0, 0x00050000 | 97),
    step(0x06, 0, 0, 0x7FFF0000),
])
class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]
steps = ctypes.create_string_buffer(program)
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Filter(len(program) // 8, ctypes.cast(steps, ctypes.c_void_p)))) == 0
os.execvp(sys.argv[2], sys.argv[2:])
`;
const wrapper = ["python3", "-c", script, String(socketCall)] as const;

test("the filter leaves IPv4 and no IPv6", { skip }, async () => {
  const probe = `
import errno, socket
socket.socket(socket.AF_INET).close()
try: print(socket.socket(socket.AF_INET6))
except OSError as error: print(errno.errorcode[error.errno])
`;
  const [program, ...flags] = wrapper;
  const told = await runCommand(program, [...flags, "python3", "-c", probe]);
  assert.equal(told.output, "EAFNOSUPPORT\n");
});

test("a relay takes mail", { skip, timeout: 60_000 }, async (t) => {
  const stage = await openStage(t, {
    file: import.meta.url,
    relay: { wrapper, env: { MAILBOAT_LISTEN_HOST: "::" } },
  });
  const client = await openSession({ name: "smtp", port: stage.relay.port("smtp") });
  t.after(() => client.destroy());
  const reply = await client.send(sender, ["someone@example.net"], simpleMessage("no IPv6"));
  assert.equal(reply.code, 250, reply.text);
  assert.equal((await stage.relay.status()).acceptedMessages, 1);
});

test("an operator serves its pages", { skip, timeout: 60_000 }, async (t) => {
  const directory = makeResultsDirectory(import.meta.url, "operator");
  const kubeconfig = join(directory, "kubeconfig");
  // Nobody answers there: the pages do not wait for a server.
  const cluster = { server: "https://127.0.0.1:1" };
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "c",
      clusters: [{ name: "c", cluster }],
      users: [{ name: "c", user: { token: "t" } }],
      contexts: [{ name: "c", context: { cluster: "c", user: "c" } }],
    }),
  );
  const flags = ["--kubeconfig", kubeconfig, "--relay-image", "relay", "--host", "::", "--port", "0"];
  const operator = new Program({
    command: [...wrapper, process.execPath, join(repositoryRoot, "operator/main.ts"), "run", ...flags],
    logFile: join(directory, "operator.log"),
  });
  t.after(() => operator.kill("SIGKILL"));
  const port = Number((await operator.waitForLog("operator started")).fields["port"]);
  assert.equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200);
});

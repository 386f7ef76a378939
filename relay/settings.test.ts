import assert from "node:assert/strict";
import { test } from "node:test";
import { readInspectionSettings, readSettings } from "./settings.ts";

const directories = { MAILBOAT_CONFIGURATION_DIR: "/etc/mailboat", MAILBOAT_SPOOL_DIR: "/var/spool/mailboat" };

test("readSettings() fills in what the environment leaves out", () => {
  const settings = readSettings(directories);
  assert.equal(settings.listenHost, "::");
  assert.equal(settings.logLevel, "info");
  assert.equal(settings.mxPort, 25);
  assert.deepEqual([...settings.ports], []);
});

test("readSettings() reads port overrides by listener name", () => {
  const settings = readSettings({ ...directories, MAILBOAT_PORTS: '{"smtp":2525,"http":0}' });
  assert.deepEqual(
    [...settings.ports],
    [
      ["smtp", 2525],
      ["http", 0],
    ],
  );
});

const refused = [
  { name: "a missing directory", change: { MAILBOAT_SPOOL_DIR: undefined }, message: /MAILBOAT_SPOOL_DIR/ },
  { name: "ports that are not JSON", change: { MAILBOAT_PORTS: "25" }, message: /MAILBOAT_PORTS/ },
  { name: "a port that is none", change: { MAILBOAT_PORTS: '{"smtp":70000}' }, message: /MAILBOAT_PORTS\.smtp/ },
  { name: "an MX port that is none", change: { MAILBOAT_MX_PORT: "0" }, message: /MAILBOAT_MX_PORT/ },
  { name: "an unknown log level", change: { MAILBOAT_LOG_LEVEL: "loud" }, message: /MAILBOAT_LOG_LEVEL/ },
];

for (const { name, change, message } of refused) {
  test(`readSettings() refuses ${name} and names the variable`, () => {
    assert.throws(() => readSettings({ ...directories, ...change }), message);
  });
}

const places = [
  { name: "nothing", environment: {}, expected: { spoolDirectory: undefined, host: "127.0.0.1", port: 9464 } },
  {
    name: "the spool",
    environment: { MAILBOAT_SPOOL_DIR: "/spool" },
    expected: { spoolDirectory: "/spool", host: "127.0.0.1", port: 9464 },
  },
  {
    name: "host and port",
    environment: { MAILBOAT_LISTEN_HOST: "127.0.0.9", MAILBOAT_PORTS: '{"http":9999}' },
    expected: { spoolDirectory: undefined, host: "127.0.0.9", port: 9999 },
  },
  {
    name: "an IPv6 host",
    environment: { MAILBOAT_LISTEN_HOST: "::1" },
    expected: { spoolDirectory: undefined, host: "[::1]", port: 9464 },
  },
];

for (const { name, environment, expected } of places) {
  test(`readInspectionSettings() finds the relay when told ${name}`, () => {
    assert.deepEqual(readInspectionSettings(environment), expected);
  });
}

/** Changes to the relay and to what it shares with the operator. */
import type { Mutation } from "../mutation.ts";

export const relayMutations: readonly Mutation[] = [
  {
    what: "delivery goes on while an outcome cannot be written",
    file: "relay/delivery/runner.ts",
    old: "while (!this.#closing && !this.#isDown && !this.#outcomes.isBlocked) {",
    new: "while (!this.#closing && !this.#isDown) {",
    test: "relay/delivery/life.test.ts",
  },
  {
    what: "an outcome is reported before it is durable",
    file: "relay/spool/store.ts",
    old: "removed = await this.#keep(settlement, entries);",
    new: "void this.#keep(settlement, entries).catch(() => undefined);",
    test: "test/scenario/accepted-mail-survives-kill-9.test.ts",
  },
  {
    what: "the reserve is not released on a full disk",
    file: "relay/spool/store.ts",
    old: "await this.#space.releaseReserve();",
    new: "",
    test: "test/scenario/full-disk-refuses-politely.test.ts",
  },
  {
    what: "the writer never ends the log",
    file: "relay/spool/writer.ts",
    old: 'this.#database.exec("PRAGMA wal_checkpoint(PASSIVE)");',
    new: "",
    test: "relay/spool/trouble.test.ts",
  },
  {
    what: "a kept connection that is dead costs an attempt",
    file: "relay/delivery/attempt.ts",
    old: "if (!report.stale || !reused) {",
    new: "if (!report.stale || reused) {",
    test: "relay/delivery/attempt.test.ts",
  },
  {
    what: "something is settled after close gave up",
    file: "relay/delivery/runner.ts",
    old: "this.#outcomes.giveUp();",
    new: "",
    test: "relay/delivery/life.test.ts",
  },
  {
    what: "an unknown user is answered at once",
    file: "relay/submission/auth.ts",
    old: "await matchesVerifier(password, dummyVerifier(credentials, { salt: dummySalt, storedKey: dummyKey }));",
    new: "dummyVerifier(credentials, { salt: dummySalt, storedKey: dummyKey });",
    test: "relay/submission/auth.test.ts",
  },
  {
    what: "idle clients are not cut at a stop",
    file: "relay/submission/listener.ts",
    old: "for (const connection of server.open) if (!connection.receiving) connection.destroy();",
    new: "",
    test: "relay/submission/listener.test.ts",
  },
  {
    what: "every client is on this machine",
    file: "runtime/health.ts",
    old: 'const isLocal = isLoopback(request.socket.remoteAddress ?? "") && isLoopbackHost(request.headers.host ?? "");',
    new: "const isLocal = isLoopback('127.0.0.1') && isLoopbackHost('localhost');",
    test: "runtime/health.test.ts",
  },
  {
    what: "the resolver is not closed at a stop",
    file: "relay/delivery/runner.ts",
    old: "this.#lanes.close();",
    new: "",
    test: "relay/delivery/closing.test.ts",
  },
];

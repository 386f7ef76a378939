/**
 * Copies the write-ahead log into the database on a thread and a connection of its own, so that no commit waits for it.
 * A passive checkpoint takes no lock that the writer needs; under load it cannot reach the end of a growing log, so
 * the writer is told to do the last few pages once most of it is done.
 *
 * A reader that stays (somebody's sqlite3 shell) blocks it: the log grows, and the blocked pages are reported. A disk that
 * refuses makes this one checkpoint fail: that is reported, too, and the next one begins on a connection of its own.
 */
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import type { CheckpointReport } from "./decide.ts";
import { DiskFaults } from "../disk/faults.ts";

export interface CheckpointRequest {
  readonly kind: "checkpoint" | "close";
}

export interface CheckpointThreadData {
  readonly directory: string;
  readonly faults: SharedArrayBuffer | undefined;
}

interface Connection {
  readonly database: DatabaseSync;
  readonly checkpoint: StatementSync;
}

function connect(directory: string): Connection {
  const database = new DatabaseSync(join(directory, "spool.db"));
  database.exec("PRAGMA synchronous = FULL");
  return { database, checkpoint: database.prepare("PRAGMA wal_checkpoint(PASSIVE)") };
}

/** A connection that cannot even be closed is left to the end of the thread. */
function disconnect(connection: Connection | undefined): void {
  try {
    connection?.database.close();
  } catch {
    return;
  }
}

function serve({ directory, faults: shared }: CheckpointThreadData): void {
  const port = parentPort;
  if (port === null) throw new Error("the spool's checkpoints run in a worker thread");
  const faults = shared === undefined ? undefined : new DiskFaults(shared);
  let connection: Connection | undefined;
  const checkpoint = (): CheckpointReport => {
    try {
      connection ??= connect(directory);
      faults?.strike("checkpoint");
      const row = connection.checkpoint.get();
      return { kind: "copied", logPages: Number(row?.["log"] ?? 0), copiedPages: Number(row?.["checkpointed"] ?? 0) };
    } catch (error) {
      disconnect(connection);
      connection = undefined;
      return { kind: "failed", error: String(error) };
    }
  };
  port.on("message", (request: CheckpointRequest) => {
    if (request.kind === "checkpoint") {
      faults?.strike("checkpointThread");
      port.postMessage(checkpoint());
      return;
    }
    disconnect(connection);
    port.close();
  });
}

serve(workerData as CheckpointThreadData);

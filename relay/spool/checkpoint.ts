/**
 * Copies the write-ahead log into the database on a thread and a connection of its own, so that no commit waits for it.
 * A passive checkpoint takes no lock that the writer needs; under load it cannot reach the end of a growing log, so
 * the writer is told to do the last few pages once most of it is done.
 *
 * A reader that stays (somebody's sqlite3 shell) blocks it: the log grows, and the blocked pages are reported.
 */
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";

export interface CheckpointRequest {
  readonly kind: "checkpoint" | "close";
}

export interface CheckpointReport {
  /** Pages in the log and how many of them are in the database already. */
  readonly logPages: number;
  readonly copiedPages: number;
}

function checkpoint(statement: StatementSync): CheckpointReport {
  const row = statement.get();
  return { logPages: Number(row?.["log"] ?? 0), copiedPages: Number(row?.["checkpointed"] ?? 0) };
}

function serve(directory: string): void {
  const port = parentPort;
  if (port === null) throw new Error("the spool's checkpoints run in a worker thread");
  const database = new DatabaseSync(join(directory, "spool.db"));
  database.exec("PRAGMA synchronous = FULL");
  const statement = database.prepare("PRAGMA wal_checkpoint(PASSIVE)");
  port.on("message", (request: CheckpointRequest) => {
    if (request.kind === "checkpoint") {
      port.postMessage(checkpoint(statement));
      return;
    }
    database.close();
    port.close();
  });
}

serve(String((workerData as { readonly directory: string }).directory));

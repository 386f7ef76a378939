/** The next hop: Postfix's smtp-sink, which counts what it takes and costs next to nothing. */
import { spawn } from "node:child_process";

export interface Sink {
  /** Resolves when it has taken this many messages more than at the last reset. */
  reached(messages: number): Promise<void>;
  reset(): void;
  stop(): void;
}

export function openSink(port: number): Sink {
  const child = spawn("smtp-sink", ["-u", "nobody", "-c", `127.0.0.1:${port}`, "1000"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let total = 0;
  let base = 0;
  let waiting: { readonly target: number; readonly resolve: () => void } | undefined;
  const check = (): void => {
    if (waiting !== undefined && total >= waiting.target) waiting.resolve();
  };
  child.stdout.on("data", (chunk: Buffer) => {
    const counts = [...chunk.toString("latin1").matchAll(/mesg=(\d+)/g)];
    total = Math.max(total, Number(counts.at(-1)?.[1] ?? 0));
    check();
  });
  return {
    reached: async (messages) =>
      new Promise((resolve) => {
        waiting = { target: base + messages, resolve };
        check();
      }),
    reset: () => {
      base = total;
    },
    stop: () => {
      child.kill("SIGTERM");
    },
  };
}

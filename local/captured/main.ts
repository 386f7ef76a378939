/**
 * The page of local mode over the spool of one relay pod: a program of the image, which `kubectl exec` starts beside the relay and
 * `kubectl port-forward` leads to. On loopback alone; it ends when it is asked to, and by itself when nobody looks any more.
 */
import { hostname, tmpdir } from "node:os";
import { runProgram, stopBySignal, UsageError } from "../../runtime/commandline.ts";
import { readSettings, usage } from "./settings.ts";
import { openCapturedSpool } from "./spoolpage.ts";

async function main(): Promise<number> {
  const settings = readSettings(process.argv.slice(2), process.env);
  if (settings === undefined) {
    process.stdout.write(usage);
    return 0;
  }
  const stopping = stopBySignal(["SIGINT", "SIGTERM", "SIGHUP"]);
  const page = await openCapturedSpool({
    ...settings,
    pod: hostname(),
    temporary: tmpdir(),
    now: Date.now,
    onError: (error) => process.stderr.write(`mailboat: ${error.message}\n`),
  }).catch((error: unknown) => {
    throw portTaken(error, settings.port) ?? error;
  });
  process.stdout.write(
    `captured mail is on http://localhost:${page.port}/ of this machine; of a pod, once kubectl port-forward POD ${page.port} runs\n`,
  );
  const stopped = Promise.withResolvers<void>();
  stopping.addEventListener("abort", () => stopped.resolve(), { once: true });
  await Promise.race([page.left, stopped.promise]);
  await page.close();
  if (!stopping.aborted) process.stdout.write("nobody has looked for a quarter of an hour\n");
  return 0;
}

function portTaken(error: unknown, port: number): UsageError | undefined {
  if (!(error instanceof Error) || !("code" in error) || error.code !== "EADDRINUSE") return undefined;
  return new UsageError(
    `port ${port} is taken: another one may serve the page there already; name another with --port`,
  );
}

await runProgram(main);

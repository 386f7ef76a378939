/**
 * The page over one spool: what delivery.mode kept in a relay's pod, in place of what a whole local mode tells. It reads the spool
 * and changes nothing there; what it notes itself, which mail was read say, lies in a folder of its own that goes with it.
 *
 * What cannot be read at one look is there at the next; a row that holds what cannot be shown is left out and told of once.
 */
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { UsageError } from "../../runtime/commandline.ts";
import { capturedAfter, isSpool, spoolOf, type CapturedRow } from "../page/spoolpeek.ts";
import { openPage, type Page, type PageOptions } from "../page/watch.ts";

export interface CapturedSpoolOptions {
  readonly directory: string;
  /** Whose spool it is, in words for people. */
  readonly pod: string;
  readonly port: number;
  /** Where the folder for its own notes is made. */
  readonly temporary: string;
  readonly now: () => number;
  readonly onError: (error: Error) => void;
  /** Between two looks into the spool. */
  readonly lookEveryMs?: number;
  /** Without anybody who looks for so long it ends: whoever left it behind cannot end it. */
  readonly idleMs?: number;
}

export interface CapturedSpoolPage {
  readonly port: number;
  /** Resolves when nobody has looked for long. */
  readonly left: Promise<void>;
  close(): Promise<void>;
}

/** Messages on the page; `spool --captured` lists all. */
const shown = 1_000;
const usual = { lookEveryMs: 1_000, idleMs: 900_000 } as const;

/** Rejects with UsageError where there is no spool, and with what keeps it from its port. */
export async function openCapturedSpool(options: CapturedSpoolOptions): Promise<CapturedSpoolPage> {
  const { directory, pod, port, temporary, now, onError, lookEveryMs, idleMs } = { ...usual, ...options };
  if (!isSpool(directory)) throw new UsageError(`there is no spool in ${directory}: --directory says where it is`);
  const stateDirectory = await mkdtemp(join(temporary, "mailboat-page-"));
  const left = Promise.withResolvers<void>();
  const opened: { page?: Page } = {};
  const idle = setTimeout(() => {
    if (opened.page?.isFollowed() === true) idle.refresh();
    else left.resolve();
  }, idleMs);
  const leave = async (): Promise<void> => {
    clearTimeout(idle);
    await opened.page?.close();
    await rm(stateDirectory, { recursive: true, force: true });
  };
  const common = { stateDirectory, host: "127.0.0.1", port, keep: shown, now, onError };
  const page = await linkAndOpen(directory, spoolOf(stateDirectory, pod), {
    ...common,
    onPruned: () => undefined,
    onAsked: () => idle.refresh(),
  }).catch(async (error: unknown) => {
    await leave();
    throw error;
  });
  opened.page = page;
  let last = 0;
  const look = (): void => {
    for (const row of capturedAfter(directory, last, shown)) {
      last = row.seq;
      try {
        tell(page, pod, row);
      } catch (error) {
        onError(new Error(`row ${row.seq} of the captured mail cannot be shown: ${String(error)}`));
      }
    }
  };
  look();
  const timer = setInterval(look, lookEveryMs);
  const close = async (): Promise<void> => {
    clearInterval(timer);
    await leave();
  };
  let closed: Promise<void> | undefined;
  return { port: page.port, left: left.promise, close: async () => (closed ??= close()) };
}

/** The page looks for spools where local mode has them. */
async function linkAndOpen(directory: string, place: string, options: PageOptions): Promise<Page> {
  await mkdir(dirname(place), { recursive: true });
  await symlink(resolve(directory), place);
  return openPage(options);
}

/** As the relay's log told of it. */
function tell(page: Page, pod: string, row: CapturedRow): void {
  const { id: spoolId, domain, recipients, size: sizeBytes } = row;
  const timeOf = (at: number): string => new Date(at).toISOString();
  const message = { spoolId, domain, recipients };
  page.take({ kind: "mail", pod, event: { msg: "accepted", time: timeOf(row.accepted_at), ...message, sizeBytes } });
  page.take({ kind: "mail", pod, event: { msg: "captured", time: timeOf(row.captured_at), ...message, attempt: 1 } });
}

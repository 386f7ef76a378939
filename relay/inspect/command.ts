/** What a person typed after `spool` and `trace`. Pure. */
import { parseArgs, type ParseArgsConfig } from "node:util";

export const inspectionUsage = `  spool [--limit N] [--json]
        what is in the spool: the oldest N messages (100; at most 10000) and totals by domain
  spool --unreadable [--limit N] [--json]
        recipients that are set aside, because their rows cannot be read, with the row of each and what is wrong with it
  spool --export ROW
        everything that is known of one message, as JSON, readable or not: the number of its row is what --unreadable says
  spool --captured [--limit N] [--json]
        mail that delivery.mode kept from leaving, with its senders, recipients and subjects, the newest first
  spool --eml ROW
        one captured message as it would have left, with its signatures: save it with > message.eml
  trace ID [--json]
        the story of one message, by its spool id or its Message-ID

  spool and trace run beside the relay (kubectl exec POD -- node /app/relay/main.js trace ID); elsewhere say where to look:
  --directory DIR   the spool; MAILBOAT_SPOOL_DIR when absent (in local mode .mailboat/pods/NAMESPACE.POD/spool)
  --port N          of trace: where the relay serves /status; 9464 when absent
`;

export interface SpoolCommand {
  readonly verb: "spool";
  readonly show:
    { readonly kind: "queue" | "unreadable" | "captured" } | { readonly kind: "export" | "eml"; readonly row: number };
  readonly limit: number;
  readonly json: boolean;
  readonly directory: string | undefined;
}

export interface TraceCommand {
  readonly verb: "trace";
  readonly id: string;
  readonly json: boolean;
  readonly directory: string | undefined;
  readonly port: number | undefined;
}

export interface WrongCommand {
  readonly verb: "wrong";
  readonly reason: string;
}

export type InspectionCommand = SpoolCommand | TraceCommand | WrongCommand;

const defaultLimit = 100;
const highestLimit = 10_000;
const longestId = 1_000;
const highestRow = 999_999_999_999;

const shared = { json: { type: "boolean" }, directory: { type: "string" } } as const;

export function readCommand(verb: "spool" | "trace", args: readonly string[]): InspectionCommand {
  try {
    return verb === "spool" ? readSpool(args) : readTrace(args);
  } catch (error) {
    return { verb: "wrong", reason: error instanceof Error ? error.message : String(error) };
  }
}

function readSpool(args: readonly string[]): SpoolCommand | WrongCommand {
  const { values, positionals } = parsed(args, {
    ...shared,
    limit: { type: "string" },
    unreadable: { type: "boolean" },
    export: { type: "string" },
    captured: { type: "boolean" },
    eml: { type: "string" },
  });
  if (positionals.length > 0) return wrong(`spool takes no ${positionals[0] ?? ""}`);
  const limit = values.limit === undefined ? defaultLimit : wholeNumber(values.limit, highestLimit);
  if (limit === undefined) return wrong(`--limit must be a number from 1 to ${highestLimit}`);
  const [asked, another] = (["export", "eml", "unreadable", "captured"] as const).filter(
    (name) => values[name] !== undefined,
  );
  if (another !== undefined) return wrong(`--${asked ?? ""} and --${another} do not go together`);
  const show =
    asked === "export" || asked === "eml" ? rowOf(asked, values[asked]) : ({ kind: asked ?? "queue" } as const);
  if (show === undefined) return wrong(`--${asked ?? ""} must be the number of a row`);
  return { verb: "spool", show, limit, json: values.json === true, directory: values.directory };
}

function rowOf(kind: "export" | "eml", text = ""): SpoolCommand["show"] | undefined {
  const row = wholeNumber(text, highestRow);
  return row === undefined ? undefined : { kind, row };
}

function readTrace(args: readonly string[]): TraceCommand | WrongCommand {
  const { values, positionals } = parsed(args, { ...shared, port: { type: "string" } });
  const [id, ...others] = positionals;
  if (id === undefined || others.length > 0) return wrong("trace takes one spool id or Message-ID");
  if (id.trim() === "" || id.length > longestId) return wrong(`an id has between 1 and ${longestId} characters`);
  const port = values.port === undefined ? undefined : wholeNumber(values.port, 65_535);
  if (values.port !== undefined && port === undefined) return wrong("--port must be a number from 1 to 65535");
  return { verb: "trace", id: id.trim(), json: values.json === true, directory: values.directory, port };
}

/** Throws with what is wrong. */
function parsed<O extends NonNullable<ParseArgsConfig["options"]>>(args: readonly string[], options: O) {
  return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
}

function wrong(reason: string): WrongCommand {
  return { verb: "wrong", reason };
}

function wholeNumber(text: string, highest: number): number | undefined {
  const value = /^\d{1,12}$/.test(text) ? Number(text) : 0;
  return value >= 1 && value <= highest ? value : undefined;
}

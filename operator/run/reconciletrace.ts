/**
 * Traces of the operator's work: a root span for each reconcile that wrote something or failed, a child for each write. What
 * changed nothing leaves no span, so that a full resync is as silent here as it is on the API server.
 *
 * Spans are made when the reconcile is over, because only then is it known whether there is anything to tell, and a failure
 * is sampled whatever the ratio.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Telemetry } from "../../runtime/telemetry.ts";
import type { SpanAttributes, Tracing } from "../../runtime/tracing/trace.ts";
import type { RequestObserver } from "../kube/client/client.ts";
import { RequestError } from "../kube/client/failure.ts";
import type { Reference } from "../kube/kube.ts";
import { attribute, reconcileSpan, writeSpan } from "./spannames.ts";

type RequestFacts = Parameters<RequestObserver>[0];

export type Subject = Pick<Reference, "namespace" | "name"> & { readonly kind: string };

export interface ReconcileTracer {
  /** Resolves and rejects as the reconcile does. */
  follow<T>(subject: Subject, reconcile: () => Promise<T>): Promise<T>;
  /** To be told of every request to the API server. */
  readonly request: RequestObserver;
}

interface Write extends Subject {
  readonly span: string;
  readonly code: number;
  readonly startedAt: number;
  readonly endedAt: number;
}

/** A reconcile under way. */
interface Look {
  readonly tracing: Tracing;
  readonly startedAt: number;
  readonly writes: Write[];
  /** Those beyond the bound are counted alone. */
  count: number;
}

/** A new relay is about 50 writes; a trace with more children than this is read by nobody. */
const longestTrace = 256;

export function createReconcileTracer(telemetry: Pick<Telemetry, "tracing">): ReconcileTracer {
  // As OpenTelemetry does it: handing the reconcile through caches and client to the request would serve nothing else.
  const looks = new AsyncLocalStorage<Look>();
  return {
    async follow(subject, reconcile) {
      const { tracing } = telemetry;
      if (tracing === undefined) return reconcile();
      const look: Look = { tracing, startedAt: tracing.now(), writes: [], count: 0 };
      try {
        const outcome = await looks.run(look, reconcile);
        if (look.count > 0) tell(look, subject, undefined);
        return outcome;
      } catch (error) {
        tell(look, subject, errorType(error));
        throw error;
      }
    },
    request(made) {
      if (telemetry.tracing === undefined) return;
      const look = looks.getStore();
      if (look !== undefined) note(look, made);
    },
  };
}

/** Events are written beside the work, several reconciles' in one line: whose look sends them says nothing. */
function note(look: Look, { object, verb, code, durationMs }: RequestFacts): void {
  if (object === undefined || object.kind === "Event") return;
  look.count += 1;
  if (look.writes.length >= longestTrace) return;
  const endedAt = look.tracing.now();
  look.writes.push({
    span: writeSpan(object.subresource ?? verb),
    kind: object.kind,
    namespace: object.namespace ?? "",
    name: object.name,
    code,
    startedAt: endedAt - durationMs,
    endedAt,
  });
}

function tell({ tracing, startedAt, writes, count }: Look, subject: Subject, failure: string | undefined): void {
  const root = tracing.start(reconcileSpan, {
    kind: "INTERNAL",
    startedAt,
    ...(failure === undefined ? {} : { sampled: true }),
  });
  if (!root.isSampled) return;
  root.set({
    ...attributesOf(subject),
    [attribute.outcome]: failure === undefined ? "success" : "failure",
    [attribute.writes]: count,
    ...(failure === undefined ? {} : { [attribute.errorType]: failure }),
  });
  if (failure !== undefined) root.fail();
  for (const write of writes) {
    const span = tracing.start(write.span, { kind: "CLIENT", startedAt: write.startedAt, parent: root.context });
    span.set({ ...attributesOf(write), ...answerOf(write.code) });
    if (!isSuccess(write.code)) span.fail();
    span.end(write.endedAt);
  }
  root.end();
}

/** Names of objects, never what is in them: a data key of a Secret can tell as much as its value. */
function attributesOf({ kind, namespace, name }: Subject): SpanAttributes {
  return { [attribute.objectKind]: kind, [attribute.objectName]: name, [attribute.namespace]: namespace };
}

function answerOf(code: number): SpanAttributes {
  if (code === 0) return { [attribute.errorType]: "no answer" };
  const status = { [attribute.statusCode]: code };
  return isSuccess(code) ? status : { ...status, [attribute.errorType]: String(code) };
}

function isSuccess(code: number): boolean {
  return code >= 200 && code <= 299;
}

/** A word for what went wrong; the message stays in the log, it may quote an object. */
function errorType(error: unknown): string {
  if (error instanceof RequestError) return error.kind;
  return error instanceof Error ? error.name : "unknown";
}

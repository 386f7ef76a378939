/** What a request that did not succeed means; the one place that reads HTTP status, Status bodies and socket errors. */
import { isRecord } from "./resource.ts";

export type FailureKind =
  | "NotFound"
  | "AlreadyExists"
  | "Conflict"
  /** The resourceVersion or the continue token is too old: list anew. */
  | "Gone"
  | "Unauthorized"
  /** RBAC, quota or a namespace that is ending; the message says which. */
  | "Forbidden"
  /** Understood and refused: the object breaks a rule. */
  | "Invalid"
  | "TooManyRequests"
  | "ServerError"
  | "UnexpectedStatus"
  /** No answer, or one that broke off. Whether a write was carried out is unknown. */
  | "Connection"
  | "Timeout"
  /** Not sent: this process may not write now. */
  | "Fenced"
  /** Not sent, or broken off, because the process stops. */
  | "Stopped";

export interface FailureFacts {
  readonly kind: FailureKind;
  readonly message: string;
  /** The server's own words alone, for people who made the object. */
  readonly said?: string;
  /** HTTP status; 0 when there was no answer. */
  readonly code?: number;
  /** How long the server asks to wait. */
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly kind: FailureKind;
  readonly said: string;
  readonly code: number;
  readonly retryAfterMs: number | undefined;

  constructor(facts: FailureFacts) {
    super(facts.message, { cause: facts.cause });
    this.kind = facts.kind;
    this.said = facts.said ?? facts.message;
    this.code = facts.code ?? 0;
    this.retryAfterMs = facts.retryAfterMs;
  }
}

export function isFailure(error: unknown, ...kinds: readonly FailureKind[]): error is RequestError {
  return error instanceof RequestError && kinds.includes(error.kind);
}

export interface FailedAnswer {
  readonly code: number;
  readonly retryAfter?: string | undefined;
  /** The body as JSON where it is JSON, otherwise its text. */
  readonly body: unknown;
  /** `GET /api/v1/...`, for the message. */
  readonly request: string;
}

export function failureOf(answer: FailedAnswer): RequestError {
  const { code, body } = answer;
  const status = isRecord(body) ? body : {};
  const reason = typeof status["reason"] === "string" ? status["reason"] : "";
  const said = typeof status["message"] === "string" ? status["message"] : textOf(body);
  const retryAfterMs = retryAfterOf(answer.retryAfter) ?? detailsRetry(status["details"]);
  const message = `${answer.request}: ${code}${reason === "" ? "" : ` ${reason}`}${said === "" ? "" : `: ${said}`}`;
  const kind = isAwry(code, said) ? "Invalid" : kindOf(code, reason);
  return new RequestError({ kind, code, message, said, retryAfterMs });
}

/**
 * Server-side apply of an object that is stored in another shape than its definition has now: a text where a list should be, an
 * entry without its key. The API server answers 500, and would to every further try.
 */
export function isStoredAwry(error: unknown): boolean {
  return error instanceof RequestError && isAwry(error.code, error.said);
}

function isAwry(code: number, said: string): boolean {
  return code === 500 && said.startsWith("failed to create typed ");
}

function kindOf(code: number, reason: string): FailureKind {
  switch (code) {
    case 400:
    case 413:
    case 415:
    case 422:
      return "Invalid";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "NotFound";
    case 409:
      return reason === "AlreadyExists" ? "AlreadyExists" : "Conflict";
    case 410:
      return "Gone";
    case 429:
      return "TooManyRequests";
    default:
      return code >= 500 ? "ServerError" : "UnexpectedStatus";
  }
}

function textOf(body: unknown): string {
  return typeof body === "string" ? body.slice(0, 200).trim() : "";
}

/** RFC 9110 section 10.2.3: seconds, or a date; Kubernetes sends seconds. */
function retryAfterOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,6}$/.test(text)) return undefined;
  return Number(text) * 1000;
}

function detailsRetry(details: unknown): number | undefined {
  const seconds = isRecord(details) ? details["retryAfterSeconds"] : undefined;
  return typeof seconds === "number" && seconds > 0 ? seconds * 1000 : undefined;
}

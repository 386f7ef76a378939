/** What the administration port answers, as values: each part of the relay brings its own routes, the server knows none. */
import type { IncomingMessage, ServerResponse } from "node:http";

/** `operator`: the operator alone. `peer`: pods of this same relay alone. */
export type Caller = "operator" | "peer";

export interface Route {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  /** Exactly this path, or everything below it when it ends in "/". */
  readonly path: string;
  readonly allowed: Caller;
  /**
   * Ends the response. `rest` is what follows `path`, still percent-encoded; the body is unread and its size not checked. A
   * rejection is a 500 with a line in the log, or a cut connection once a head was sent.
   */
  readonly answer: (request: IncomingMessage, response: ServerResponse, rest: string) => Promise<void>;
}

/** Reads the `/status` of relay pods. A pod that does not answer in time has no report: that is a fact, not an error. */
import { Agent, get, type IncomingMessage } from "node:http";
import { json } from "node:stream/consumers";
import { relayReport, type RelayReport } from "../../api/relayreport.ts";
import type { Pod } from "../kube/objects.ts";

const timeoutMs = 2000;

/**
 * Each pod is asked every few seconds: no connection is kept meanwhile. fetch() would make a pool, a client and web streams
 * for every report: at rest that was the second most of what an operator allocates.
 */
const agent = new Agent({ keepAlive: false });

/** One reader for all pods, so that tests need no sockets. */
export type ReadReport = (pod: Pod) => Promise<RelayReport | undefined>;

export const readReport: ReadReport = async (pod) => {
  const port = pod.status.ports.find((candidate) => candidate.name === "http")?.containerPort;
  if (port === undefined || !pod.status.ready) return undefined;
  try {
    return relayReport.parse(await readStatus(pod.status.podIP, port));
  } catch {
    return undefined;
  }
};

/** Rejects when there is no whole answer in time, or one that is no 200 with JSON. */
async function readStatus(host: string, port: number): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = get({ host, port, path: "/status", agent }, resolve).on("error", reject);
  const deadline = setTimeout(() => request.destroy(new Error("no answer in time")), timeoutMs);
  try {
    const answer = await promise;
    if (answer.statusCode === 200) return await json(answer);
    throw new Error(`status ${answer.statusCode}`);
  } finally {
    clearTimeout(deadline);
    request.destroy();
  }
}

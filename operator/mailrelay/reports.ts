/** Reads the `/status` of relay pods. A pod that does not answer in time has no report: that is a fact, not an error. */
import { relayReport, type RelayReport } from "../../api/relayreport.ts";
import type { Pod } from "../kube/objects.ts";

const timeoutMs = 2000;

/** One reader for all pods, so that tests need no sockets. */
export type ReadReport = (pod: Pod) => Promise<RelayReport | undefined>;

export const readReport: ReadReport = async (pod) => {
  const port = pod.status.ports.find((candidate) => candidate.name === "http")?.containerPort;
  if (port === undefined || !pod.status.ready) return undefined;
  const host = pod.status.podIP.includes(":") ? `[${pod.status.podIP}]` : pod.status.podIP;
  try {
    const response = await fetch(`http://${host}:${port}/status`, { signal: AbortSignal.timeout(timeoutMs) });
    if (!response.ok) return undefined;
    return relayReport.parse(await response.json());
  } catch {
    return undefined;
  }
};

/** What a bed of test/support/submission.ts counts and logs. */
import { z } from "zod";
import type { ReceptionMetrics } from "../../relay/reception/metrics.ts";

/** What a bed counts and logs, where a relay has metrics and standard output. */
export class Notes {
  readonly refusals: string[] = [];
  readonly silences: string[] = [];
  readonly exhausted: string[] = [];
  readonly handshakes: string[] = [];
  readonly heldBack: string[] = [];
  readonly lines: Record<string, unknown>[] = [];
  connections = 0;
  connectionsBegun = 0;

  /** As a log's output. */
  readonly dropped = 0;
  write(line: string): void {
    this.lines.push(z.record(z.string(), z.unknown()).parse(JSON.parse(line)));
  }

  get metrics(): ReceptionMetrics {
    const nothing = (): void => undefined;
    return {
      connectionOpened: () => {
        this.connections += 1;
        this.connectionsBegun += 1;
      },
      connectionClosed: () => {
        this.connections -= 1;
      },
      authenticated: nothing,
      loginHeldBack: (how, failed) => this.heldBack.push(`${how} ${failed}`),
      accepted: nothing,
      checkSilent: (check, reason) => this.silences.push(`${check} ${reason}`),
      refused: (listener, code, enhanced) => this.refusals.push(`${listener} ${code} ${enhanced}`),
      turnedAway: nothing,
      quotaExhausted: ({ kind }, domain) => this.exhausted.push(`${domain} ${kind}`),
      clientCertificate: (listener, result) => this.handshakes.push(`${listener} ${result}`),
      acceptedMessages: 0,
    };
  }
}

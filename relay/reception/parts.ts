/** What all sessions share. */
import type { Chance, Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { NetworkCache } from "../../runtime/network.ts";
import type { Gate } from "../administration/gate.ts";
import type { SnapshotSource } from "../config/snapshot.ts";
import type { Limits } from "../limits/limits.ts";
import type { HopTracer } from "../observe/hop.ts";
import type { Journal } from "../observe/journal.ts";
import type { Parent } from "../observe/parent.ts";
import type { Patience } from "../smtp/server/patience.ts";
import type { ReceivingSpool } from "../spool/start.ts";
import type { HeaderRoom } from "./accept/headerroom.ts";
import type { Checks } from "./checks/check.ts";
import type { ClientLog } from "./clientlog.ts";
import type { PasswordCheck } from "./identity/passwords.ts";
import type { TokenCheck } from "./identity/tokens/tokens.ts";
import type { LoginUses } from "./identity/uses.ts";
import type { ReceptionMetrics } from "./metrics.ts";

export interface SessionParts {
  readonly snapshots: SnapshotSource;
  readonly spool: ReceivingSpool;
  readonly log: Log;
  /** For what a client can cause at will. */
  readonly clientLog: ClientLog;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly metrics: ReceptionMetrics;
  readonly journal: Journal;
  /** Undefined in a pod. */
  readonly parent: Parent | undefined;
  readonly hops: HopTracer;
  readonly passwords: PasswordCheck;
  readonly tokens: TokenCheck;
  readonly limits: Pick<Limits, "clients" | "logins" | "quotas">;
  readonly patience: Pick<Patience, "slowLoginMs">;
  readonly uses: LoginUses;
  readonly gate: Gate;
  readonly networks: NetworkCache;
  readonly headerRoom: HeaderRoom;
  /** Those of now. */
  readonly checks: () => Checks;
}

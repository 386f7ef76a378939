/** Whether a client may go on without the certificate that a listener wants. Pure. */
import type { ListenerDocument } from "../../api/relayconfig.ts";
import type { Snapshot } from "../config/snapshot.ts";
import { refusal, type Refusal } from "../mail/reply.ts";
import { askAgain } from "./identity/principal.ts";
import { noneText, type Shown, unusableText } from "./identity/shown.ts";

export interface Shower {
  readonly listener: Pick<ListenerDocument, "clientCertificates">;
  readonly secure: boolean;
  /** Absent: nothing was asked for. */
  readonly shown?: Shown | undefined;
  /** In ms since the epoch. */
  readonly at: number;
}

const firstTls = refusal(530, "5.7.0", "Must issue a STARTTLS command first");
const cannotBeChecked = refusal(451, "4.3.5", "Client certificates cannot be checked yet, try again later");
const askedAnew = refusal(421, "4.7.0", "This listener wants a client certificate now, connect again");
const standsNoLonger = refusal(
  421,
  "4.7.0",
  "The client certificate stands no longer: it has expired, or its authority has been withdrawn; connect again",
);

/** Undefined where the listener wants no certificate, and where the client has shown one that stands. */
export function admitCertificate(snapshot: Snapshot, client: Shower): Refusal | undefined {
  if (client.listener.clientCertificates !== "Required") return undefined;
  if (!client.secure) return firstTls;
  const { shown = { kind: "unasked" }, at } = client;
  if (shown.kind === "certificate" && askAgain(shown.principal, snapshot, at) !== undefined) return undefined;
  // Without authorities nobody can be let in; with gaps in the configuration this client's authority may be what is missing.
  if (snapshot.clientAuthorities === undefined || snapshot.gaps.relay) return cannotBeChecked;
  switch (shown.kind) {
    case "certificate":
      return standsNoLonger;
    case "unasked":
      return askedAnew;
    case "none":
      return refusal(530, "5.7.0", noneText);
    case "unusable":
      return refusal(530, "5.7.0", unusableText(shown.why));
  }
}

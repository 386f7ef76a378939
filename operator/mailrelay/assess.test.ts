import assert from "node:assert/strict";
import { test } from "node:test";
import {
  authoritySecretOf,
  claimOf,
  now,
  podOf,
  relayOf,
  relayWorld,
  reportOf,
  secretOf,
} from "../../test/support/operatorobjects.ts";
import { judgeAccepted, judgeCertificate, judgeReferences, type RelayFinding, whyUnsent } from "./assess.ts";
import { type IssuedCertificate, leafLifeMs } from "../trust/certificate.ts";
import { clientAuthorities, issueLeaf, makeCertificateAuthority } from "../trust/issue.ts";
import { judgeAvailable, judgeProgrammed, relayStatus, summarizeRelay } from "./programmed.ts";
import type { RelayWorld } from "./world.ts";
import type { PodFact } from "../pods/facts.ts";

const authority = await makeCertificateAuthority(now);
const leaf = await issueLeaf({ authority, names: ["relay.example.com"], now });
const given = relayOf({ tls: { secretRef: { name: "mine" } } });

function pod(name: string, revision: string | undefined, error?: string): PodFact {
  if (revision === undefined) return podOf(name, { ready: false, report: undefined });
  const report = { revision, queued: 1234, ...(error === undefined ? {} : { configurationError: error }) };
  return podOf(name, { report: reportOf(report) });
}

const r1 = { revision: "r1", fingerprint: undefined, replicas: 1 };
const twice = { ...r1, replicas: 2 };

function tls(crt: string, key: string) {
  return new Map([["mine", secretOf({ name: "mine", values: { "tls.crt": crt, "tls.key": key } })]]);
}

type Row = readonly [name: string, judge: () => RelayFinding, status: string, reason: string, message: RegExp];

const other = { ...given, spec: { ...given.spec, hostname: "other.example.com" } };
const two = relayOf({ replicas: 2 });
const ends = { ended: ["f: over"], ending: ["f: soon"], nextMs: 1 };
const rows: readonly Row[] = [
  ["a plain spec", () => judgeAccepted(relayWorld()), "True", "Accepted", /valid/],
  [
    "a paused relay",
    () => judgeAccepted(relayWorld({ relay: relayOf({ paused: true }) })),
    "True",
    "Paused",
    /spec\.paused/,
  ],
  [
    "a field that does nothing yet",
    () =>
      judgeAccepted(
        relayWorld({ relay: relayOf({ events: { sinks: [{ name: "hook", url: "https://example.com/events" }] } }) }),
      ),
    "True",
    "NotActedOnYet",
    /spec\.events/,
  ],
  ["no reference problem", () => judgeReferences([]), "True", "ResolvedRefs", /usable/],
  [
    "a missing Secret",
    () => judgeReferences([{ kind: "missing", object: "Secret", field: "f", message: "f: Secret x does not exist" }]),
    "False",
    "SecretNotFound",
    /Secret x/,
  ],
  [
    "a Secret without its key",
    () => judgeReferences([{ kind: "invalid", object: "Secret", field: "f", message: "f: Secret x lacks username" }]),
    "False",
    "SecretInvalid",
    /lacks username/,
  ],
  [
    "a login that ends within a week",
    () => judgeReferences([], { ...ends, ended: [] }),
    "True",
    "Expiring",
    /^f: soon$/,
  ],
  [
    "a login that has ended, beside one that will",
    () => judgeReferences([], ends),
    "True",
    "Expired",
    /^f: over; f: soon$/,
  ],
  [
    "a login that has ended beside a Secret that is missing",
    () => judgeReferences([{ kind: "missing", object: "Secret", field: "f", message: "f: none" }], ends),
    "False",
    "SecretNotFound",
    /^f: none; f: over; f: soon$/,
  ],
  ["no certificate of our own yet", () => judgeCertificate(relayWorld()), "False", "Pending", /issue/],
  [
    "a certificate Secret that is missing",
    () => judgeCertificate(relayWorld({ relay: given })),
    "False",
    "SecretNotFound",
    /^spec\.tls\.secretRef: Secret mine does not exist: create it/,
  ],
  [
    "a certificate that serves",
    () => judgeCertificate(relayWorld({ relay: given, secrets: tls(leaf.certificate, leaf.privateKey) })),
    "True",
    "Valid",
    /valid until 2027-/,
  ],
  [
    "a certificate without its key",
    () => judgeCertificate(relayWorld({ relay: given, secrets: tls(leaf.certificate, authority.privateKey) })),
    "False",
    "SecretInvalid",
    /not the key of the certificate/,
  ],
  [
    "a certificate for another name",
    () => judgeCertificate(relayWorld({ relay: other, secrets: tls(leaf.certificate, leaf.privateKey) })),
    "False",
    "NameMismatch",
    /for relay\.example\.com, not for spec\.hostname other\.example\.com/,
  ],
  [
    "an expired certificate",
    () =>
      judgeCertificate(
        relayWorld({ relay: given, secrets: tls(leaf.certificate, leaf.privateKey), now: now + leafLifeMs + 1 }),
      ),
    "False",
    "Expired",
    /renew it/,
  ],
  [
    "a certificate that nobody renews",
    () =>
      judgeCertificate(
        relayWorld({
          relay: given,
          secrets: tls(leaf.certificate, leaf.privateKey),
          now: now + leafLifeMs - 3_600_000,
        }),
      ),
    "True",
    "Expiring",
    /expires/,
  ],
  ["no pod", () => judgeProgrammed(relayWorld(), r1), "False", "NoReadyPods", /no pod/],
  [
    "zero replicas",
    () => judgeProgrammed(relayWorld({ relay: relayOf({ replicas: 0 }) }), r1),
    "False",
    "Hibernating",
    /spec\.replicas is 0/,
  ],
  [
    "an older revision",
    () => judgeProgrammed(relayWorld({ pods: [pod("p0", "r0")] }), r1),
    "False",
    "WaitingForPods",
    /p0/,
  ],
  [
    "one of two pods that does not answer",
    () => judgeProgrammed(relayWorld({ relay: two, pods: [pod("p0", "r1"), pod("p1", undefined)] }), twice),
    "False",
    "WaitingForPods",
    /p1/,
  ],
  [
    "a pod that has not come yet",
    () => judgeProgrammed(relayWorld({ relay: two, pods: [pod("p0", "r1")] }), twice),
    "False",
    "WaitingForPods",
    /1 of 2 pods/,
  ],
  [
    "a refused configuration",
    () => judgeProgrammed(relayWorld({ pods: [pod("p0", "r0", "relay.json: no")] }), r1),
    "False",
    "ConfigurationRefused",
    /p0 keeps its last good configuration: relay\.json: no/,
  ],
  [
    "every pod up to date",
    () => judgeProgrammed(relayWorld({ pods: [pod("p0", "r1")] }), r1),
    "True",
    "Programmed",
    /every/,
  ],
  ["a ready pod", () => judgeAvailable(relayWorld({ pods: [pod("p0", "r1")] })), "True", "PodsAvailable", /mail/],
  ["no ready pod", () => judgeAvailable(relayWorld()), "False", "PodsUnavailable", /no pod/],
];

for (const [name, judge, status, reason, message] of rows) {
  test(`${name} is judged ${status} ${reason}`, () => {
    const found = judge();
    assert.deepEqual([found.status, found.reason], [status, reason]);
    assert.match(found.message, message);
  });
}

const unchanged = { claims: [claimOf(0, { growthRefused: { why: "no expansion", retryAt: now } })] };
const remarks: readonly (readonly [spec: object, world: Partial<RelayWorld>, reason: string, words: RegExp])[] = [
  [{ paused: true }, {}, "Paused", /spec\.paused is true/],
  [{ delivery: { mode: "Capture" } }, {}, "MailCaptured", /spec\.delivery\.mode is Capture: nothing leaves/],
  [{ spool: { storage: { size: "20Gi" } } }, unchanged, "StorageNotChanged", /no expansion/],
  [
    {
      tenants: [
        { name: "own", namespaces: { from: "Same" } },
        { name: "others", namespaces: { from: "All" } },
      ],
    },
    {},
    "AnyDomainAllowed",
    /admits every namespace with any domain/,
  ],
  [
    {},
    { rejections: [{ field: "metadata.namespace", message: "Kubernetes refuses PodMonitor x", isSpare: true }] },
    "NotMonitored",
    /Kubernetes refuses PodMonitor x; mail goes on/,
  ],
  [
    { events: { sinks: [{ name: "hook", url: "https://example.com/" }] } },
    {},
    "NotActedOnYet",
    /spec\.events is not acted on yet/,
  ],
];

test("beside an object that mail needs, one that it does not need is named as well", () => {
  const spare = { field: "metadata.namespace", message: "Kubernetes refuses PodMonitor x", isSpare: true } as const;
  const { status, message } = judgeAccepted(
    relayWorld({ rejections: [spare, { field: "spec.pod", message: "Kubernetes refuses StatefulSet x" }] }),
  );
  assert.equal(status, "False");
  assert.match(message, /PodMonitor x; spec\.pod: Kubernetes refuses StatefulSet x/);
});

test("of two things to be said of a valid spec neither hides the other", () => {
  remarks.forEach(([spec, world, reason, words], first) => {
    for (const [second, secondWorld, , secondWords] of remarks.slice(first + 1)) {
      const relay = relayOf({ ...spec, ...second });
      const found = judgeAccepted(relayWorld({ ...world, ...secondWorld, relay }));
      assert.deepEqual([found.status, found.reason], ["True", reason], found.message);
      assert.match(found.message, words);
      assert.match(found.message, secondWords);
    }
  });
});

test("Ready says that mail is sent where it is sent, and nowhere else", () => {
  const good = judgeReferences([]);
  const allowRecipients = ["a@example.com", "b@example.com", "*@test.example.com", "c@example.com"];
  for (const [delivery, words] of [
    [{ mode: "Capture" }, "spec.delivery.mode is Capture: nothing leaves, all of it"],
    [
      { mode: "AllowList", allowRecipients: ["a@example.com"] },
      "spec.delivery.mode is AllowList: only what is for a@example.com leaves, the rest",
    ],
    [
      { mode: "AllowList", allowRecipients },
      "spec.delivery.mode is AllowList: only what is for a@example.com, b@example.com, *@test.example.com and 1 more of allowRecipients leaves, the rest",
    ],
  ] as const) {
    const [ready] = summarizeRelay([good], { unsent: whyUnsent(relayOf({ delivery })), hasPods: true });
    assert.equal(ready?.status, "True");
    assert.equal(ready.message, `mail is taken, but ${words} is captured in the spools, for people to read`);
  }
  assert.match(
    summarizeRelay([good], { unsent: whyUnsent(relayOf()), hasPods: true })[0]?.message ?? "",
    /signed and sent/,
  );
});

test("summarizeRelay() tells a person's mistake from what is on its way", () => {
  const summary = (findings: readonly RelayFinding[]): unknown =>
    summarizeRelay(findings, { unsent: undefined, hasPods: true }).map(
      (entry) => `${entry.type}=${entry.status} ${entry.reason}`,
    );
  const mistake = judgeReferences([{ kind: "missing", object: "Secret", field: "f", message: "m" }]);
  assert.deepEqual(summary([mistake]), ["Ready=False Invalid", "Reconciling=False Settled", "Stalled=True Invalid"]);
  const underWay = judgeProgrammed(relayWorld(), r1);
  assert.deepEqual(summary([underWay]), [
    "Ready=False Progressing",
    "Reconciling=True Progressing",
    "Stalled=False Settled",
  ]);
  const good = judgeReferences([]);
  assert.deepEqual(summary([good]), ["Ready=True Ready", "Reconciling=False Settled", "Stalled=False Settled"]);
});

test("relayStatus() tells the figures it is given and keeps transition times of what did not change", () => {
  const world = relayWorld({ pods: [pod("p0", "r1")] });
  const findings = [judgeProgrammed(world, r1)];
  const figures = { at: now, queued: 1200, late: 0, overHour: 0 };
  const first = relayStatus({ world, findings, revision: "r1", desired: 1, retained: [], figures, unsent: undefined });
  assert.deepEqual([first.queued, first.late, first.overHour], [1200, 0, 0]);
  assert.deepEqual(
    ["oldestDueTime", "oldestTime", "overDay", "at"].filter((field) => field in first),
    [],
    "nobody knows, and so nothing is told",
  );
  const later = { ...world, now: now + 60_000, relay: { ...world.relay, status: first } };
  assert.deepEqual(
    relayStatus({ world: later, findings, revision: "r1", desired: 1, retained: [], figures, unsent: undefined }),
    first,
  );
});

test("relayStatus() tells the oldest release that ready pods run, and none while one of them does not tell", () => {
  const running = (name: string, release: string | undefined, ready = true): PodFact => {
    const { release: _release, ...report } = reportOf();
    return podOf(name, { ready, report: release === undefined ? report : { ...report, release } });
  };
  const figures = { at: now, queued: 0, late: 0 };
  const toldOf = (...pods: readonly PodFact[]): string | undefined =>
    relayStatus({
      world: relayWorld({ pods }),
      findings: [],
      revision: "r1",
      desired: 1,
      retained: [],
      figures,
      unsent: undefined,
    }).version;
  assert.equal(toldOf(running("a", "0.10.0"), running("b", "0.9.1")), "0.9.1");
  assert.equal(toldOf(running("a", "0.10.0"), running("b", "0.9.1", false)), "0.10.0");
  assert.equal(toldOf(running("a", "0.10.0"), running("b", undefined)), undefined);
  assert.equal(toldOf(), undefined);
});

test("a kind of key that was asked for and that the authority lacks is named beside what was issued", async () => {
  const judged = (algorithms: readonly ("ECDSA" | "RSA")[] | undefined, signing: IssuedCertificate): RelayFinding =>
    judgeCertificate(
      relayWorld({
        relay: relayOf({ tls: { selfSigned: algorithms === undefined ? {} : { algorithms } } }),
        authority: authoritySecretOf(signing),
        certificate: secretOf({
          name: "outbound-certificate",
          values: { "tls.crt": leaf.certificate, "tls.key": leaf.privateKey, "ca.crt": signing.certificate },
        }),
      }),
    );
  const lacking = judged(["RSA"], authority);
  assert.deepEqual([lacking.status, lacking.reason], ["True", "Issued"]);
  assert.match(
    lacking.message,
    /; spec\.tls\.selfSigned\.algorithms asks for RSA, .* Secret mailboat-system\/mailboat-ca .* rsa\.crt and rsa\.key/,
  );
  assert.match(judged(["RSA", "ECDSA"], authority).message, /algorithms asks for RSA, /);
  const byRsa = await makeCertificateAuthority(now, clientAuthorities.RSA);
  assert.match(judged(["ECDSA"], byRsa).message, /algorithms asks for ECDSA, /);
  for (const whole of [judged(undefined, authority), judged(["ECDSA"], authority), judged(["RSA"], byRsa)]) {
    assert.doesNotMatch(whole.message, /algorithms/);
  }
});

test("cert-manager's kind that may not be listed is told as that, and what it issued stays in force", () => {
  const asked = relayOf({ tls: { certManager: { issuerRef: { name: "letsencrypt" } } } });
  const judged = (doubt: "forbidden" | "unanswered") =>
    judgeCertificate(relayWorld({ relay: asked, doubts: new Map([["Certificate", doubt]]) }));
  assert.deepEqual([judged("forbidden").reason, judged("unanswered").reason], ["CertificatesForbidden", "Pending"]);
  assert.match(judged("forbidden").message, /may not list Certificates of cert-manager\.io in namespace mail/);
  assert.match(judged("forbidden").message, /or use secretRef or selfSigned$/, "fields that the API has");
  const issued = secretOf({ name: "outbound-issued", values: { "tls.crt": "PEM", "tls.key": "PEM" } });
  const world = relayWorld({
    relay: asked,
    doubts: new Map([["Certificate", "forbidden"]]),
    secrets: new Map([["outbound-issued", issued]]),
  });
  assert.equal(judgeCertificate(world).reason, "SecretInvalid", "it is the Secret that is judged");
});

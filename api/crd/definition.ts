/**
 * The kinds as CustomResourceDefinitions, made from the same zod schemas that decode them. Pure: the same schemas give the
 * same bytes. A schema that an API server would not take (no structural form) throws here, when the files are generated.
 */
import { z } from "zod";
import { unjudged } from "../condition.ts";
import { withFormerFields } from "../former/fields.ts";
import * as names from "../group.ts";
import { mailRelay } from "../mailrelay.ts";
import { mailRelayNotYet, type NotYet, senderDomainNotYet } from "../notyet.ts";
import { senderDomain } from "../senderdomain.ts";
import { toStructural, type StructuralSchema } from "./structural.ts";

interface PrinterColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  readonly jsonPath: string;
  readonly description: string;
  /** Shown by `kubectl get -o wide` alone. */
  readonly priority?: 1;
}

interface Kind {
  readonly kind: string;
  readonly plural: string;
  readonly shortName: string;
  readonly schema: z.ZodType;
  readonly notYet: readonly NotYet[];
  readonly columns: readonly PrinterColumn[];
  readonly subresources: Readonly<Record<string, object>>;
  /** Fields that `kubectl get --field-selector` finds, so that nobody has to list all to find one. */
  readonly selectableFields: readonly string[];
}

function conditionColumn(name: string, type: string, description: string): PrinterColumn {
  return { name, type: "string", jsonPath: `.status.conditions[?(@.type=="${type}")].status`, description };
}

const age: PrinterColumn = {
  name: "Age",
  type: "date",
  jsonPath: ".metadata.creationTimestamp",
  description: "Time since creation.",
};

const mailRelayKind: Kind = {
  kind: names.mailRelayKind,
  plural: names.mailRelayPlural,
  shortName: names.mailRelayShortName,
  schema: mailRelay,
  notYet: mailRelayNotYet,
  columns: [
    conditionColumn("Ready", "Ready", "Whether mail is taken and delivered as the spec says."),
    { name: "Pods", type: "integer", jsonPath: ".status.readyReplicas", description: "Pods that take mail." },
    { name: "Queued", type: "integer", jsonPath: ".status.queued", description: "Recipients that wait." },
    {
      name: "Late",
      type: "integer",
      jsonPath: ".status.late",
      description: "Messages that still wait after five minutes.",
    },
    {
      name: "Late 1h",
      type: "integer",
      jsonPath: ".status.overHour",
      description: "Messages that still wait after an hour.",
      priority: 1,
    },
    {
      name: "Late 1d",
      type: "integer",
      jsonPath: ".status.overDay",
      description: "Messages that still wait after a day.",
      priority: 1,
    },
    {
      name: "Captured",
      type: "integer",
      jsonPath: ".status.captured",
      description: "Messages that delivery.mode kept from leaving.",
      priority: 1,
    },
    {
      name: "Oldest",
      type: "date",
      jsonPath: ".status.oldestTime",
      description: "How long the oldest message that waits has waited.",
    },
    {
      name: "Oldest Due",
      type: "date",
      jsonPath: ".status.oldestDueTime",
      description: "How long the longest overdue recipient has waited.",
    },
    { name: "Address", type: "string", jsonPath: ".status.addresses[0]", description: "Where clients reach it." },
    age,
  ],
  subresources: {
    scale: {
      specReplicasPath: ".spec.replicas",
      statusReplicasPath: ".status.replicas",
      labelSelectorPath: ".status.selector",
    },
    status: {},
  },
  selectableFields: [],
};

const senderDomainKind: Kind = {
  kind: names.senderDomainKind,
  plural: names.senderDomainPlural,
  shortName: names.senderDomainShortName,
  schema: senderDomain,
  notYet: senderDomainNotYet,
  columns: [
    conditionColumn("Ready", "Ready", "Whether the domain can send."),
    { name: "Domain", type: "string", jsonPath: ".spec.domain", description: "The domain." },
    { name: "Relay", type: "string", jsonPath: ".spec.relayRef.name", description: "The relay that sends for it." },
    conditionColumn("DKIM", "KeysReady", "Whether every key is there and usable."),
    conditionColumn("DNS", "DNSVerified", "Whether every wanted record is published."),
    {
      name: "Limited",
      type: "date",
      jsonPath: ".status.limitedSince",
      priority: 1,
      description:
        "For how long mail is refused because the domain, or its namespace, has sent what it may in an hour.",
    },
    age,
  ],
  subresources: { status: {} },
  selectableFields: [".spec.domain", ".spec.relayRef.name"],
};

export interface CustomResourceDefinition {
  readonly apiVersion: "apiextensions.k8s.io/v1";
  readonly kind: "CustomResourceDefinition";
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly group: string;
    readonly names: object;
    readonly scope: "Namespaced";
    readonly versions: readonly CustomResourceVersion[];
  };
}

interface CustomResourceVersion {
  readonly name: string;
  readonly served: true;
  readonly storage: true;
  readonly schema: { readonly openAPIV3Schema: StructuralSchema };
  readonly subresources: object;
  readonly additionalPrinterColumns: readonly PrinterColumn[];
  readonly selectableFields?: readonly { readonly jsonPath: string }[];
}

/** Both definitions, in the order in which `kubectl apply` may take them (any). */
export function customResourceDefinitions(): CustomResourceDefinition[] {
  return [mailRelayKind, senderDomainKind].map(definitionOf);
}

function definitionOf(kind: Kind): CustomResourceDefinition {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${kind.plural}.${names.group}` },
    spec: {
      group: names.group,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        singular: kind.kind.toLowerCase(),
        shortNames: [kind.shortName],
        categories: [names.category],
      },
      scope: "Namespaced",
      versions: [versionOf(kind)],
    },
  };
}

function versionOf(kind: Kind): CustomResourceVersion {
  const fields = kind.selectableFields.map((jsonPath) => ({ jsonPath }));
  return {
    name: names.version,
    served: true,
    storage: true,
    schema: { openAPIV3Schema: rootSchema(kind) },
    subresources: kind.subresources,
    additionalPrinterColumns: kind.columns,
    ...(fields.length > 0 ? { selectableFields: fields } : {}),
  };
}

/** Kubernetes owns the three fields every object has; a definition may only name them. */
function rootSchema({ kind, schema, notYet }: Kind): StructuralSchema {
  const today = toStructural(z.toJSONSchema(schema, { target: "openapi-3.0", io: "input" }));
  const whole = kind === names.mailRelayKind ? withFormerFields(today) : today;
  const root = notYet.reduce((told, entry) => tellNotYet(told, entry.path.split("."), entry), whole);
  const { status } = root.properties ?? {};
  const properties = {
    ...root.properties,
    status: { ...status, default: unjudged },
    apiVersion: { description: "Version of the schema this object is written in.", type: "string" },
    kind: { description: "The kind of object.", type: "string" },
    metadata: { type: "object" },
  };
  return { ...root, properties, required: ["spec"] };
}

/** `kubectl explain` is asked before anything is applied: there as well a field that does nothing must say so. */
function tellNotYet(schema: StructuralSchema, [step, ...rest]: readonly string[], entry: NotYet): StructuralSchema {
  if (step === undefined) {
    const isPlain = schema["default"] === undefined || isEmpty(schema["default"]);
    const remark = `${isPlain ? "Not" : "Other values than the default are not"} acted on yet: ${entry.until}.`;
    const description = schema["description"];
    return { ...schema, description: typeof description === "string" ? `${description} ${remark}` : remark };
  }
  const name = step.replace("[]", "");
  const field = schema.properties?.[name];
  if (field === undefined) throw new Error(`${entry.path} is no field`);
  const below =
    step === name ? tellNotYet(field, rest, entry) : { ...field, items: tellNotYet(field.items ?? {}, rest, entry) };
  return { ...schema, properties: { ...schema.properties, [name]: below } };
}

function isEmpty(value: unknown): boolean {
  return JSON.stringify(value) === "[]";
}

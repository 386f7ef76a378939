/** What a test of the operator in a cluster begins with: a control plane that knows our kinds, and operators to start. */
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Client } from "../../../operator/kube/client/client.ts";
import type { RawObject } from "../../../operator/kube/client/resource.ts";
import { digestOf, project } from "../../../operator/kube/cluster/difference.ts";
import { resourceOf } from "../../../operator/kube/cluster/resources.ts";
import type { Kind } from "../../../operator/kube/objects.ts";
import { grantCommand, usualSecretsRole } from "../../../operator/installation/rights.ts";
import { makeResultsDirectory } from "../results.ts";
import { keepSecrets } from "../secrets/disclosure.ts";
import { isSecret, secretsOfSecret } from "../secrets/documents.ts";
import { until } from "../until.ts";
import { openClient } from "./clients.ts";
import { hearServer } from "./toldobjects.ts";
import {
  type AuditEntry,
  type ControlPlane,
  openControlPlane,
  type OwnControlPlane,
  startControlPlane,
} from "./controlplane.ts";
import { applyDefinitions } from "./definitions.ts";
import { grantRights, operatorAccount } from "./rights.ts";
import { OperatorProgram, type OperatorStart } from "./operator.ts";

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
}

export interface Named {
  readonly namespace: string;
  readonly name: string;
}

export class OperatorStage<Plane extends ControlPlane = ControlPlane> {
  readonly plane: Plane;
  /** Of a user who may do everything. */
  readonly client: Client;
  /** Where operators keep their lease and their own Secrets. */
  readonly operatorNamespace: string;
  /** A kubeconfig with exactly the rights that the chart gives. */
  readonly operatorKubeconfig: string;
  readonly #token: string;
  readonly #directory: string;
  readonly #operators: OperatorProgram[] = [];

  private constructor(plane: Plane, directory: string) {
    this.plane = plane;
    this.client = openClient(plane.kubeconfig);
    this.operatorNamespace = plane.makeNamespace();
    this.#directory = directory;
    this.#token = grantRights(plane, this.operatorNamespace);
    this.operatorKubeconfig = plane.kubeconfigWith(this.#token);
  }

  /** For a test file; pass `import.meta.url`. On the control plane that the file was handed, if any: it stays as it was. */
  static async open(file: string): Promise<OperatorStage> {
    return OperatorStage.openIn(makeResultsDirectory(file, "stage"));
  }

  /** In an empty directory. */
  static async openIn(directory: string): Promise<OperatorStage> {
    const plane = await openControlPlane(join(directory, "plane"));
    if (!plane.isShared) applyDefinitions(plane);
    return new OperatorStage(plane, directory);
  }

  /** For a test file that kills the server, changes our definitions or brings kinds of others: on a control plane of its own. */
  static async openOwn(file: string): Promise<OperatorStage<OwnControlPlane>> {
    const directory = makeResultsDirectory(file, "stage");
    const plane = await startControlPlane(join(directory, "plane"));
    applyDefinitions(plane);
    return new OperatorStage(plane, directory);
  }

  async close(): Promise<void> {
    await hearServer(this.client);
    await Promise.all(this.#operators.map((operator) => operator.kill()));
    await this.plane.stop();
  }

  /** A namespace whose owner lets the operator have its Secrets, unless told otherwise. */
  makeNamespace(
    options: { readonly givesSecrets?: boolean; readonly labels?: Readonly<Record<string, string>> } = {},
  ): string {
    const namespace = this.plane.makeNamespace(options.labels);
    if (options.givesSecrets !== false) this.giveSecrets(namespace);
    return namespace;
  }

  /** Runs the command that conditions show. */
  giveSecrets(namespace: string): void {
    const installation = {
      namespace: this.operatorNamespace,
      serviceAccount: operatorAccount,
      secretsRole: usualSecretsRole,
    };
    this.plane.kubectl(grantCommand(installation, namespace).split(" ").slice(1));
  }

  /** Lets the operator read one Secret, or one ConfigMap, and no other. */
  giveSingle(namespace: string, name: string, resource: "secrets" | "configmaps" = "secrets"): void {
    const kubectl = (...args: readonly string[]): string => this.plane.kubectl([...args, "--namespace", namespace]);
    kubectl(
      "create",
      "role",
      `${resource}-${name}`,
      "--verb=get,list,watch",
      `--resource=${resource}`,
      `--resource-name=${name}`,
    );
    const account = `--serviceaccount=${this.operatorNamespace}:${operatorAccount}`;
    kubectl("create", "rolebinding", `${resource}-${name}`, `--role=${resource}-${name}`, account);
  }

  /** Takes the right to list namespaces from the operator's account. */
  hideNamespaces(): void {
    const role = JSON.parse(this.plane.kubectl(["get", "clusterrole", operatorAccount, "--output=json"])) as {
      readonly rules: readonly { readonly resources?: readonly string[] }[];
    };
    const rules = role.rules.filter((rule) => rule.resources?.includes("namespaces") !== true);
    this.plane.kubectl(["replace", "-f", "-"], JSON.stringify({ ...role, rules }));
  }

  /** Whether the operator's account has a right. */
  may(verb: string, resource: string, namespace: string): boolean {
    const as = `--as=system:serviceaccount:${this.operatorNamespace}:${operatorAccount}`;
    try {
      return this.plane.kubectl(["auth", "can-i", verb, resource, "--namespace", namespace, as]).trim() === "yes";
    } catch (error) {
      // `no` ends with status 1.
      if (error instanceof Error && "stdout" in error && String(error.stdout).trim() === "no") return false;
      throw error;
    }
  }

  /** For the operator's account, through a proxy. */
  kubeconfigVia(proxy: { readonly port: number }): string {
    return this.plane.kubeconfigWith(this.#token, proxy.port);
  }

  /** Starts an operator; does not wait for it. */
  operator(options: Partial<OperatorStart> = {}): OperatorProgram {
    const operator = OperatorProgram.start({
      kubeconfig: this.operatorKubeconfig,
      namespace: this.operatorNamespace,
      logFile: join(this.#directory, `operator-${this.#operators.length}.log`),
      ...options,
    });
    this.#operators.push(operator);
    return operator;
  }

  /** As `kubectl apply -f -` does it. */
  apply(...objects: readonly object[]): void {
    const list = { apiVersion: "v1", kind: "List", items: objects };
    // Those that are deleted before the end.
    keepSecrets(objects.filter(isSecret).flatMap(secretsOfSecret));
    this.plane.kubectl(["apply", "-f", "-"], JSON.stringify(list));
  }

  /** A kind of others, by its definition alone: whoever acts on it is not there. */
  defineKind(group: string, kind: string): void {
    const plural = `${kind.toLowerCase()}s`;
    const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
    const version = { name: "v1", served: true, storage: true, subresources: { status: {} }, schema };
    const names = { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` };
    this.apply({
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: `${plural}.${group}` },
      spec: { group, scope: "Namespaced", names, versions: [version] },
    });
    this.plane.kubectl(["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"]);
  }

  async get(kind: Kind, { namespace, name }: Named): Promise<RawObject | undefined> {
    return this.client.get(resourceOf(kind), { namespace, name });
  }

  /** The object, which must be there. */
  async read(kind: Kind, place: Named): Promise<RawObject> {
    const object = await this.get(kind, place);
    if (object === undefined) throw new Error(`${kind} ${place.namespace}/${place.name} is not there`);
    return object;
  }

  /** Waits for an object that fits. */
  async until(
    kind: Kind,
    place: Named,
    awaited: { readonly what: string; readonly fits: (object: RawObject) => boolean; readonly deadlineMs?: number },
  ): Promise<RawObject> {
    const { what, fits, deadlineMs } = awaited;
    return until(
      `${kind} ${place.namespace}/${place.name}: ${what}`,
      async () => {
        const object = await this.get(kind, place);
        return object !== undefined && fits(object) ? object : undefined;
      },
      deadlineMs,
    );
  }

  /** Waits, for ten seconds unless told, for a condition that says all of this. */
  async untilCondition(
    kind: "MailRelay" | "SenderDomain",
    place: Named,
    { withinMs = 10_000, ...wanted }: Partial<Condition> & { readonly type: string; readonly withinMs?: number },
  ): Promise<Condition> {
    let last: Condition | undefined;
    const fits = (condition: Condition): boolean => digestOf(project(wanted, condition)) === digestOf(wanted);
    const find = (object: RawObject): boolean => {
      last = conditionsOf(object).find((one) => one.type === wanted.type);
      return last !== undefined && fits(last);
    };
    try {
      await this.until(kind, place, { what: JSON.stringify(wanted), fits: find, deadlineMs: withinMs });
    } catch (error) {
      throw new Error(`${String(error)}; the last that was seen: ${JSON.stringify(last)}`, { cause: error });
    }
    if (last === undefined) throw new Error("no condition");
    return last;
  }

  /** Writes that the server carried out for operators since the count began, the Lease apart. */
  writes(from: number): readonly AuditEntry[] {
    return this.plane
      .audit()
      .slice(from)
      .filter(
        ({ userAgent, verb, resource, code }) =>
          userAgent === "mailboat-operator" &&
          !["get", "list", "watch"].includes(verb) &&
          resource !== "leases" &&
          code < 300,
      );
  }

  /**
   * Resolves to how long the audit log is once no operator has anything to do and nothing has been written for `quietMs`: no event
   * tells that there is nothing more to come, so the window is longer than a resync, by whose end whatever was wanting has been
   * found. What is written at a time of its own (a Secret that counts as missing, say) has to be waited for before.
   */
  async untilQuiet(quietMs = 1_500): Promise<number> {
    const look = async (): Promise<number | undefined> => {
      if (!(await this.#isIdle())) return undefined;
      const length = this.plane.audit().length;
      await pause(quietMs);
      return this.writes(length).length === 0 && (await this.#isIdle()) ? length : undefined;
    };
    return until("an operator that has nothing to write", look, 60_000);
  }

  /** On a machine that has no time a window without a write may only mean that nobody has got to it. */
  async #isIdle(): Promise<boolean> {
    const works = await Promise.all(this.#operators.filter(({ isRunning }) => isRunning).map(hasWork));
    return !works.includes(true);
  }
}

/** What waits in one that does not lead is for another to do. */
async function hasWork(operator: OperatorProgram): Promise<boolean> {
  const figure = async (name: string): Promise<number> => operator.figure(`mailboat_operator_${name}`);
  if ((await figure("leader")) === 0) return false;
  return (await figure("queue_depth")) + (await figure("queue_running")) > 0;
}

export function conditionsOf(object: RawObject): readonly Condition[] {
  const status = object["status"] as { readonly conditions?: readonly Condition[] } | undefined;
  return status?.conditions ?? [];
}

/** Helm, the one of today and the one before it, built from pinned modules; and our chart as it renders it. */
import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import type { GoProgram } from "./goprogram.ts";
import { lackingGo, provideGoProgram } from "./goprogram.ts";
import { repositoryRoot } from "./results.ts";

export const chartFolder: string = join(repositoryRoot, "charts/mailboat");

/** The chart has none of its own. */
export const imageRepository = "registry.example/mailboat";
export const withImage: readonly string[] = ["--set", `image.repository=${imageRepository}`];

const programs = {
  4: {
    name: "helm",
    folder: "test/chart/helm",
    package: "helm.sh/helm/v4/cmd/helm",
    variables: { "helm.sh/helm/v4/internal/version.version": "v4.3.1" },
  },
  3: {
    name: "helm",
    folder: "test/chart/helm3",
    package: "helm.sh/helm/v3/cmd/helm",
    variables: { "helm.sh/helm/v3/internal/version.version": "v3.22.0" },
  },
} as const satisfies Record<number, GoProgram>;

export type HelmMajor = keyof typeof programs;
export const helmMajors: readonly HelmMajor[] = [4, 3];

export function lackingHelm(): string | false {
  return lackingGo();
}

export interface Helm {
  /** Returns what it printed. Throws with what it printed as an error. */
  run(args: readonly string[], options?: { readonly kubeconfig?: string; readonly input?: string }): string;
  /** The objects of a release called `mailboat`; `set` are values as `--set-json` takes them, beside the image. */
  render(set?: Readonly<Record<string, unknown>>, args?: readonly string[]): readonly Rendered[];
}

export interface Rendered {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/** The program's path. Builds it first where the cache lacks it: a few minutes once. */
export async function provideHelmProgram(major: HelmMajor, say: (line: string) => void = () => {}): Promise<string> {
  return provideGoProgram(programs[major], say);
}

/** So that nothing of a person's own Helm is read or changed. */
export function helmPlaces(home: string): Readonly<Record<string, string>> {
  return { HELM_CACHE_HOME: home, HELM_CONFIG_HOME: home, HELM_DATA_HOME: home };
}

export async function provideHelm(major: HelmMajor = 4, say: (line: string) => void = () => {}): Promise<Helm> {
  const program = await provideHelmProgram(major, say);
  const home = mkdtempSync(join(tmpdir(), "mailboat-helm-"));
  const run: Helm["run"] = (args, { kubeconfig = join(home, "no-kubeconfig"), input = "" } = {}) => {
    const env = { ...process.env, ...helmPlaces(home), KUBECONFIG: kubeconfig };
    return execFileSync(program, [...args], { env, input, encoding: "utf8", stdio: "pipe", maxBuffer: 64 * 2 ** 20 });
  };
  return {
    run,
    render: (set = {}, args = []) => {
      const values = Object.entries({ "image.repository": imageRepository, ...set }).flatMap(([name, value]) => [
        "--set-json",
        `${name}=${JSON.stringify(value)}`,
      ]);
      const text = run(["template", "mailboat", chartFolder, "--namespace", "mailboat-system", ...values, ...args]);
      return documentsOf(text);
    },
  };
}

function documentsOf(text: string): readonly Rendered[] {
  return parseAllDocuments(text).flatMap((document) => {
    if (document.errors.length > 0) throw new Error(document.errors.map(String).join("\n"));
    const value: unknown = document.toJS();
    return isObject(value) ? [value] : [];
  });
}

function isObject(value: unknown): value is Rendered {
  return typeof value === "object" && value !== null && "kind" in value;
}

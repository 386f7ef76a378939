/**
 * The rules of the house as a program: who may import whom, sizes, names, licences. The tables are the rules; a change
 * of the house is a change of a table.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { repositoryRoot } from "./support/results.ts";
import { importsOf, readSources, type SourceFile } from "./support/source.ts";

interface Room {
  readonly name: string;
  readonly files: RegExp;
  /** Names of rooms, or `any`; its own is always allowed. */
  readonly rooms: "any" | readonly string[];
  /** npm packages. */
  readonly packages: readonly string[];
  /** `any`, or the modules of Node that the room may use. */
  readonly node: "any" | readonly string[];
}

/** The first room whose pattern fits is a file's room. Direction: api <- pure rooms <- edges <- main. */
const rooms: readonly Room[] = [
  {
    name: "tests",
    files: /\.test\.ts$|^test\//,
    rooms: "any",
    packages: [
      "zod",
      "dns-packet",
      "playwright-core",
      "echarts",
      "postal-mime",
      "@kubernetes/client-node",
      "@opentelemetry/api",
      "@opentelemetry/core",
      "@opentelemetry/otlp-transformer",
      "@opentelemetry/resources",
      "@opentelemetry/sdk-trace",
      "yaml",
      "fast-check",
      "@peculiar/x509",
      "reflect-metadata",
      "pino",
      "smtp-server",
      "nodemailer",
      "mailauth",
      "jose",
      "prettier",
    ],
    node: "any",
  },
  {
    name: "main",
    files: /^(?:relay|operator|local(?:\/captured)?)\/main\.ts$/,
    rooms: "any",
    packages: [],
    node: "any",
  },
  {
    // What writes the files that come from code, and the image.
    name: "generators",
    files: /^(?:crds|charts|image)\//,
    rooms: ["api"],
    packages: ["yaml", "@grafana/grafana-foundation-sdk", "esbuild"],
    node: "any",
  },
  { name: "api", files: /^api\//, rooms: [], packages: ["zod"], node: [] },
  {
    name: "runtime",
    files: /^runtime\//,
    rooms: [],
    packages: [
      "zod",
      "pino",
      "prom-client",
      "@opentelemetry/api",
      "@opentelemetry/core",
      "@opentelemetry/sdk-trace",
      "@opentelemetry/otlp-exporter-base",
    ],
    node: "any",
  },
  {
    // What the standards say of mail, and nothing of what a manifest does.
    name: "relay mail",
    files: /^relay\/mail\//,
    rooms: [],
    packages: [],
    node: ["node:crypto"],
  },
  {
    name: "relay pure",
    files:
      /^relay\/(?:config\/(?:granted|mode|snapshot)|limits\/\w+|spool\/(?:message\/\w+|local\/(?:recover|wal\/decide)|offers|queue|start|verbs)|dns\/(?:answer|cache)|delivery\/(?:job\/(?:job|parts|schedule)|policy\/\w+|resolve\/mailhosts)|observe\/(?:history|transition)|reception\/(?:admit|grant|admitcertificate|checks\/verdict|identity\/(?:certificate|principal|shown)))\.ts/,
    rooms: ["api", "relay mail"],
    packages: ["zod"],
    node: ["node:crypto"],
  },
  {
    name: "relay spool",
    files: /^relay\/spool\//,
    rooms: ["api", "runtime", "relay mail", "relay pure"],
    packages: ["zod"],
    node: "any",
  },
  {
    // What the parts that obey an order and answer on the administration port know of it.
    name: "relay administration words",
    files: /^relay\/administration\/(?:gate|orders|route)\.ts$/,
    rooms: ["api"],
    packages: [],
    node: ["node:http", "node:util"],
  },
  {
    name: "relay administration",
    files: /^relay\/administration\//,
    rooms: ["api", "runtime", "relay pure", "relay administration words"],
    packages: ["zod"],
    node: "any",
  },
  {
    name: "relay handoff",
    files: /^relay\/handoff\//,
    rooms: ["api", "runtime", "relay mail", "relay pure", "relay observe", "relay administration words"],
    packages: ["zod"],
    node: "any",
  },
  {
    // The protocol, and nothing of what is decided about mail.
    name: "relay smtp",
    files: /^relay\/smtp\//,
    rooms: ["api", "runtime", "relay mail"],
    packages: ["smtp-server", "nodemailer"],
    node: "any",
  },
  {
    name: "relay reception",
    files: /^relay\/reception\//,
    rooms: ["api", "runtime", "relay mail", "relay pure", "relay smtp", "relay observe", "relay administration words"],
    packages: ["jose"],
    node: "any",
  },
  {
    name: "relay delivery",
    files: /^relay\/delivery\//,
    rooms: ["api", "runtime", "relay mail", "relay pure", "relay smtp", "relay observe", "relay dns"],
    packages: [],
    node: "any",
  },
  {
    name: "relay dns",
    files: /^relay\/dns\//,
    rooms: ["runtime", "relay pure"],
    packages: ["dns-packet"],
    node: "any",
  },
  {
    name: "relay config",
    files: /^relay\/config\//,
    rooms: ["api", "runtime", "relay pure"],
    packages: ["zod"],
    node: "any",
  },
  {
    name: "relay observe",
    files: /^relay\/observe\//,
    rooms: ["api", "runtime", "relay mail", "relay pure"],
    packages: [],
    node: "any",
  },
  {
    // What is told of a relay to whoever asks on the plain port.
    name: "relay report",
    files: /^relay\/report\//,
    rooms: ["api", "runtime", "relay pure", "relay administration words"],
    packages: [],
    node: [],
  },
  {
    name: "relay inspect",
    files: /^relay\/inspect\//,
    rooms: ["api", "runtime", "relay mail", "relay pure", "relay spool", "relay settings"],
    packages: [],
    node: ["node:util"],
  },
  { name: "relay settings", files: /^relay\/settings\.ts$/, rooms: [], packages: ["zod"], node: "any" },
  {
    // Reads, and carrying out what was decided.
    name: "operator edges",
    files:
      /^operator\/(?:work\/(?:carryout|failing)|references\/gather|trust\/(?:issue|making)|credentials\/(?:scram|source|verifiers)|issuers\/(?:fetch|gather|source)|pods\/(?:giveorder|reports)|dkim\/makekey|(?:mailrelay|senderdomain)\/(?:gather|(?:misfit\/)?reconcile))\.ts$/,
    rooms: ["api", "runtime", "operator pure", "operator kube"],
    packages: ["@peculiar/x509", "reflect-metadata"],
    node: "any",
  },
  {
    // Objects as values, the narrow interface to where they are kept, and what is decided over them.
    name: "operator pure",
    files:
      /^operator\/(?:kube\/(?:kinds|kube|objects|secret|selector|shard)\.ts$|(?:binding|credentials|dkim|dns|installation|issuers|mailrelay|owned|pods|references|senderdomain|trust|work)\/)/,
    rooms: ["api"],
    packages: [],
    node: ["node:crypto"],
  },
  {
    // The reconcilers' interface over the client and its caches: the one part of operator/kube that knows the kinds.
    name: "operator kinds",
    files: /^operator\/kube\/cluster\//,
    rooms: ["api", "runtime", "operator pure", "operator kube"],
    packages: [],
    node: "any",
  },
  {
    name: "operator kube",
    files: /^operator\/kube\//,
    rooms: ["runtime", "operator pure"],
    packages: ["@kubernetes/client-node"],
    node: "any",
  },
  {
    name: "operator run",
    files: /^operator\/run\//,
    rooms: [
      "api",
      "runtime",
      "operator pure",
      "operator kube",
      "operator kinds",
      "operator edges",
      "operator settings",
    ],
    packages: ["prom-client"],
    node: "any",
  },
  { name: "operator convert", files: /^operator\/convert\//, rooms: [], packages: ["yaml"], node: [] },
  {
    name: "operator settings",
    files: /^operator\/(?:settings|tracingsettings)\.ts$/,
    rooms: ["api", "runtime"],
    packages: ["zod"],
    node: "any",
  },
  {
    name: "local",
    files: /^local\//,
    rooms: ["api", "runtime", "operator pure", "operator kube", "operator edges", "operator settings"],
    packages: [
      "zod",
      "yaml",
      "smtp-server",
      "nodemailer",
      "mailauth",
      "postal-mime",
      "@peculiar/x509",
      "reflect-metadata",
    ],
    node: "any",
  },
];

/** One adapter a library: nobody else sees its types and callbacks. Tests are free. */
const soleImporters: readonly { readonly target: string; readonly files: RegExp }[] = [
  {
    target: "smtp-server",
    files: /^relay\/smtp\/server\/|^local\//,
  },
  { target: "nodemailer", files: /^relay\/smtp\/client\/|^local\/demo\/run\.ts$/ },
  { target: "@kubernetes/client-node", files: /^operator\/kube\/client\/kubeconfig\.ts$/ },
  { target: "esbuild", files: /^image\// },
  { target: "@grafana/grafana-foundation-sdk", files: /^charts\/dashboards\// },
  { target: "prom-client", files: /^runtime\/metrics\.ts$|^operator\/run\/metrics\.ts$/ },
  { target: "jose", files: /^relay\/reception\/identity\/tokens\/tokens\.ts$/ },
  { target: "dns-packet", files: /^relay\/dns\// },
  { target: "@opentelemetry/sdk-trace", files: /^runtime\// },
  { target: "pino", files: /^runtime\/log\.ts$/ },
  { target: "postal-mime", files: /^local\/capture\/mime\.ts$/ },
  { target: "node:sqlite", files: /^relay\/spool\/|^local\/(?:lock|waiting|page\/spoolpeek)\.ts$/ },
];

const forbiddenWords = ["util", "helper", "common", "manager", "handler", "processor", "misc", "service"];
/** The kind Service and the field manager of server-side apply are words of Kubernetes. */
const kubernetesWord =
  /FieldManager$|^service\.ts$|ServiceAccount|^(?:render|client|headless|peer|apply)\w*Service|^Service(?:Spec|Port)?$/i;
const impure =
  /\b(?:Date\.now|Math\.random|process\.|new Date\(\)|performance\.now|setTimeout|setInterval|setImmediate)/;

const allowedLicences = new Set([
  "MIT",
  "MIT-0",
  "ISC",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "Apache-2.0",
  "0BSD",
  "BlueOak-1.0.0",
  "CC0-1.0",
  "PSF-2.0",
  "Python-2.0",
  "Unlicense",
]);

const sources = readSources();
const production = sources.filter((source) => !/\.test\.ts$|^test\//.test(source.path));

function roomOf(path: string): Room | undefined {
  return rooms.find((room) => room.files.test(path));
}

function packageOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

function importFaults(source: SourceFile): readonly string[] {
  const room = roomOf(source.path);
  if (room === undefined) return [`${source.path}: belongs to no room of the import table`];
  return source.imports.flatMap(({ target, isOwn }) => {
    if (isOwn) {
      const other = roomOf(target);
      const allowed =
        other !== undefined && (room.rooms === "any" || other.name === room.name || room.rooms.includes(other.name));
      return allowed ? [] : [`${source.path}: ${room.name} may not import ${target} (${other?.name ?? "no room"})`];
    }
    if (target.startsWith("node:")) {
      return room.node === "any" || room.node.includes(target)
        ? []
        : [`${source.path}: ${room.name} may not import ${target}`];
    }
    return room.packages.includes(packageOf(target)) ? [] : [`${source.path}: ${room.name} may not import ${target}`];
  });
}

/** What imports what, each source called by `nameOf`; those without a name are left out. */
function importsBetween(
  from: readonly SourceFile[],
  nameOf: (path: string) => string | undefined,
): ReadonlyMap<string, readonly string[]> {
  const edges = new Map<string, readonly string[]>();
  for (const { path, imports } of from) {
    const name = nameOf(path);
    if (name === undefined) continue;
    const targets = imports.filter((one) => one.isOwn).map((one) => nameOf(one.target));
    edges.set(name, [...(edges.get(name) ?? []), ...targets.filter((one) => one !== undefined)]);
  }
  return edges;
}

/** Every cycle once, as the path that closes it. */
function cycles(edges: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const state = new Map<string, "open" | "done">();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === "done") return;
    if (state.get(path) === "open") {
      found.push([...trail.slice(trail.indexOf(path)), path].join(" -> "));
      return;
    }
    state.set(path, "open");
    for (const target of edges.get(path) ?? []) visit(target, [...trail, path]);
    state.set(path, "done");
  };
  for (const path of edges.keys()) visit(path, []);
  return found;
}

function trackedFiles(): readonly string[] {
  const list = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: repositoryRoot,
  });
  return list
    .toString("utf8")
    .split("\0")
    .filter((path) => path !== "");
}

function none(faults: readonly string[]): void {
  assert.deepEqual(faults, []);
}

test("the reader of imports sees every form of import and no comment", () => {
  const text = [
    'import a from "./a.ts";',
    "import {\n  b,\n  type B,\n} from '../b.ts';",
    'import type { C } from "zod";',
    'export * from "./d.ts";',
    'import "./e.ts";',
    'const f = await import("node:fs");',
    '// import g from "./g.ts";',
    'const worker = new Worker(new URL("./h.ts", import.meta.url));',
  ].join("\n");
  const targets = importsOf("relay/x/y.ts", text).map((one) => one.target);
  assert.deepEqual(targets.toSorted(), [
    "node:fs",
    "relay/b.ts",
    "relay/x/a.ts",
    "relay/x/d.ts",
    "relay/x/e.ts",
    "relay/x/h.ts",
    "zod",
  ]);
});

test("every file imports only what the import table allows its room", () => {
  none(sources.flatMap(importFaults));
});

test("no main is imported", () => {
  none(
    sources.flatMap((source) =>
      source.imports
        .filter((one) => one.isOwn && roomOf(one.target)?.name === "main")
        .map((one) => `${source.path}: ${one.target}`),
    ),
  );
});

test("no imports form a cycle", () => {
  none(cycles(importsBetween(sources, (path) => path)));
});

test("no rooms of the operator or the relay import each other in a circle", () => {
  const roomIn = (path: string): string | undefined => /^(?:operator|relay)\/[^/]+(?=\/)/.exec(path)?.[0];
  const edges = importsBetween(production, roomIn);
  none(cycles(new Map([...edges].map(([room, targets]) => [room, targets.filter((target) => target !== room)]))));
});

test("each library has one adapter", () => {
  none(
    production.flatMap((source) =>
      soleImporters
        .filter(
          (sole) =>
            source.imports.some((one) => packageOf(one.target) === sole.target) && !sole.files.test(source.path),
        )
        .map((sole) => `${source.path}: ${sole.target}`),
    ),
  );
});

test("files stay within 400 lines, tests within 600", () => {
  none(
    sources.flatMap((source) => {
      const lines = source.text.trimEnd().split("\n").length;
      const limit = source.path.endsWith(".test.ts") ? 600 : 400;
      return lines > limit ? [`${source.path}: ${lines} lines`] : [];
    }),
  );
});

test("folders hold at most 16 source files", () => {
  const folders = Map.groupBy(production, (source) => dirname(source.path));
  none(
    [...folders].filter(([, files]) => files.length > 16).map(([folder, files]) => `${folder}: ${files.length} files`),
  );
});

test("names of files and exports avoid words that say nothing", () => {
  const isEmptyWord = (name: string): boolean =>
    forbiddenWords.some((word) => name.toLowerCase().includes(word)) && !kubernetesWord.test(name);
  none(
    production.flatMap((source) => {
      const exported = source.code.matchAll(
        /\bexport\s+(?:async\s+)?(?:function\*?|const|let|class|interface|type)\s+(\w+)/g,
      );
      const names = [source.path.split("/").at(-1) ?? "", ...[...exported].map((match) => match[1] ?? "")];
      return names.filter(isEmptyWord).map((name) => `${source.path}: ${name}`);
    }),
  );
});

test("there is no default export and no index file", () => {
  none(
    sources
      .filter((source) => /\bexport default\b/.test(source.code) || source.path.endsWith("/index.ts"))
      .map((source) => source.path),
  );
});

test("pure files take clock, chance and shutdown as arguments", () => {
  none(
    production
      .filter((source) =>
        ["api", "relay mail", "relay pure", "operator pure"].includes(roomOf(source.path)?.name ?? ""),
      )
      .filter((source) => impure.test(source.code))
      .map((source) => `${source.path}: ${impure.exec(source.code)?.[0]}`),
  );
});

test("only mains and worker threads have side effects when they are loaded", () => {
  const effect = /^(?:await |process\.|setInterval|setTimeout|console\.|\w+\([^=]*\);$)/m;
  const isEntry = (source: SourceFile): boolean =>
    /^(?:relay|operator|local(?:\/captured)?)\/main\.ts$|^crds\/generate\.ts$/.test(source.path) ||
    source.code.includes("parentPort");
  none(production.filter((source) => !isEntry(source) && effect.test(source.code)).map((source) => source.path));
});

test("no tracked file holds unfinished work, a path of a machine or the host of a registry", () => {
  const marks = new RegExp(`\\b(?:TO${"DO"}|FIX${"ME"}|X${"XX"})\\b`);
  const places = new RegExp(
    `(?:^|[\\s"'=(])/(?:wo${"rk"}|ro${"ot"}|ho${"me"})/|regis${"try"}\\.\\w+\\.\\w+|artifac${"tory"}|"resol${"ved"}":`,
  );
  none(
    trackedFiles().flatMap((path) => {
      const text = readFileSync(join(repositoryRoot, path), "latin1");
      return [marks, places].flatMap((pattern) => {
        const found = pattern.exec(text);
        return found === null ? [] : [`${path}: ${found[0].trim()}`];
      });
    }),
  );
});

test("every program that the Makefile and package.json start exists", () => {
  const text = ["Makefile", "package.json"].map((file) => readFileSync(join(repositoryRoot, file), "utf8")).join("\n");
  const programs = [...text.matchAll(/(?:\$\(NODE\)|"node) ([a-z][\w/.-]*\.[cm]?[jt]s)/g)].map(
    (match) => match[1] ?? "",
  );
  assert.ok(programs.length >= 6, `found only ${programs.join(" ")}`);
  none(programs.filter((program) => !existsSync(join(repositoryRoot, program))));
});

test("every installed package has a licence that an Apache-2.0 product may carry", () => {
  const lock = z
    .object({ packages: z.record(z.string(), z.object({ optional: z.boolean().optional() })) })
    .parse(JSON.parse(readFileSync(join(repositoryRoot, "package-lock.json"), "utf8")));
  const manifest = z.object({ license: z.string().optional() });
  none(
    Object.entries(lock.packages).flatMap(([path, entry]) => {
      if (path === "") return [];
      const text = readManifest(path);
      // Packages for other platforms are in the lockfile and not on this disk.
      if (text === undefined) return entry.optional === true ? [] : [`${path}: not installed`];
      const licence = manifest.parse(JSON.parse(text)).license ?? "none";
      const alternatives = licence.replace(/[()]/g, "").split(" OR ");
      return alternatives.some((one) => allowedLicences.has(one)) ? [] : [`${path}: ${licence}`];
    }),
  );
});

function readManifest(path: string): string | undefined {
  try {
    return readFileSync(join(repositoryRoot, path, "package.json"), "utf8");
  } catch {
    return undefined;
  }
}

/** What the layers need before their tests: a cold build takes minutes, and none of them within the deadline of a test file. */
import {
  lackingControllers,
  lackingControlPlane,
  provideControllers,
  provideControlPlane,
} from "../support/controlplane/programs.ts";
import { provideGoReader } from "../support/fromreaders.ts";
import { lackingGo } from "../support/goprogram.ts";
import { helmMajors, lackingHelm, provideHelmProgram } from "../support/helm.ts";
import { provideImages } from "../support/node/images.ts";
import { lackingKstatus, provideKstatus } from "../support/kstatus/program.ts";
import { provideGoClients } from "../support/mailclients.ts";
import { lackingNode, provideNode } from "../support/node/programs.ts";
import { lackingCollector, provideCollector } from "../support/tracing/program.ts";
import { nothing, type Outcome } from "./outcome.ts";
import { clusterPackages, type DebianPackage, providePackages, scenarioPackages } from "./packages.ts";

export type Say = (line: string) => void;

export async function provideApiServer(say: Say): Promise<Outcome> {
  const controlPlane = await controlPlaneOf(say);
  const collector = await collectorOf(say);
  const controllers =
    lackingControllers() === false ? await built("controllers", () => provideControllers(say)) : nothing;
  const kstatus = lackingKstatus() === false ? await built("kstatus", () => provideKstatus(say)) : nothing;
  return {
    ...nothing,
    failures: [...controlPlane.failures, ...collector.failures, ...controllers.failures, ...kstatus.failures],
  };
}

async function controlPlaneOf(say: Say): Promise<Outcome> {
  return lackingControlPlane() === false ? built("control plane", () => provideControlPlane(say)) : nothing;
}

async function collectorOf(say: Say): Promise<Outcome> {
  return lackingCollector() === false ? built("collector", () => provideCollector(say)) : nothing;
}

export async function provideChart(say: Say): Promise<Outcome> {
  const controlPlane = await controlPlaneOf(say);
  if (lackingHelm() !== false || controlPlane.failures.length > 0) return controlPlane;
  return built("helm", async () => {
    for (const major of helmMajors) await provideHelmProgram(major, say);
  });
}

export async function provideScenario(say: Say): Promise<Outcome> {
  const packages = await installed(scenarioPackages, say);
  // Panels are drawn from an operator on a real API server, too.
  const controlPlane = await controlPlaneOf(say);
  const collector = await collectorOf(say);
  const readers = lackingGo() === false ? await built("Go's mail programs", () => provideGoMail(say)) : nothing;
  return { ...packages, failures: [...controlPlane.failures, ...collector.failures, ...readers.failures] };
}

async function provideGoMail(say: Say): Promise<void> {
  await provideGoReader(say);
  await provideGoClients(say);
}

export async function provideCluster(say: Say): Promise<Outcome> {
  const packages = await installed(clusterPackages, say);
  if (lackingNode() !== false) return packages;
  const programs = await built("node", async () => {
    const { pause } = await provideNode(say);
    await provideCollector(say);
    await provideHelmProgram(4, say);
    provideImages(pause, say);
  });
  return { ...packages, failures: programs.failures };
}

async function installed(packages: readonly DebianPackage[], say: Say): Promise<Outcome> {
  const missing = await providePackages(packages, say);
  return { ...nothing, skipped: missing.map((name) => `Debian package ${name} is missing: what needs it is skipped`) };
}

async function built(name: string, build: () => Promise<unknown>): Promise<Outcome> {
  try {
    await build();
    return nothing;
  } catch (error) {
    return { ...nothing, failures: [{ name, text: String(error) }] };
  }
}

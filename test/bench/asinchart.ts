/**
 * How the chart's Deployment starts the operator: flags of Node and settings of its C library. A bench that had its own would
 * measure another operator.
 */
import { z } from "zod";
import { parseQuantity } from "../../api/quantity.ts";
import type { Rendered } from "../support/helm.ts";

export interface NodeStart {
  readonly nodeFlags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const deployment = z.object({
  spec: z.object({
    template: z.object({
      spec: z.object({
        containers: z.tuple([
          z.object({
            command: z.array(z.string()),
            env: z.array(z.object({ name: z.string(), value: z.string().optional() })),
            resources: z.object({ limits: z.object({ memory: z.string() }) }),
          }),
        ]),
      }),
    }),
  }),
});

/** A share of the container's memory is given in MiB, because nothing limits the memory of a bench. */
export function startAsIn(rendered: Rendered): NodeStart {
  const [container] = deployment.parse(rendered).spec.template.spec.containers;
  const limitMiB = (parseQuantity(container.resources.limits.memory) ?? 0) / 2 ** 20;
  const flags = container.command.filter((word) => word.startsWith("--"));
  const settings = container.env.flatMap(({ name, value }) =>
    name.startsWith("MALLOC_") && value !== undefined ? [[name, value] as const] : [],
  );
  return {
    nodeFlags: flags.map((flag) =>
      flag.replace(/^--max-old-space-size-percentage=(\d+)$/, (_flag, percent: string) => {
        return `--max-old-space-size=${Math.floor((limitMiB * Number(percent)) / 100)}`;
      }),
    ),
    env: Object.fromEntries(settings),
  };
}

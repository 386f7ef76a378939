/** Changes to dashboards and to the chart. */
import type { Mutation } from "../mutation.ts";

const dashboards = "charts/dashboards/dashboards.test.ts";
const observed = "relay/observe/metrics.test.ts";

export const chartMutations: readonly Mutation[] = [
  {
    what: "limits are not drawn in graphs",
    file: "charts/dashboards/panel.ts",
    old: "GraphThresholdsStyleMode.Dashed;",
    new: "GraphThresholdsStyleMode.Off;",
    test: dashboards,
  },
  {
    what: "what is put off has another colour",
    file: "charts/dashboards/meanings.ts",
    old: 'deferred: { colour: "orange"',
    new: 'deferred: { colour: "red"',
    test: dashboards,
  },
  {
    what: "no data is shown in green",
    file: "charts/dashboards/panel.ts",
    old: 'return [{ value: null, color: "text" }, { value: 0, color: "green" }, ...steps.slice(1)];',
    new: "return steps;",
    test: dashboards,
  },
  {
    what: "a figure is the last value of the range, however old",
    file: "charts/dashboards/panel.ts",
    old: "target(query, index).instant()",
    new: "target(query, index)",
    test: dashboards,
  },
  {
    what: "a late share is judged as if more were worse",
    file: "charts/dashboards/panel.ts",
    old: "thresholds.critical < thresholds.warning;",
    new: "false;",
    test: dashboards,
  },
  {
    what: "columns of tables have the names of labels",
    file: "charts/dashboards/table.ts",
    old: "renameByName: Object.fromEntries(fields),",
    new: "renameByName: {},",
    test: dashboards,
  },
  {
    what: "a Prometheus without the label cluster shows nothing",
    file: "charts/dashboards/variables.ts",
    old: 'of: "cluster", multi: true, all: ".*"',
    new: 'of: "cluster", multi: true, all: ".+"',
    test: dashboards,
  },
  {
    what: "All is every process of the cluster",
    file: "charts/dashboards/operator.ts",
    old: 'of: "job", multi: true }',
    new: 'of: "job", multi: true, all: ".+" }',
    test: dashboards,
  },
  {
    what: "at one scrape a minute rates are empty",
    file: "charts/dashboards/panel.ts",
    old: "\n    .interval(leastStep)",
    new: "",
    test: dashboards,
  },
  {
    what: "a destination has a series for everything it ever said",
    file: "relay/delivery/metrics.ts",
    old: "if (before !== undefined) refusals.remove(before);",
    new: "",
    test: observed,
  },
  {
    what: "next hops name as many series as they invent codes",
    file: "relay/delivery/metrics.ts",
    old: '"" : statuses.of(enhanced)',
    new: '"" : enhanced',
    test: observed,
  },
  {
    what: "the quota of a container is not known",
    file: "runtime/containerlimits.ts",
    old: 'textOf(join(root, "cpu.max")) ?? ',
    new: "",
    test: "runtime/containerlimits.test.ts",
  },
  {
    what: "a value that the chart does not know is taken in silence",
    file: "charts/mailboat/templates/checks.yaml",
    old: '{{- include "mailboat.checkNames" . }}\n',
    new: "",
    test: "test/chart/chart-refuses-with-what-to-write.test.ts",
  },
  {
    what: "helm lint finds no fault with a name that the chart does not know",
    file: "charts/mailboat/templates/_valuenames.tpl",
    old: "{{- include . $ -}}\n",
    new: "",
    test: "test/chart/chart-refuses-with-what-to-write.test.ts",
  },
  {
    what: "the chart installs an image without a name",
    file: "charts/mailboat/templates/checks.yaml",
    old: "{{- if not .Values.image.repository }}",
    new: "{{- if false }}",
    test: "test/chart/chart-refuses-with-what-to-write.test.ts",
  },
  {
    what: "panels link to documents that are nowhere",
    file: "charts/mailboat/templates/dashboards.yaml",
    old: '{{- $text = regexReplaceAll (printf "%s\\\\s*,?" $link) $text "" }}\n',
    new: "",
    test: "test/chart/chart-renders-what-values-say.test.ts",
    only: "where the documents are kept",
  },
];

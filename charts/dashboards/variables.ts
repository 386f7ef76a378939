/** What a person chooses at the top of a dashboard. The names of labels are those that Prometheus gives to pods. */
import {
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  VariableRefresh,
  VariableSort,
} from "@grafana/grafana-foundation-sdk/dashboard";

const datasource = { type: "prometheus", uid: "${datasource}" };

/**
 * Where the metrics, the traces and the lines of the log are. Exemplars and links lead to the latter two; a Grafana without
 * Tempo or Loki shows an empty choice, and every panel all the same.
 */
export function sources(): DatasourceVariableBuilder[] {
  return [
    new DatasourceVariableBuilder("datasource").label("Metrics").type("prometheus"),
    new DatasourceVariableBuilder("traces").label("Traces").type("tempo"),
    new DatasourceVariableBuilder("logs").label("Logs").type("loki"),
  ];
}

interface Choice {
  readonly name: string;
  readonly label: string;
  /** PromQL of the series that carry the label. */
  readonly series: string;
  /** The label whose values are offered. */
  readonly of: string;
  readonly multi: boolean;
  /** What All stands for; absent, the values that are offered. */
  readonly all?: ".+" | ".*";
}

/**
 * The values are asked for again whenever the time range changes, so that pods that are gone do not stay. `.*` is also what lacks
 * the label, because a Prometheus of one cluster knows no `cluster`. What every process of the cluster has (its memory, its start) is
 * kept to ours by a label that only ours have, or by the very jobs that are offered.
 */
export function choice({ name, label, series, of, multi, all }: Choice): QueryVariableBuilder {
  const query = `label_values(${series}, ${of})`;
  const variable = new QueryVariableBuilder(name)
    .label(label)
    .datasource(datasource)
    .query({ query, refId: `${name}-values` })
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(multi)
    .includeAll(multi);
  return multi && all !== undefined ? variable.allValue(all) : variable;
}

const relaySeries = "mailboat_configuration_info";

/**
 * From the cluster to the pod. A pod is known by its name: `instance` is an address and a port in Kubernetes, another one after
 * each restart, and would draw one pod as several lines.
 */
export function relayChoices(options: { readonly oneRelay: boolean }): QueryVariableBuilder[] {
  const multi = !options.oneRelay;
  const job = `${relaySeries}{cluster=~"$cluster"}`;
  const namespace = `${relaySeries}{cluster=~"$cluster", job=~"$job"}`;
  const relay = `${relaySeries}{cluster=~"$cluster", job=~"$job", namespace=~"$namespace"}`;
  const pod = `${relaySeries}{cluster=~"$cluster", job=~"$job", namespace=~"$namespace", mailboat_dev_relay=~"$relay"}`;
  return [
    clusterChoice(relaySeries),
    choice({ name: "job", label: "Job", series: job, of: "job", multi: true, all: ".+" }),
    choice({ name: "namespace", label: "Namespace", series: namespace, of: "namespace", multi, all: ".+" }),
    choice({ name: "relay", label: "Relay", series: relay, of: "mailboat_dev_relay", multi, all: ".+" }),
    choice({ name: "pod", label: "Pod", series: pod, of: "pod", multi: true, all: ".*" }),
  ];
}

/** Of a Prometheus, Thanos or Mimir that sees several: two clusters may have a relay of one name each. */
export function clusterChoice(series: string): QueryVariableBuilder {
  return choice({ name: "cluster", label: "Cluster", series, of: "cluster", multi: true, all: ".*" });
}

const chosenPlace = 'cluster=~"$cluster", job=~"$job", namespace=~"$namespace", mailboat_dev_relay=~"$relay"';

/** The matchers that go with relayChoices. */
export const chosenRelay = `${chosenPlace}, pod=~"$pod"`;

/** Of what the operator says of relays. */
export const chosenByOperator = 'cluster=~"$cluster", relay_namespace=~"$namespace", mailboat_dev_relay=~"$relay"';

/** Of alerts, which have no job, and not always a namespace and a relay. */
export const alertsOfRelay = 'cluster=~"$cluster", namespace=~"$namespace|", mailboat_dev_relay=~"$relay|"';

/** What tells one relay from another. */
export const byRelay = "cluster, namespace, mailboat_dev_relay";

/** What a person chooses at the top of a dashboard. The names of labels are those that Prometheus gives to pods. */
import {
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  VariableRefresh,
  VariableSort,
} from "@grafana/grafana-foundation-sdk/dashboard";

const datasource = { type: "prometheus", uid: "${datasource}" };

/** Where the metrics are, and where the traces are: exemplars and links lead there. */
export function sources(): DatasourceVariableBuilder[] {
  return [
    new DatasourceVariableBuilder("datasource").label("Metrics").type("prometheus"),
    new DatasourceVariableBuilder("traces").label("Traces").type("tempo"),
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
}

/** The values are asked for again whenever the time range changes, so that pods that are gone do not stay. */
export function choice({ name, label, series, of, multi }: Choice): QueryVariableBuilder {
  const query = `label_values(${series}, ${of})`;
  const variable = new QueryVariableBuilder(name)
    .label(label)
    .datasource(datasource)
    .query({ query, refId: `${name}-values` })
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(multi)
    .includeAll(multi);
  return multi ? variable.allValue(".+") : variable;
}

const relaySeries = "mailboat_configuration_info";

/** Job and instance first: every expression of the relay's dashboards is bound to them, and to the relay. */
export function relayChoices(options: { readonly oneRelay: boolean }): QueryVariableBuilder[] {
  const namespace = `${relaySeries}{job=~"$job"}`;
  const relay = `${relaySeries}{job=~"$job", namespace=~"$namespace"}`;
  const pod = `${relaySeries}{job=~"$job", namespace=~"$namespace", mailboat_dev_relay=~"$relay"}`;
  return [
    choice({ name: "job", label: "Job", series: relaySeries, of: "job", multi: true }),
    choice({ name: "namespace", label: "Namespace", series: namespace, of: "namespace", multi: !options.oneRelay }),
    choice({ name: "relay", label: "Relay", series: relay, of: "mailboat_dev_relay", multi: !options.oneRelay }),
    choice({ name: "instance", label: "Instance", series: pod, of: "instance", multi: true }),
  ];
}

/** The matchers that go with relayChoices. */
export const chosenRelay = 'job=~"$job", instance=~"$instance", namespace=~"$namespace", mailboat_dev_relay=~"$relay"';

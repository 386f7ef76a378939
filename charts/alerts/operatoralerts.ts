/** What is wrong with the operator, and what it finds wrong with resources. */
import { alert, type AlertRule } from "./rule.ts";

const operator = "namespace, job";

/** Standby operators have the same caches: the largest number is the truth, the sum would count twice. */
function resources(kind: string, condition: string, status: "True" | "False"): string {
  return `max by (${operator}, kind) (mailboat_operator_resource_conditions{kind="${kind}", condition="${condition}", status="${status}"}) > 0`;
}

/** Pods of each relay, with the labels that its own series have: the operator's namespace is another. */
function relayPods(state: "wanted" | "ready"): string {
  return `max by (namespace, mailboat_dev_relay) (label_replace(mailboat_operator_relay_pods{state="${state}"}, "namespace", "$1", "relay_namespace", "(.+)"))`;
}

const ready = relayPods("ready");
const scraped = "count by (namespace, mailboat_dev_relay) (mailboat_configuration_info)";
const name = "{{ $labels.namespace }}/{{ $labels.mailboat_dev_relay }}";

export const operatorAlerts: readonly AlertRule[] = [
  alert({
    name: "MailboatOperatorWithoutLeader",
    severity: "critical",
    expr: `sum by (${operator}) (mailboat_operator_leader) < 1 or absent(mailboat_operator_leader)`,
    for: "5m",
    summary: "No Mailboat operator leads",
    description:
      "Nothing is reconciled: changes of manifests, keys and certificates do not reach relays. Mail goes on.",
  }),
  alert({
    name: "MailboatOperatorFailing",
    severity: "warning",
    expr: `max by (${operator}, kind) (mailboat_operator_failing_resources) > 0`,
    for: "10m",
    summary: "{{ $value }} of {{ $labels.kind }} cannot be reconciled",
    description:
      "Each look at them ends in an error. `kubectl get mr,sd -A` shows them with Ready Unknown, and `kubectl describe` says why: ReconcileFailing.",
  }),
  alert({
    name: "MailboatNamespaceNotSeen",
    severity: "warning",
    expr: `max by (${operator}) (mailboat_operator_namespaces_unseen) > 0`,
    for: "15m",
    summary: "{{ $value }} of the watched namespaces are not seen whole",
    description:
      "They are gone, or a right is missing there: what runs in them stays as it is, and nothing of it is looked after. The operator's log names them.",
  }),
  alert({
    name: "MailboatRelayDown",
    severity: "critical",
    expr: `${relayPods("wanted")} > 0 and ${ready} == 0`,
    for: "5m",
    summary: `No pod of relay ${name} takes mail`,
    description:
      "{{ $value }} pods should. Clients cannot connect, and what the spools hold waits. `kubectl describe mailrelay` says what is in the way.",
  }),
  alert({
    name: "MailboatPodsMissing",
    severity: "warning",
    expr: `${relayPods("wanted")} - ${ready} > 0`,
    for: "10m",
    summary: `{{ $value }} pods of relay ${name} are missing`,
    description:
      "The others take the mail of clients; what the spool of one that is missing holds waits for it. `kubectl describe mailrelay` says what is in the way.",
  }),
  alert({
    name: "MailboatRelaysNotScraped",
    severity: "warning",
    expr: `${ready} > (${scraped} or ${ready} * 0)`,
    for: "15m",
    summary: `Prometheus does not see all pods of relay ${name}`,
    description:
      "{{ $value }} pods are ready, and fewer have series: no alert and no panel can speak of the others. See `monitoring` of the MailRelay.",
  }),
  alert({
    name: "MailboatResourceNotReady",
    severity: "warning",
    expr: `${resources("MailRelay", "Ready", "False")} or ${resources("SenderDomain", "Ready", "False")}`,
    for: "30m",
    summary: "{{ $value }} of {{ $labels.kind }} are not ready",
    description: "`kubectl get mr,sd -A` names them, and `kubectl describe` says what to do.",
  }),
  alert({
    name: "MailboatDrainStuck",
    severity: "warning",
    expr: resources("MailRelay", "Draining", "True"),
    for: "1h",
    summary: "{{ $value }} relays wait for a leaving pod to empty its spool",
    description: "Scale-in is held because mail would be stranded. See the pod's queue and where its mail cannot go.",
  }),
];

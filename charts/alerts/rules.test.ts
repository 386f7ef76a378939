import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { buildDashboard } from "../dashboards/dashboard.ts";
import { dashboards } from "../dashboards/dashboards.ts";
import type { AlertRule } from "./rule.ts";
import { ruleGroups } from "./rules.ts";

const alerts = ruleGroups.flatMap(({ rules }) => rules).filter((rule): rule is AlertRule => "alert" in rule);

test("every alert has a name of its own, a time, and words that say what to do", () => {
  const names = alerts.map((each) => each.alert);
  assert.equal(new Set(names).size, names.length);
  for (const each of alerts) {
    assert.match(each.alert, /^Mailboat[A-Z][A-Za-z]+$/);
    assert.match(each.for, /^\d+[mh]$/);
    assert.ok(each.annotations.summary.length > 10 && each.annotations.description.length > 40, each.alert);
    assert.ok(each.annotations.runbook_url.endsWith(`#${each.alert.toLowerCase()}`), each.alert);
  }
});

test("what a person must be woken for has an alert each", () => {
  const names = new Set(alerts.map((each) => each.alert));
  for (const name of [
    "MailboatMailStuck",
    "MailboatNothingDelivered",
    "MailboatPodNotAnswering",
    "MailboatRelayDown",
    "MailboatMailWaiting",
    "MailboatDestinationFailing",
    "MailboatSpoolNearlyFull",
    "MailboatOutcomesUnwritten",
    "MailboatCertificateExpiring",
    "MailboatOperatorFailing",
    "MailboatConfigurationStale",
    "MailboatDrainStuck",
    "MailboatOperatorWithoutLeader",
    "MailboatSlowDelivery",
  ])
    assert.ok(names.has(name), name);
});

test("every runbook link of alerts and panels leads to a heading of the operations page", () => {
  const page = readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8");
  const anchors = new Set([...page.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => anchorOf(heading)));
  const links = alerts.map(({ annotations }) => annotations.runbook_url);
  const panels = JSON.stringify(dashboards.map(buildDashboard)).match(/operations\.md#[a-z0-9-]+/g) ?? [];
  assert.ok(panels.length > 5);
  for (const link of [...links, ...panels]) assert.ok(anchors.has(link.split("#")[1] ?? ""), link);
});

/** As GitHub makes it of a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, "")
    .replaceAll(" ", "-");
}

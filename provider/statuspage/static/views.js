// What each page shows, out of what the provider says.

import { el, sign, table, words } from "./elements.js";
import { picture } from "./picture.js";

export function fleet(said, filter) {
  const shown = said.tenants.filter((each) => fits(each, filter));
  const counts = new Map();
  for (const each of said.tenants) counts.set(each.state, (counts.get(each.state) ?? 0) + 1);
  const told = [...counts].sort().map(([state, count]) => `${count} ${state}`).join(", ");
  const all = said.tenants.length === 1 ? "1 tenant" : `${said.tenants.length} tenants`;
  const some = shown.length === said.tenants.length ? "" : `; ${shown.length} shown`;
  return [
    el("h2", {}, "Fleet"),
    el("p", { id: "count" }, told ? `${all}: ${told}${some}` : "There is no tenant."),
    shown.length ? table("Tenants", said.columns, shown, tenantCell) : "",
  ];
}

function fits(row, { text, unwell }) {
  if (unwell && row.health === "ok" && !row.why) return false;
  const wanted = text.trim().toLowerCase();
  return !wanted || Object.values(row).some((each) => words(each).toLowerCase().includes(wanted));
}

function tenantCell(row, key) {
  if (key === "name") return el("a", { href: `#/tenants/${row.namespace}/${row.name}` }, row.name);
  return key === "state" ? sign(row.health, row.state) : words(row[key]);
}

export function tenant(said) {
  const { row, explanation } = said;
  const facts = said.columns.filter(({ key }) => !["namespace", "name"].includes(key));
  return [
    el("h2", {}, `${row.namespace}/${row.name}`),
    el("p", { class: "headline" }, sign(row.health, row.state), " ", explanation.headline),
    el("dl", {}, facts.map(({ heading, key }) => el("div", {}, el("dt", {}, heading), el("dd", {}, words(row[key]) || "–"))),
      el("div", {}, el("dt", {}, "WHY THERE"), el("dd", {}, said.placed))),
    explanation.findings.map(finding),
    table("Conditions", CONDITIONS, said.conditions, conditionCell),
    said.objects.map((branch) => table(branch.title, OBJECTS, branch.objects, objectCell)),
    said.hidden.length ? el("p", { class: "hint" }, `Not yours to list, so not shown: ${said.hidden.join(", ")}.`) : "",
  ];
}

const CONDITIONS = columns("type", "status", "since", "reason", "message");
const OBJECTS = columns("kind", "name", "health", "words");

function columns(...keys) {
  return keys.map((key) => ({ key, heading: key.toUpperCase() }));
}

function conditionCell(row, key) {
  return key === "status" ? sign(row.health, row.status) : words(row[key]);
}

function objectCell(row, key) {
  return key === "health" ? sign(row.health, row.health) : words(row[key]);
}

function finding(each) {
  return el("section", { class: "finding" },
    el("h3", {}, `${each.condition}: ${each.reason}`, each.since ? ` (for ${each.since})` : ""),
    el("p", {}, each.message),
    el("p", {}, el("strong", {}, "Next: "), each.next),
    commands(each.look),
    each.mend.length ? el("p", {}, each.mend.length === 1 ? "This mends it:" : "One of these mends it:") : "",
    commands(each.mend));
}

function commands(some) {
  return some.length ? el("pre", {}, el("code", {}, some.join("\n"))) : "";
}

export function stores(said) {
  const named = new Map(said.stores.map((each) => [each.name, each]));
  return [
    el("h2", {}, "Stores"),
    said.stores.length ? "" : el("p", {}, "There is no DataStore."),
    said.pools.map((pool) => picture(pool, pool.stores.map((name) => named.get(name)))),
    said.stores.length ? table("DataStores", [...said.columns, { heading: "WHY", key: "why" }], said.stores, storeCell) : "",
    said.moves.length ? table("Moves", said.moveColumns, said.moves) : "",
    said.placements.length ? table("Why each tenant is where it is", said.placementColumns, said.placements) : "",
  ];
}

function storeCell(row, key) {
  return key === "ready" ? sign(row.ready ? "ok" : "bad", words(row.ready)) : words(row[key]);
}

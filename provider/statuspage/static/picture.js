// A pool as a picture: each store a vessel, filled as far as it is, and beside it a mark for each tenant.

import { el, svg } from "./elements.js";

const SHOWN = 60; // marks of a store; more are a number
const ROW = 6;

export function picture(pool, stores) {
  const title = pool.name ? `Pool ${pool.name}` : "Stores of no pool";
  const notes = [
    pool.ready === false ? `not ready: ${pool.why ?? ""}` : null,
    pool.waiting ? `${pool.waiting} tenants wait for room` : null,
  ].filter(Boolean);
  return el("figure", { class: "pool" },
    el("figcaption", {}, el("strong", {}, title), notes.length ? ` · ${notes.join(" · ")}` : ""),
    el("div", { class: "stores" }, stores.map(vessel)));
}

function vessel(store) {
  const known = store.full !== null;
  const share = Math.min(1, store.full ?? 0);
  const fill = known ? `${Math.round(100 * store.full)} % full` : store.inUse ?? "no numbers";
  const many = store.residents.length === 1 ? "1 tenant" : `${store.residents.length} tenants`;
  const state = store.ready ? "" : ", not ready";
  return svg("svg", { viewBox: "0 0 150 178", class: `vessel ${store.health}`, role: "group",
    "aria-label": `Store ${store.name}: ${fill}, ${many}${state}` },
    svg("text", { x: 4, y: 14, class: "name" }, shortened(store.name)),
    svg("rect", { x: 5, y: 24, width: 46, height: 110, rx: 5, class: known ? "wall" : "wall unknown" }),
    svg("rect", { x: 8, y: 27 + 104 * (1 - share), width: 40, height: 104 * share, rx: 3, class: "fill" }),
    svg("text", { x: 4, y: 152 }, `${fill}${state}`),
    svg("text", { x: 4, y: 170 }, many),
    store.residents.slice(0, SHOWN).map(mark),
    store.residents.length > SHOWN
      ? svg("text", { x: 62, y: 170 }, `+ ${store.residents.length - SHOWN} more`) : null);
}

// A shape for each health, for colours alone tell not everybody.
function mark(tenant, at) {
  const [x, y] = [62 + 14 * (at % ROW), 24 + 11.2 * Math.floor(at / ROW)];
  const told = tenant.state ? `${tenant.name}: ${tenant.state}` : tenant.name;
  const look = { class: `tenant ${tenant.health ?? "unknown"}` };
  const title = svg("title", {}, told);
  const drawn = tenant.health === "bad"
    ? svg("polygon", { ...look, points: `${x},${y + 9} ${x + 5.5},${y} ${x + 11},${y + 9}` }, title)
    : svg("rect", { ...look, x, y, width: 11, height: 9, rx: tenant.health === "waiting" ? 4.5 : 1 }, title);
  if (!tenant.state) return drawn;
  return svg("a", { href: `#/tenants/${tenant.name}`, "aria-label": told }, drawn);
}

function shortened(name) {
  return name.length > 22 ? `${name.slice(0, 21)}…` : name;
}

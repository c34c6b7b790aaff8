// Which page, by whose token, and again each few seconds. The token stays in this tab and travels in a header, nowhere else.

import { el, morph } from "./elements.js";
import * as views from "./views.js";

const PAUSE = 2000; // milliseconds between two looks
const LATE = 15000; // after which a look counts as failed
const TOKEN = "kamaji-token";
const get = (id) => document.getElementById(id);
const filter = { text: "", unwell: false };
let shown = { where: null, tag: null, said: null };
let again = null;
let looks = 0;

function route() {
  const path = location.hash.replace(/^#/, "") || "/";
  const [, tenants, namespace, name] = path.match(/^\/(tenants)\/([^/]+)\/([^/]+)$/) ?? [];
  if (tenants) return { where: path, api: `api/tenants/${namespace}/${name}`, view: views.tenant, title: `${namespace}/${name}` };
  if (path === "/stores") return { where: path, api: "api/stores", view: views.stores, title: "Stores" };
  return { where: "/", api: "api/fleet", view: views.fleet, title: "Fleet" };
}

async function look() {
  clearTimeout(again);
  const token = sessionStorage.getItem(TOKEN);
  if (!token) return enter("");
  const mine = ++looks;
  const here = route();
  if (here.where !== shown.where) {
    shown = { where: here.where, tag: null, said: null };
    show([]);
  }
  const headers = { Authorization: `Bearer ${token}` };
  if (shown.tag) headers["If-None-Match"] = shown.tag;
  try {
    const answer = await fetch(here.api, {
      headers, cache: "no-store", credentials: "omit", redirect: "error", signal: AbortSignal.timeout(LATE),
    });
    const said = answer.status === 304 ? null : await answer.json();
    if (mine === looks) take(here, answer, said);
  } catch {
    if (mine === looks) news(`No answer since ${shown.at ?? "this page was opened"}; what stands here is of then.`);
  }
  if (mine === looks && sessionStorage.getItem(TOKEN)) again = setTimeout(next, PAUSE);
}

function next() {
  if (!document.hidden) look();
}

function take(here, answer, said) {
  if (answer.status === 401) return leave(said.error);
  if (answer.status >= 500) return news(`${said.error}; what stands here is of ${shown.at ?? "no time yet"}.`);
  news("");
  shown.at = new Date().toLocaleTimeString();
  if (answer.status === 304) return;
  get("nav").hidden = get("leave").hidden = false;
  get("enter").hidden = true;
  if (!answer.ok) {
    shown.tag = shown.said = null;
    get("filter").hidden = true;
    return show([el("p", { class: "refused" }, said.error)]);
  }
  shown.tag = answer.headers.get("ETag");
  shown.said = said;
  get("user").textContent = said.user;
  draw(here);
}

function draw(here) {
  document.title = `${here.title} · Kamaji`;
  for (const each of get("nav").children) {
    const current = each.getAttribute("href") === `#${here.where}`;
    current ? each.setAttribute("aria-current", "page") : each.removeAttribute("aria-current");
  }
  get("filter").hidden = here.view !== views.fleet;
  show(here.view(shown.said, filter));
}

function show(content) {
  morph(get("main"), el("main", { id: "main" }, content.flat()));
}

function news(words) {
  if (get("news").textContent !== words) get("news").textContent = words;
}

function enter(words) {
  for (const id of ["nav", "leave", "filter"]) get(id).hidden = true;
  get("user").textContent = "";
  get("enter").hidden = false;
  show([]);
  news(words);
  get("token").focus();
}

function leave(words) {
  sessionStorage.removeItem(TOKEN);
  clearTimeout(again);
  shown = { where: null, tag: null, said: null };
  looks += 1;
  enter(words);
}

get("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = get("token").value.trim();
  get("token").value = "";
  if (!/^[\x21-\x7e]+$/.test(token)) return news("That is no bearer token.");
  sessionStorage.setItem(TOKEN, token);
  look();
});
get("leave").addEventListener("click", () => leave(""));
get("filter").addEventListener("submit", (event) => event.preventDefault());
get("filter").addEventListener("input", () => {
  filter.text = get("words").value;
  filter.unwell = get("unwell").checked;
  if (shown.said) draw(route());
});
addEventListener("hashchange", look);
document.addEventListener("visibilitychange", next);
look();

// Page behaviour that works from attributes and is not htmx's: theme, opened rows, "why" steps, counting figures, copying, keys.
// Loaded in the head, small and blocking, so that nothing flashes. Every page is complete without it.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const token = () => document.querySelector("meta[name=csrf]")?.content || "";
  const post = (url, fields) => fetch(url, { method: "POST", headers: { "X-CSRF-Token": token() }, body: new URLSearchParams(fields), redirect: "manual", keepalive: true });

  // ---- Figures that count on between two events of the server. A display only: the server's figure wins.
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const seen = new WeakMap();   // row -> when this page first showed it
  const two = (n) => String(n).padStart(2, "0");
  const timer = (s) => (s >= 3600 ? `${Math.floor(s / 3600)}:${two(Math.floor((s % 3600) / 60))}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`);
  const money = (micros, sign) => (micros < 0 ? "−" : "") + sign + (Math.abs(micros) / 1e6).toLocaleString("en-GB", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  function tick() {
    for (const row of document.querySelectorAll("[data-elapsed]")) {
      if (!seen.has(row)) seen.set(row, performance.now());
      const start = Number(row.dataset.elapsed);
      const now = start + Math.floor((performance.now() - seen.get(row)) / 1000);
      const show = (what, text) => row.querySelectorAll(`[data-show=${what}]`).forEach((e) => { e.textContent = text; });
      show("timer", timer(now));
      const every = Number(row.dataset.every);
      if (!every) continue;
      const grown = (Math.floor(now / every) - Math.floor(start / every)) * Number(row.dataset.increment);
      const sign = row.dataset.sign || "";
      show("cost", money(Number(row.dataset.cost) + grown, sign));
      if (row.dataset.left) show("left", money(Number(row.dataset.left) - grown, sign));
    }
  }
  document.addEventListener("DOMContentLoaded", () => {
    tick();
    setInterval(() => document.hidden || tick(), still.matches ? 10000 : 1000);
  });
  document.addEventListener("htmx:afterSettle", tick);

  // ---- htmx: the token of the page goes with what changes something; what could not be fetched in place is a page too.
  document.addEventListener("htmx:configRequest", (e) => {
    if (e.detail.verb !== "get") e.detail.headers["X-CSRF-Token"] = token();
  });
  for (const failed of ["htmx:responseError", "htmx:sendError"]) {
    document.addEventListener(failed, (e) => { if (e.target.matches?.("a.rt-twist")) location.href = e.target.href; });
  }

  // ---- Forms that are asked for again: a choice presses the button that does it without a script; what stood open stays open.
  document.addEventListener("change", (e) => {
    const deed = e.target.dataset?.refreshes;
    if (!deed || !e.target.form) return;
    let button = [...e.target.form.querySelectorAll("button[name=do]")].find((b) => b.value === deed);
    if (!button) {
      button = e.target.form.querySelector("button[name=do][data-any]");
      if (button) button.value = deed;
    }
    button?.click();
  });
  document.addEventListener("htmx:oobBeforeSwap", (e) => { if (e.detail.target.contains(document.activeElement)) e.detail.shouldSwap = false; });
  let open = null;
  document.addEventListener("htmx:beforeSwap", (e) => { open = new Map([...e.detail.target.querySelectorAll("details[id]")].map((d) => [d.id, d.open])); });
  document.addEventListener("htmx:load", (e) => {
    for (const d of e.target.querySelectorAll?.("details[id]") || []) if (open?.get(d.id)) d.open = true;
  });

  // ---- Theme
  document.addEventListener("submit", (e) => {
    if (!e.target.matches("form[data-theme-switch]")) return;
    e.preventDefault();
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    document.dispatchEvent(new Event("rt:theme"));
    post(e.target.action, { theme: root.dataset.theme }).catch(() => {});
  });

  // ---- Clicks
  document.addEventListener("click", (e) => {
    const twist = e.target.closest("[aria-controls][aria-expanded]");
    if (twist) {
      const row = document.getElementById(twist.getAttribute("aria-controls"));
      if (!row) return;
      e.preventDefault();
      row.hidden = !row.hidden;
      twist.setAttribute("aria-expanded", String(!row.hidden));
      twist.closest("tr")?.classList.toggle("open", !row.hidden);
    }
    const copy = e.target.closest("[data-copy], [data-copy-address]");
    if (copy) navigator.clipboard?.writeText(copy.dataset.copy ?? new URL(copy.dataset.copyAddress, location.href).href).then(() => {
      // A button with a word says it in the word, one with a drawing to the ear.
      const word = copy.querySelector("[data-said]");
      const label = word ? word.textContent : copy.getAttribute("aria-label");
      const say = (text) => (word ? (word.textContent = text) : copy.setAttribute("aria-label", text));
      say(word?.dataset.said || "Copied");
      copy.classList.add("done");
      setTimeout(() => { say(label); copy.classList.remove("done"); }, 2000);
    });
    const why = e.target.closest("[data-why]");
    if (why) {
      const steps = [...document.querySelectorAll(".rt-why details")];
      if (why.dataset.why === "all") {
        const open = steps.some((d) => !d.open);
        steps.forEach((d) => { d.open = open; });
        why.textContent = open ? "Close all" : "Open all";
      } else {
        const next = steps.find((d) => !d.open);
        if (next) { next.open = true; next.querySelector("summary").focus(); }
      }
    }
    const keys = e.target.closest("[data-keys-switch]");
    if (keys) {
      const off = localStorage.getItem("keys") !== "off";
      localStorage.setItem("keys", off ? "off" : "on");
      keys.textContent = off ? "Turn the keys on" : "Turn the keys off";
    }
    // A row is a larger target than its link, for a mouse; the link stays the one thing in the tab order.
    const cell = e.target.closest("[data-rows] tr.link > td, [data-board] tr.link > td");
    if (cell && !e.target.closest("a, button, form, input, select, summary") && !getSelection().toString()) cell.parentElement.querySelector("a")?.click();
  });

  // ---- Keys: / find, g l live, g c calls, j k rows, ? help. They can be turned off in that help.
  let before = "";
  function walk(step) {
    const links = [...document.querySelectorAll("[data-rows] tr.link, [data-board] tr.link")].map((row) => row.querySelector("a")).filter(Boolean);
    if (!links.length) return;
    const at = links.indexOf(document.activeElement);
    links[Math.min(links.length - 1, Math.max(0, at < 0 ? 0 : at + step))].focus();
  }
  const go = (end) => document.querySelector(`.rt-nav a[href$="/${end}"]`)?.click();
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || localStorage.getItem("keys") === "off") return;
    if (/^(input|textarea|select)$/i.test(document.activeElement?.tagName || "")) return;
    const key = before === "g" ? `g ${e.key}` : e.key;
    before = e.key;
    const act = {
      "/": () => (document.querySelector(".rt-bar .rt-search input") || document.querySelector(".rt-search input"))?.focus(),
      "?": () => document.getElementById("keys")?.togglePopover?.(),
      "g l": () => go("live"), "g c": () => go("calls"),
      j: () => walk(1), k: () => walk(-1),
    }[key];
    if (act) { e.preventDefault(); act(); }
  });
})();

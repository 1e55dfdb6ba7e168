// Round a part that htmx renews from a stream of events (hx-ext="sse"): the state in words, a pause, the age of the figures,
// a summary for screen readers. Every event is a whole snapshot, so a lost one costs nothing.
(() => {
  const all = (name) => document.querySelectorAll(`[data-stream-${name}]`);
  let paused = false;
  let inside = false;   // the focus, before a snapshot takes the place of another

  function state(word, tone) {
    for (const badge of all("state")) {
      badge.className = `rt-badge js-only ${tone}`;
      badge.firstElementChild.className = tone === "ok" ? "rt-dot live" : "rt-dot";
      badge.lastElementChild.textContent = word;
    }
  }
  const well = () => state(paused ? "Paused" : "Streaming", paused ? "" : "ok");
  const stale = (is) => all("stale").forEach((note) => { note.hidden = !is; });

  // A page that is left hangs up by itself; the browser would call it an error. A page that comes back from the cache is old.
  htmx.createEventSource = (url) => {
    const source = new EventSource(url, { withCredentials: true });
    addEventListener("pagehide", () => source.close());
    return source;
  };
  addEventListener("pageshow", (e) => { if (e.persisted) location.reload(); });

  document.addEventListener("htmx:sseOpen", () => { well(); stale(false); });
  document.addEventListener("htmx:sseError", () => { state("Reconnecting", "warn"); stale(true); });
  document.addEventListener("htmx:sseBeforeMessage", (e) => {   // nothing is taken from under the hand
    const active = document.activeElement;
    if (paused || e.target.querySelector(":popover-open") || (e.target.contains(active) && active.matches("select, input:not([type=hidden])"))) e.preventDefault();
    else inside = e.target.contains(active);
  });
  // The count beside the page's own entry in the menu.
  function count(calls) {
    const entry = calls !== undefined && document.querySelector('.rt-nav a[aria-current="page"]');
    if (!entry) return;
    let badge = entry.querySelector(".n");
    if (!badge && calls !== "0") { badge = document.createElement("span"); badge.className = "n"; entry.append(badge); }
    if (calls === "0") badge?.remove(); else badge.textContent = calls;
  }

  document.addEventListener("htmx:sseMessage", (e) => {
    const at = e.target.querySelector("[data-at]")?.dataset.at;
    if (at) all("at").forEach((x) => { x.textContent = at; });
    count(e.target.querySelector("[data-count]")?.dataset.count);
    // What had the focus may be gone with its row: the next row has it then, or the page.
    if (inside && (!document.activeElement || document.activeElement === document.body)) (e.target.querySelector("tr.link a") || document.getElementById("main"))?.focus();
    if (e.target.matches("[data-reload-when-over]") && e.target.querySelector("[data-over=true]")) location.reload();
  });

  document.addEventListener("click", (e) => {
    const pause = e.target.closest("[data-stream-pause]");
    if (!pause) return;
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.querySelector("span").textContent = paused ? "Go on" : "Pause";
    well();
  });

  setInterval(() => {   // one sentence every ten seconds, not every row
    const text = document.querySelector("[data-board]")?.dataset.summary;
    if (text && !paused) all("summary").forEach((x) => { if (x.textContent !== text) x.textContent = text; });
  }, 10000);
})();

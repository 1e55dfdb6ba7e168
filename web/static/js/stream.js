// A part of a page that the server renews: <div data-stream="/admin/live/events" data-event="board">.
// Every event is a whole snapshot in HTML, so a lost one costs nothing. Round it: the state in words, a pause,
// the age of the figures, a summary for screen readers.
(() => {
  const all = (name) => document.querySelectorAll(`[data-stream-${name}]`);
  let paused = false;

  function state(word, tone) {
    for (const badge of all("state")) {
      badge.className = `rt-badge js-only ${tone}`;
      badge.firstElementChild.className = tone === "ok" ? "rt-dot live" : "rt-dot";
      badge.lastElementChild.textContent = word;
    }
  }
  const well = () => state(paused ? "Paused" : "Streaming", paused ? "" : "ok");

  function swap(part, html) {
    const active = document.activeElement;
    const held = part.contains(active);
    if (paused || (held && active.matches("select, input:not([type=hidden])"))) return;   // nothing is taken from under the hand
    const mark = held && (active.getAttribute("href") || active.getAttribute("aria-label"));
    part.innerHTML = html;
    if (mark) [...part.querySelectorAll("a, button")].find((x) => x.getAttribute("href") === mark || x.getAttribute("aria-label") === mark)?.focus();
    const at = part.querySelector("[data-at]")?.dataset.at;
    if (at) all("at").forEach((x) => { x.textContent = at; });
    document.dispatchEvent(new Event("rt:swap"));
    if (part.matches("[data-reload-when-over]") && part.querySelector("[data-over=true]")) location.reload();
  }

  function listen(part) {
    const source = new EventSource(part.dataset.stream);
    source.addEventListener("open", () => { well(); all("stale").forEach((note) => { note.hidden = true; }); });
    source.addEventListener(part.dataset.event, (e) => swap(part, e.data));
    source.addEventListener("error", () => {
      state("Reconnecting", "warn");
      all("stale").forEach((note) => { note.hidden = false; });
      // The browser tries again by itself, except after an answer that was not a stream: signed out, or restarted.
      if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(part), 5000);
    });
    addEventListener("pagehide", () => source.close(), { once: true });
  }
  document.querySelectorAll("[data-stream]").forEach(listen);

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

"use strict";
// Warns on a page with a form before the session ends, and tells when it has ended. To ask how long it lasts does not use
// the session (the header says that nobody has done anything); the button does.
(() => {
  const dialog = document.getElementById("session-ending");
  if (!dialog || !dialog.showModal) return;
  const [ends, ended] = ["session-ends", "session-ended"].map((id) => document.getElementById(id));
  const stay = ends.querySelector("form");
  const early = Number(dialog.dataset.warn);
  const fields = "main form[method='post'] :is(textarea, select, input:not([type='hidden']))";
  let timer = 0;
  let due = 0;
  let told = "";

  function tell(what) {
    ends.hidden = what !== "ends";
    ended.hidden = what !== "ended";
    if (told === what || !document.querySelector(fields)) return;
    told = what;
    if (!dialog.open) dialog.showModal();
    (what === "ends" ? stay : ended).querySelector("button").focus();
  }

  function lookIn(seconds) {
    clearTimeout(timer);
    due = Date.now() + seconds * 1000;
    timer = setTimeout(look, seconds * 1000);
  }

  function heard(left) {
    if (left > early) {
      told = "";
      if (dialog.open) dialog.close();
      lookIn(left - early);
    } else if (left > 0) {
      tell("ends");
      lookIn(Math.min(left, 10)); // somebody may go on in another window
    } else {
      tell("ended");
    }
  }

  async function ask(options) {
    const answer = await fetch(stay.action, { cache: "no-store", redirect: "error", ...options });
    return answer.status === 200 ? (await answer.json()).left : null;
  }

  async function look() {
    try {
      heard((await ask({ headers: { "HX-Request": "true" } })) ?? 0);
    } catch {
      lookIn(30); // the network is away for a moment
    }
  }

  stay.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const left = await ask({ method: "POST", body: new FormData(stay) });
      if (left === null) look(); // the page is from before another sign-in
      else heard(left);
    } catch {
      look();
    }
  });
  // timers stand still while a machine sleeps, and a page may come back out of the browser's memory
  const back = () => { if (!document.hidden && Date.now() >= due) look(); };
  document.addEventListener("visibilitychange", back);
  window.addEventListener("pageshow", (event) => { if (event.persisted) look(); });
  lookIn(Math.max(Number(dialog.dataset.left) - early, 1));
})();

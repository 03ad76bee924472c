// Conveniences. Every page works without them.
"use strict";

const within = (root, selector) => root.querySelectorAll(selector);
const typing = (target) => target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);

// --- Parts that keep themselves fresh: data-live="URL" data-every="seconds" ---

const MOST_FAILURES = 3;

function keepFresh(part) {
  const pause = Math.max(1, Number(part.dataset.every) || 3) * 1000;
  let failures = 0;

  async function refresh() {
    if (!document.hidden && !busy(part)) {
      try {
        await renew(part);
        failures = 0;
      } catch {
        failures += 1;
      }
    }
    if (failures >= MOST_FAILURES) complain(part);
    else if (part.isConnected && "live" in part.dataset) setTimeout(refresh, pause * 2 ** failures);
  }

  setTimeout(refresh, pause);
}

// Somebody is typing in it, or has marked some of its text.
function busy(part) {
  const selection = getSelection();
  const marked = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
  return marked || (part.contains(document.activeElement) && typing(document.activeElement));
}

async function renew(part) {
  const answer = await fetch(part.dataset.live, { headers: { "X-Live": "1" }, redirect: "error", signal: AbortSignal.timeout(10_000) });
  if (!answer.ok) throw new Error(answer.status);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById(part.id);
  if (!fresh) throw new Error("the part is gone");
  if (!("live" in fresh.dataset)) delete part.dataset.live; // what it showed is over
  const written = fresh.innerHTML; // read before its nodes are moved, after which it is empty
  if (written !== part.dataset.shown) replace(part, fresh);
  part.dataset.shown = written;
}

// What was open stays open, and what had the focus has it again.
function replace(part, fresh) {
  const open = [...within(part, "details")].map((each) => each.open);
  const places = [...within(part, "a, button, input, select, summary, [tabindex]")];
  const focused = places.indexOf(document.activeElement);
  const id = document.activeElement?.id;
  part.replaceChildren(...fresh.childNodes);
  within(part, "details").forEach((each, place) => { if (place in open) each.open = open[place]; });
  revealHelpers(part);
  if (focused < 0) return;
  const again = (id && document.getElementById(id)) || within(part, "a, button, input, select, summary, [tabindex]")[focused];
  again?.focus({ preventScroll: true });
}

function complain(part) {
  const note = document.createElement("p");
  const link = document.createElement("a");
  note.className = "notice doubtful";
  note.setAttribute("role", "status");
  link.href = "";
  link.textContent = "Reload the page";
  note.append(`Not fresh since ${new Date().toLocaleTimeString()}. `, link);
  part.before(note);
}

// --- Asking first: data-confirm on a form or on one of its buttons ---

document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm || event.target.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});

// --- Keys: / goes to the search box ---

document.addEventListener("keydown", (event) => {
  const box = document.querySelector("[data-shortcut]");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || !box) return;
  event.preventDefault();
  box.focus();
  box.select();
});

// --- Light and dark, remembered in a cookie, so that the server draws the page right from the beginning ---

function switchTheme() {
  const root = document.documentElement;
  const now = root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `callbridge-theme=${root.dataset.theme}; Path=/ops; Max-Age=31536000; SameSite=Lax${secure}`;
}

// --- Copying: data-copy="id of what is copied" ---

async function copy(button) {
  const text = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(text.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(text); // not allowed here: it is at least marked
    button.textContent = "Marked";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.copy) copy(button);
  else if (button && "themeSwitch" in button.dataset) switchTheme();
});

// Buttons that do nothing without this script are hidden until it is there.
function revealHelpers(root) {
  within(root, "[data-copy], [data-theme-switch]").forEach((button) => { button.hidden = false; });
}

revealHelpers(document);
document.querySelector(".links [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
within(document, "[data-live]").forEach(keepFresh);

// Keeps /live up to date. Without JavaScript, the page shows the state at the time it was loaded.
"use strict";

const maxRows = 100;
const $ = (id) => document.getElementById(id);

let run = "";
let newest = 0;

const source = new EventSource("/live/events");
source.onmessage = (message) => {
	const { state, rows } = JSON.parse(message.data);
	if (run && run !== state.run) { // the shop was restarted
		location.reload();
		return;
	}
	run = state.run;
	show(state);
	list(rows);
	announce(state);
};
source.onerror = () => {
	$("status").className = "status down";
	write(document.querySelector('[data-text="status"]'), source.readyState === EventSource.CLOSED
		? "Too many pages are watching. Reload this one to try again."
		: "The shop does not respond. Reconnecting.");
};

// Closes the stream before the page is unloaded.
addEventListener("pagehide", () => source.close());
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

function show(state) {
	for (const element of document.querySelectorAll("[data-text]")) {
		if (!element.closest("[data-side]")) write(element, state[element.dataset.text]);
	}
	for (const side of state.sides) {
		const block = document.querySelector(`[data-side="${side.letter}"]`);
		for (const element of block.querySelectorAll("[data-text]")) write(element, side[element.dataset.text]);
		for (const element of block.querySelectorAll("[data-width]")) {
			element.setAttribute("width", side[element.dataset.width] + "%");
		}
		block.querySelector("[data-label]").setAttribute("aria-label", side.text);
	}
	$("status").className = "status" + (!state.up ? " down" : state.settled ? " settled" : "");
	$("switch").setAttribute("aria-checked", String(state.up));
	$("switch").value = String(!state.up);
	// Not "disabled", which would remove the focus from the button.
	$("simulate").setAttribute("aria-disabled", String(state.running));
	$("progress").max = state.total;
	$("progress").value = state.done;
}

function write(element, text) {
	if (element.textContent !== text) element.textContent = text;
}

function list(rows) {
	const moving = newest > 0; // do not animate rows that were loaded with the page
	for (const row of rows ?? []) {
		if (row.number <= newest) continue;
		newest = row.number;
		const item = $("row").content.cloneNode(true).firstElementChild;
		item.classList.add(row.kind);
		item.classList.toggle("new", moving);
		const letter = item.querySelector(".letter");
		letter.textContent = row.letter || "·";
		if (row.letter) letter.classList.add(row.letter.toLowerCase());
		item.querySelector("strong").textContent = row.title;
		item.querySelector("small").textContent = row.detail;
		item.querySelector("code").textContent = row.visitor;
		item.querySelector("time").textContent = row.time;
		$("rows").prepend(item);
	}
	while ($("rows").childElementCount > maxRows) $("rows").lastElementChild.remove();
}

// Announces states that have lasted for a moment to screen readers, not each number: the status,
// and while the simulation runs, each quarter of it.
let announced = document.querySelector('[data-text="status"]').textContent;
let next = announced;
let timer;

function announce(state) {
	const quarter = Math.floor(4 * state.done / state.total);
	const text = state.running ? `Simulation: ${25 * quarter} percent` : state.status;
	if (text === next) return;
	next = text;
	clearTimeout(timer);
	timer = setTimeout(() => {
		if (next !== announced) write($("announcer"), next);
		announced = next;
	}, 800);
}

// The forms work by themselves; here they leave the page where it is.
for (const id of ["service", "simulation"]) {
	$(id).addEventListener("submit", async (event) => {
		event.preventDefault();
		if (event.submitter?.getAttribute("aria-disabled") === "true") return;
		const body = new URLSearchParams();
		if (event.submitter?.name) body.set(event.submitter.name, event.submitter.value);
		try {
			await fetch(event.target.action, { method: "POST", body, redirect: "manual" });
		} catch {
			write($("announcer"), "The shop does not respond.");
		}
	});
}

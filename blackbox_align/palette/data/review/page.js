
"use strict";
const KEY = "bbalign-verdicts:" + location.pathname;
const boxes = [...document.querySelectorAll("input[type=radio]")];
let kept = {};
try { kept = JSON.parse(localStorage.getItem(KEY) || "{}"); } catch { /* a browser that keeps nothing */ }
for (const box of boxes) if (kept[box.name] === box.value) box.checked = true;
function verdicts() {
  return Object.fromEntries(boxes.filter((box) => box.checked).map((box) => [box.name, box.value]));
}
function told() {
  const given = Object.values(verdicts());
  const rejected = given.filter((value) => value === "reject").length;
  document.getElementById("count").textContent =
    `${given.length} of ${boxes.length / 2} read, ${rejected} rejected.`;
}
document.addEventListener("change", () => {
  try { localStorage.setItem(KEY, JSON.stringify(verdicts())); } catch { /* likewise */ }
  told();
});
document.getElementById("save").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = "data:application/json," + encodeURIComponent(JSON.stringify(verdicts(), null, 1));
  link.download = "verdicts.json";
  link.click();
});
told();

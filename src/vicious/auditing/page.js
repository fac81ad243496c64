"use strict";
const fades = [];
for (const example of document.querySelectorAll(".example")) {
  const frame = example.querySelector(".reconstruction .frame");
  const over = example.querySelector(".original img").cloneNode();
  const slider = example.querySelector("input");
  over.alt = "";
  over.className = "over";
  frame.append(over);
  const fade = () => {
    over.style.opacity = 1 - slider.value / 100;
    slider.setAttribute("aria-valuetext", `${slider.value}% reconstruction`);
  };
  slider.addEventListener("input", fade);
  fades.push((value) => {
    slider.value = value;
    fade();
  });
  fade();
}
const all = document.getElementById("all");
all.addEventListener("input", () => fades.forEach((fade) => fade(all.value)));
document.documentElement.classList.add("live");

// The page is whole without this: it only chooses the browser's language.
(() => {
  const chosen = (navigator.language || "").toLowerCase().startsWith("zh") ? "zh" : "en";
  document.getElementById(`language-${chosen}`).checked = true;
  // What is folded away is opened for paper, and closed again.
  const opened = new Set();
  addEventListener("beforeprint", () => document.querySelectorAll("details.printed:not([open])").forEach((one) => { one.open = true; opened.add(one); }));
  addEventListener("afterprint", () => { opened.forEach((one) => { one.open = false; }); opened.clear(); });
})();

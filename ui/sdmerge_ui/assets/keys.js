// Keys for the whole page. Never while typing, but for those with Ctrl.
(() => {
  const press = (id) => {
    const found = document.getElementById(id);
    (found?.matches("button") ? found : found?.querySelector("button") ?? found)?.click();
  };
  const typing = (target) => target.closest?.("input:not([type=range]):not([type=checkbox]), textarea, select, [contenteditable]");
  document.addEventListener("keydown", (event) => {
    const command = event.ctrlKey || event.metaKey;
    if (command && event.key === "Enter") press(event.shiftKey ? "sd-save-model" : "sd-preview");
    else if (command && event.key.toLowerCase() === "s") press("sd-save-recipe");
    else if (typing(event.target)) return;
    else if (command && event.key.toLowerCase() === "z") press(event.shiftKey ? "sd-redo" : "sd-undo");
    else if (command || event.altKey) return;
    else if (/^[1-9]$/.test(event.key)) document.querySelectorAll("#sd-tabs > .tab-wrapper [role=tab]")[+event.key - 1]?.click();
    else if (event.key === "?") press("sd-help");
    else if (event.key === "/") document.getElementById("sd-find")?.focus();
    else return;
    event.preventDefault();
  });
  // the tab is part of the address, so that a link shows it
  let wanted = new URLSearchParams(location.search).get("tab");
  window.sdmergeTab = (name) => {
    // the first tab is chosen before the one that the address asks for
    if (wanted && wanted !== name && performance.now() < 10000) return;
    wanted = null;
    const address = new URL(location.href);
    address.searchParams.set("tab", name);
    history.replaceState(null, "", address);
  };
})();

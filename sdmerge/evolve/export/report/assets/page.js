"use strict";
(() => {
  const root = document.documentElement;
  const remember = (name, value) => {
    try {
      localStorage.setItem(`sdmerge.${name}`, JSON.stringify(value));
    } catch {
      // the page works without
    }
  };
  const recall = (name) => {
    try {
      return JSON.parse(localStorage.getItem(`sdmerge.${name}`));
    } catch {
      return null;
    }
  };
  const theme = recall("theme");
  if (theme === "dark" || theme === "light") root.dataset.theme = theme;
  const language = recall("language") ?? (navigator.language || "en").slice(0, 2);
  root.lang = language === "ja" ? "ja" : "en";
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    remember("theme", root.dataset.theme);
  });
  document.getElementById("language").addEventListener("click", () => {
    root.lang = root.lang === "ja" ? "en" : "ja";
    remember("language", root.lang);
  });
})();

/** Follows the page's light or dark: a Jupyter Book's, JupyterLab's, or else the reader's system's. Returns what ends it. */
function followTheme(host) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const update = () => {
    const lab = { true: "light", false: "dark" }[document.body.dataset.jpThemeLight];
    host.dataset.mode = document.documentElement.dataset.theme ?? lab ?? (system.matches ? "dark" : "light");
  };
  const observer = new MutationObserver(update);
  observer.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  observer.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
  system.addEventListener("change", update);
  update();
  return () => {
    observer.disconnect();
    system.removeEventListener("change", update);
  };
}

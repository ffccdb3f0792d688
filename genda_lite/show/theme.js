/** Follows the page's light or dark: a Jupyter Book's, JupyterLab's, or else the reader's system's; paper is light. Returns
    what ends it. */
function followTheme(host) {
  const system = matchMedia("(prefers-color-scheme: dark)"), print = matchMedia("print");
  const update = () => {
    const lab = { true: "light", false: "dark" }[document.body.dataset.jpThemeLight];
    const screen = document.documentElement.dataset.theme ?? lab ?? (system.matches ? "dark" : "light");
    host.dataset.mode = print.matches ? "light" : screen;
  };
  const observer = new MutationObserver(update);
  observer.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  observer.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
  for (const query of [system, print]) query.addEventListener("change", update);
  update();
  return () => {
    observer.disconnect();
    for (const query of [system, print]) query.removeEventListener("change", update);
  };
}

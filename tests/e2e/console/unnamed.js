// What somebody who listens would miss: controls without a name, ids that occur twice, headings without a scope.
() => {
  const trouble = [];
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) trouble.push(`twice: #${id}`);
  for (const node of document.querySelectorAll("input, select, textarea")) {
    if (!node.labels.length && !node.ariaLabel && !node.getAttribute("aria-labelledby")) trouble.push(`no label: ${node.outerHTML}`);
  }
  for (const node of document.querySelectorAll("button, a[href], summary, [role=img], [role=listbox], [role=tree], [role=region], [role=group]")) {
    if (!node.textContent.trim() && !node.ariaLabel || (/^(img|listbox|tree|region|group)$/.test(node.role) && !node.ariaLabel && !node.getAttribute("aria-labelledby"))) {
      trouble.push(`no name: ${node.outerHTML.slice(0, 200)}`);
    }
  }
  for (const node of document.querySelectorAll("table th:not([scope])")) trouble.push(`no scope: ${node.textContent}`);
  for (const node of document.querySelectorAll("[tabindex]")) if (node.tabIndex > 0) trouble.push(`tabindex: ${node.outerHTML.slice(0, 100)}`);
  if (document.querySelectorAll("main").length !== 1) trouble.push("not one main");
  if (!document.documentElement.lang || !document.title) trouble.push("no language or title");
  return trouble;
}

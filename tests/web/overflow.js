// What leaves its box: the page beyond the window, texts beyond what holds them, controls that cannot be reached,
// texts that are cut where no title tells the whole. What scrolls by itself may be wider than it shows.
() => {
  const NEAR = 1.5;
  const found = new Set();
  const nameOf = (element) => `${element.tagName.toLowerCase()}.${typeof element.className === "string" ? element.className.trim().replace(/\s+/g, ".") : ""}`;
  const say = (what, element) => found.add(`${what}: ${nameOf(element.parentElement)} > ${nameOf(element)}: ${element.textContent.trim().slice(0, 40)}`);
  const titled = (element) => element.closest("[title]") ?? element.querySelector("[title]");
  const hidden = ".visually-hidden, .skip, script, style, option, select, title";
  if (document.documentElement.scrollWidth > innerWidth) found.add(`the page is ${document.documentElement.scrollWidth} px wide`);

  const bounds = (node) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    return range.getBoundingClientRect();
  };
  const checkText = (node) => {
    const element = node.parentElement;
    const text = bounds(node);
    if (!node.textContent.trim() || element.closest(hidden) || !text.width) return;
    const chart = element.closest("svg");
    if (chart) {
      const box = chart.getBoundingClientRect();
      if (text.left < box.left - NEAR || text.right > box.right + NEAR) say("outside its chart", element);
      return;
    }
    for (let around = element; around && around !== document.documentElement; around = around.parentElement) {
      const style = getComputedStyle(around);
      if (["auto", "scroll"].includes(style.overflowX)) return;
      const box = around.getBoundingClientRect();
      if (["inline", "contents"].includes(style.display) || (text.right <= box.right + NEAR && text.left >= box.left - NEAR)) continue;
      if (!["hidden", "clip"].includes(style.overflowX)) say("spills", element);
      else if (!titled(element)) say("is cut and has no title", element);
      return;
    }
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) checkText(texts.currentNode);
  for (const control of document.querySelectorAll("button, a, select, input, textarea, summary")) {
    const box = control.getBoundingClientRect();
    if (box.width && !control.closest(".visually-hidden, .skip, .scroll, .tall") && (box.left < -NEAR || box.right > innerWidth + NEAR)) say("out of reach", control);
  }
  return [...found];
}

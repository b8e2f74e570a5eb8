"""What holds for every page on every device, asked from the page itself; each returns its mistakes in words."""

import unicodedata
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

AXE = Axe()
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]

# Everything that is pressed, with the box that takes the press; what is only for screen readers or hidden is left out.
CONTROLS = """() => {
  const found = [];
  const pressed = 'a[href], button, input:not([type=hidden]), select, textarea, summary';
  for (const element of document.querySelectorAll(pressed)) {
    const target = (['radio', 'checkbox'].includes(element.type) && element.closest('label')) || element;
    const box = target.getBoundingClientRect();
    if (!target.checkVisibility({ visibilityProperty: true }) || box.bottom < 0 || !box.width) continue;
    const words = (target.innerText || target.value || target.name || '').replace(/\\s+/g, ' ').trim();
    found.push({ words, x: box.x, y: box.y, width: box.width, height: box.height });
  }
  return found;
}"""

# Text that its own box, a clipping ancestor or the edge of the screen cuts off.
CUT = """() => {
  const cut = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  for (let node; node = walker.nextNode();) {
    const parent = node.parentElement;
    if (!node.data.trim() || parent.closest('.vh, .skip, svg, script, template')) continue;
    if (!parent.checkVisibility({ visibilityProperty: true })) continue;
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      if (!box.width) continue;
      const bad = box.left < -1 || box.right > document.documentElement.clientWidth + 1;
      let where = bad ? 'screen' : '';
      for (let at = parent; at && !where; at = at.parentElement) {
        const style = getComputedStyle(at);
        if (style.display === 'inline') continue;
        const isBox = at.matches('button, .button, .pick, .door, td, th, dd, li, .state');
        if (style.overflow === 'visible' && !isBox) continue;
        const edge = at.getBoundingClientRect();
        // A line is higher than its letters: half a line may stand out above and below.
        const play = box.height * .25;
        if (box.left < edge.left - 1 || box.right > edge.right + 1) where = at.tagName + '.' + at.className;
        if (box.top < edge.top - play || box.bottom > edge.bottom + play) where = at.tagName + '.' + at.className;
      }
      if (where) { cut.push(`${node.data.trim().slice(0, 60)} (${where})`); break; }
    }
  }
  return cut;
}"""

OVERLAPS = """() => {
  const lines = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  for (let node; node = walker.nextNode();) {
    const parent = node.parentElement;
    if (!node.data.trim() || parent.closest('.vh, .skip, .strip, .press, svg, template')) continue;
    if (!parent.checkVisibility({ visibilityProperty: true })) continue;
    range.selectNodeContents(node);
    for (const line of range.getClientRects()) {
      const play = line.height * .22; // a line is higher than its letters
      const box = { left: line.left, right: line.right, top: line.top + play, bottom: line.bottom - play };
      if (line.width) lines.push({ text: node.data.trim().slice(0, 40), box });
    }
  }
  const bad = [];
  for (let i = 0; i < lines.length; i++) for (let j = i + 1; j < lines.length; j++) {
    const a = lines[i].box, b = lines[j].box;
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (wide > 2 && high > 2) bad.push(`${lines[i].text} / ${lines[j].text}`);
  }
  return bad;
}"""


def axe(page: Page, *rules: str) -> list[str]:
    """G1: what axe-core finds at the levels A and AA, or by the named rules only (G6)."""
    only = {"type": "rule", "values": list(rules)} if rules else {"type": "tag", "values": TAGS}
    options = {"resultTypes": ["violations"], "runOnly": only}
    found = AXE.run(page, options=options).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:120]} {_contrast(node)}"
        for violation in found
        for node in violation["nodes"]
    ]


def _contrast(node: dict[str, Any]) -> str:
    data = next((check["data"] for check in node["any"] if check.get("data")), None)
    return str(data.get("contrastRatio", "")) if isinstance(data, dict) else ""


def small_controls(page: Page, height: float = 48, apart: float = 0) -> list[str]:
    """G2: controls under 48 px in width or `height` in height, or closer than `apart` to one another."""
    controls = page.evaluate(CONTROLS)
    found = [
        f"{control['words']!r} is {control['width']:.0f}x{control['height']:.0f}"
        for control in controls
        if control["width"] < 47.5 or control["height"] < height - 0.5
    ]
    for position, one in enumerate(controls):
        for other in controls[position + 1 :]:
            right = max(one["x"], other["x"]) - min(one["x"] + one["width"], other["x"] + other["width"])
            down = max(one["y"], other["y"]) - min(one["y"] + one["height"], other["y"] + other["height"])
            if max(right, down) < apart - 0.5:
                found.append(f"{one['words']!r} and {other['words']!r} are {max(right, down):.0f} px apart")
    return found


def cut_text(page: Page) -> list[str]:
    """G3: a page wider than its screen, words that are cut, words that stand on one another."""
    wide = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    too_wide = [f"the page is {wide[0]} px wide on {wide[1]}"] if wide[0] > wide[1] else []
    return [*too_wide, *page.evaluate(CUT), *(f"overlap: {pair}" for pair in page.evaluate(OVERLAPS))]


def heading_and_language(page: Page, language: str) -> list[str]:
    """G4: the language said is the one shown, one h1, a title that starts with it, everything in NFC."""
    found = []
    if page.evaluate("document.documentElement.lang") != language:
        found.append("the wrong lang")
    headings = [" ".join(words.split()) for words in page.locator("h1").all_text_contents()]
    if len(headings) != 1 or not page.title().startswith(headings[0]):
        found.append(f"h1 {headings} under the title {page.title()!r}")
    if not unicodedata.is_normalized("NFC", page.content()):
        found.append("not NFC")
    return found

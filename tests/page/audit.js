// What stands on a page that a stranger's text must never have put there: our own templates make none of it.
(scripts) => {
  const found = [];
  const say = (what, element) => found.push(`${what}: ${element.outerHTML.slice(0, 200)}`);
  const isOwn = (address) => {
    try { return new URL(address, document.baseURI).origin === location.origin; } catch { return false; }
  };
  const never = ["iframe", "frame", "object", "embed", "base", "marquee", "template", "audio", "video", "math", "style",
                 "portal", "foreignobject", "animate", "set", "use", "area", "image"];
  const addresses = ["src", "srcset", "href", "xlink:href", "action", "formaction", "data", "poster", "background",
                     "ping"];
  for (const element of document.querySelectorAll("*")) {
    const name = element.localName.toLowerCase();
    if (never.includes(name)) say("an element", element);
    if (name === "script" && (element.text || !scripts.includes(element.getAttribute("src")))) say("a script", element);
    if (name === "meta" && element.httpEquiv) say("a meta element", element);
    for (const {name: attribute, value} of element.attributes) {
      if (attribute.startsWith("on") || ["style", "srcdoc"].includes(attribute)) say("an attribute", element);
      if (addresses.includes(attribute) && !isOwn(value)) say("an address", element);
    }
  }
  const acting = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
  const texts = document.createTreeWalker(document, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const {data, parentElement} = texts.currentNode;
    const at = data.search(acting);
    if (at >= 0) {
      const around = JSON.stringify(data.slice(Math.max(at - 20, 0), at + 20));
      found.push(`a character ${data.charCodeAt(at).toString(16)} in ${parentElement.localName}.${parentElement.className}` +
        ` #${parentElement.closest("[id]")?.id}: ${around}`);
    }
  }
  return [...new Set(found)].slice(0, 10);
}

// A file for whoever looks at the page.

/** Offer `content`, a text or bytes, as a file to keep. */
export function download(name, content) {
  const href = URL.createObjectURL(new Blob([content]));
  Object.assign(document.createElement("a"), { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}
